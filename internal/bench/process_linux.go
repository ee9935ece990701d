package bench

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// tick is the unit of times in /proc, USER_HZ, the same on all systems that Go has.
const tick = 10 * time.Millisecond

// cpu is the time that a process and its living descendants have computed, and its
// children that have ended.
func cpu(pid int) (sum time.Duration) {
	if pid == 0 {
		return 0
	}
	for _, one := range family(pid) {
		sum += processClock(one.pid) + one.ended
	}
	return sum
}

// processClock reads the CPU clock of a process, to the nanosecond and without the
// rounding of /proc: clock_getcpuclockid(3) says how its number is made.
func processClock(pid int) time.Duration {
	const scheduled = 2 // CPUCLOCK_SCHED, of the whole process
	clock := ^pid<<3 | scheduled
	var t syscall.Timespec
	if _, _, failed := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&t)), 0); failed != 0 {
		return 0 // it has ended
	}
	return time.Duration(t.Nano())
}

// process is a line of /proc/PID/stat, as far as it is of use here.
type process struct {
	pid, parent int
	ended       time.Duration // computed by its children that have ended
}

func stat(pid int) (p process, ok bool) {
	raw, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return p, false
	}
	// The second field is the name, in parentheses, and may hold anything.
	fields := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(fields) < 15 {
		return p, false
	}
	number := func(field string) int { n, _ := strconv.Atoi(field); return n }
	return process{pid: pid, parent: number(fields[1]), ended: time.Duration(number(fields[13])+number(fields[14])) * tick}, true
}

// family is the process and its living descendants.
func family(pid int) []process {
	children := map[int][]process{}
	entries, _ := os.ReadDir("/proc") // without it there is nothing to find
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil {
			if p, ok := stat(n); ok {
				children[p.parent] = append(children[p.parent], p)
			}
		}
	}
	first, ok := stat(pid)
	if !ok {
		return nil
	}
	all := []process{first}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i].pid]...)
	}
	return all
}

// resident is the memory of a process, in bytes.
func resident(pid int) int64 { return procNumber(pid, "status", "VmRSS") * 1024 }

// written is what a process and its descendants handed to the disk, in bytes. It is
// 0 for processes of other users, unless this one may see everything.
func written(pid int) (sum int64) {
	if pid == 0 {
		return 0
	}
	for _, one := range family(pid) {
		sum += procNumber(one.pid, "io", "write_bytes")
	}
	return sum
}

// procNumber reads a line such as "VmRSS:  1234 kB", without its unit.
func procNumber(pid int, file, name string) int64 {
	raw, _ := os.ReadFile(procFile(pid, file)) // an ended process has no numbers
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			if words := strings.Fields(rest); len(words) > 0 {
				n, _ := strconv.ParseInt(words[0], 10, 64)
				return n
			}
		}
	}
	return 0
}

func procFile(pid int, name string) string { return "/proc/" + strconv.Itoa(pid) + "/" + name }

// machineCPU is the time that all cores have computed.
func machineCPU() (sum time.Duration) {
	raw, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(raw), "\n")
	for i, field := range strings.Fields(line) {
		switch i {
		case 1, 2, 3, 6, 7: // user, nice, system, irq, softirq
			n, _ := strconv.ParseInt(field, 10, 64)
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// alive reports whether there is such a process.
func alive(pid int) bool { _, ok := stat(pid); return ok }
