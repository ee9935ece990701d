package powerloss

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// sector is the unit in which a disk keeps or loses a write, in bytes.
const sector = 512

type kind int

const (
	writing kind = iota
	truncating
	syncing
	removing // synced at once if size is 1: SQLite syncs the folder, too
	marking
)

// step is one entry of a disk's history.
type step struct {
	kind kind
	name string // of the file in the folder, or what was marked
	at   int64  // where a write begins
	size int64
	data []byte
}

// Disk is a watched folder and its history. It is safe for concurrent use.
type Disk struct {
	folder string

	refuses atomic.Int32 // see Refuse

	mu    sync.Mutex
	first map[string][]byte // what the folder held when the watch began
	steps []step
}

func newDisk(folder string) (*Disk, error) {
	d := &Disk{folder: folder, first: map[string][]byte{}}
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if d.first[f.Name()], err = os.ReadFile(filepath.Join(folder, f.Name())); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func (d *Disk) add(s step) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.steps = append(d.steps, s)
}

// Refuse has every write, truncation and sync fail from now on with a result code of
// SQLite, as they do on a disk that is full (SQLITE_FULL) or broken
// (SQLITE_IOERR_WRITE). With 0 the disk works again.
func (d *Disk) Refuse(code int) { d.refuses.Store(int32(code)) }

// Mark puts something that the test has seen into the history, such as the answer to
// a request.
func (d *Disk) Mark(seen string) { d.add(step{kind: marking, name: seen}) }

// Len is the length of the history.
func (d *Disk) Len() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.steps)
}

// Syncs counts the syncs in the history.
func (d *Disk) Syncs() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.steps {
		if s.kind == syncing {
			n++
		}
	}
	return n
}

// Image is what a disk may hold after a cut.
type Image struct {
	Files map[string][]byte
	// Seen is what was marked before the cut, in its order.
	Seen []string
	// Unsynced is how many changes before the cut had not been synced.
	Unsynced int
}

// Write makes the image's files in a folder.
func (i Image) Write(folder string) error {
	for name, data := range i.Files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Cut gives what the disk may hold if the power goes after the first n entries of the
// history. The function pick chooses a number from 0 to below its argument; it decides
// what becomes of each change that was not synced.
func (d *Disk) Cut(n int, pick func(n int) int) Image {
	d.mu.Lock()
	steps := d.steps[:n:n]
	d.mu.Unlock()
	image := Image{Files: map[string][]byte{}}
	for name, data := range d.first {
		image.Files[name] = bytes.Clone(data)
	}
	var open []step // not synced, in their order
	for _, s := range steps {
		switch {
		case s.kind == marking:
			image.Seen = append(image.Seen, s.name)
		case s.kind == syncing:
			open = image.sync(open, s.name)
		case s.kind == removing && s.size == 1:
			open = image.sync(open, s.name)
			delete(image.Files, s.name)
		default:
			open = append(open, s)
		}
	}
	image.Unsynced = len(open)
	image.survive(open, pick)
	return image
}

// sync makes the changes of one file last, and gives those of the others.
func (i *Image) sync(open []step, name string) (rest []step) {
	rest = open[:0]
	for _, s := range open {
		if s.name == name {
			i.apply(s)
		} else {
			rest = append(rest, s)
		}
	}
	return rest
}

// apply makes a change.
func (i *Image) apply(s step) {
	file := i.Files[s.name]
	switch s.kind {
	case writing:
		file = grown(file, s.at+int64(len(s.data)))
		copy(file[s.at:], s.data)
	case truncating:
		file = grown(file, s.size)[:s.size]
	case removing:
		delete(i.Files, s.name)
		return
	}
	i.Files[s.name] = file
}
