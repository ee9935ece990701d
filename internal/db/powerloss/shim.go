package powerloss

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sync"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// The types of SQLite's calls into its file layer that are listened to.
type (
	openCall     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, outFlags uintptr) int32
	deleteCall   = func(tls *libc.TLS, vfs, name uintptr, syncFolder int32) int32
	writeCall    = func(tls *libc.TLS, file, data uintptr, size int32, at int64) int32
	truncateCall = func(tls *libc.TLS, file uintptr, size int64) int32
)

// layer is the file layer that is put before the one that SQLite had. There is one in
// a process, as SQLite has one list of them.
var layer struct {
	once  sync.Once
	err   error
	vfs   *sqlite3.Tsqlite3_vfs // ours; SQLite keeps its address
	below *sqlite3.Tsqlite3_vfs

	mu      sync.Mutex
	disks   map[string]*Disk     // by folder
	files   map[uintptr]watched  // open files, by SQLite's address of them
	methods map[uintptr]*methods // ours, by those that SQLite had
}

type methods struct{ ours, below *sqlite3.Tsqlite3_io_methods }

type watched struct {
	disk  *Disk
	name  string
	below *sqlite3.Tsqlite3_io_methods
}

// Watch begins the history of a folder, from what it holds now. Databases in it must
// not be open. A folder that is watched already begins anew.
func Watch(folder string) (*Disk, error) {
	layer.once.Do(register)
	if layer.err != nil {
		return nil, layer.err
	}
	folder, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return nil, err
	}
	d, err := newDisk(folder)
	if err != nil {
		return nil, err
	}
	layer.mu.Lock()
	defer layer.mu.Unlock()
	layer.disks[folder] = d
	return d, nil
}

// Forget ends the watch over a disk. Its history stays.
func (d *Disk) Forget() {
	layer.mu.Lock()
	defer layer.mu.Unlock()
	if layer.disks[d.folder] == d {
		delete(layer.disks, d.folder)
	}
}

// register makes ours the layer of every database that is opened from now on.
func register() {
	layer.disks, layer.files, layer.methods = map[string]*Disk{}, map[uintptr]watched{}, map[uintptr]*methods{}
	tls := libc.NewTLS()
	defer tls.Close()
	if rc := sqlite3.Xsqlite3_initialize(tls); rc != sqlite3.SQLITE_OK {
		layer.err = fmt.Errorf("SQLite does not start: %d", rc)
		return
	}
	layer.below = at[sqlite3.Tsqlite3_vfs](sqlite3.Xsqlite3_vfs_find(tls, 0))
	ours := *layer.below
	ours.FzName, layer.err = libc.CString("powerloss")
	if layer.err != nil {
		return
	}
	ours.FxOpen, ours.FxDelete = address[openCall](open), address[deleteCall](remove)
	layer.vfs = &ours
	if rc := sqlite3.Xsqlite3_vfs_register(tls, uintptr(unsafe.Pointer(layer.vfs)), 1); rc != sqlite3.SQLITE_OK {
		layer.err = fmt.Errorf("SQLite takes no file layer: %d", rc)
	}
}

// open has the layer below open a file, and listens to it if it is watched.
func open(tls *libc.TLS, _, name, file uintptr, flags int32, outFlags uintptr) int32 {
	rc := call[openCall](layer.below.FxOpen)(tls, uintptr(unsafe.Pointer(layer.below)), name, file, flags, outFlags)
	if rc != sqlite3.SQLITE_OK || name == 0 {
		return rc
	}
	layer.mu.Lock()
	defer layer.mu.Unlock()
	disk, base := place(name)
	if disk == nil {
		return rc
	}
	f := at[sqlite3.Tsqlite3_file](file)
	m := layer.methods[f.FpMethods]
	if m == nil {
		below := at[sqlite3.Tsqlite3_io_methods](f.FpMethods)
		ours := *below
		ours.FxWrite, ours.FxTruncate = address[writeCall](write), address[truncateCall](truncate)
		ours.FxSync = address[func(*libc.TLS, uintptr, int32) int32](syncFile)
		m = &methods{ours: &ours, below: below}
		layer.methods[f.FpMethods] = m
	}
	f.FpMethods = uintptr(unsafe.Pointer(m.ours))
	layer.files[file] = watched{disk: disk, name: base, below: m.below}
	return rc
}

func write(tls *libc.TLS, file, data uintptr, size int32, offset int64) int32 {
	w := lookUp(file)
	if rc := w.disk.refuses.Load(); rc != 0 {
		return rc
	}
	rc := call[writeCall](w.below.FxWrite)(tls, file, data, size, offset)
	if rc == sqlite3.SQLITE_OK {
		w.disk.add(step{kind: writing, name: w.name, at: offset, data: bytes.Clone(libc.GoBytes(data, int(size)))})
	}
	return rc
}

func truncate(tls *libc.TLS, file uintptr, size int64) int32 {
	w := lookUp(file)
	if rc := w.disk.refuses.Load(); rc != 0 {
		return rc
	}
	rc := call[truncateCall](w.below.FxTruncate)(tls, file, size)
	if rc == sqlite3.SQLITE_OK {
		w.disk.add(step{kind: truncating, name: w.name, size: size})
	}
	return rc
}

// syncFile asks nothing of the layer below: see the package's comment.
func syncFile(_ *libc.TLS, file uintptr, _ int32) int32 {
	w := lookUp(file)
	if rc := w.disk.refuses.Load(); rc != 0 {
		return rc
	}
	w.disk.add(step{kind: syncing, name: w.name})
	return sqlite3.SQLITE_OK
}

func remove(tls *libc.TLS, _, name uintptr, syncFolder int32) int32 {
	rc := call[deleteCall](layer.below.FxDelete)(tls, uintptr(unsafe.Pointer(layer.below)), name, 0)
	layer.mu.Lock()
	defer layer.mu.Unlock()
	if disk, base := place(name); disk != nil && rc == sqlite3.SQLITE_OK {
		disk.add(step{kind: removing, name: base, size: int64(syncFolder & 1)})
	}
	return rc
}

// place gives the disk of a file, or nil, and its name there. The layer is locked.
func place(name uintptr) (disk *Disk, base string) {
	folder, base := filepath.Split(libc.GoString(name))
	return layer.disks[filepath.Clean(folder)], base
}

func lookUp(file uintptr) watched {
	layer.mu.Lock()
	defer layer.mu.Unlock()
	return layer.files[file]
}

// at is what lies at an address outside of Go's memory.
func at[T any](address uintptr) *T { return *(**T)(unsafe.Pointer(&address)) }

// call gives the function at an address, as SQLite, which was translated from C, keeps
// them.
func call[F any](address uintptr) F { return *(*F)(unsafe.Pointer(&address)) }

// address is the inverse of call, for a function of the package.
func address[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }
