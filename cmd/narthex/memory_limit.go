package main

import (
	"io/fs"
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// limitMemory has the garbage collector run more often when the memory that the system
// gives to this process runs out, unless GOMEMLIMIT says how much that is. It gives the
// limit in bytes, or 0.
func limitMemory() int64 {
	given := memoryGiven(os.DirFS("/"))
	if given == 0 || os.Getenv("GOMEMLIMIT") != "" {
		return 0
	}
	limit := given / 10 * 9               // the rest is for SQLite's pages, which the collector does not see
	debug.SetMemoryLimit(limit + ballast) // which it counts
	return limit
}

// memoryGiven is how much memory the control groups of this process allow, in bytes, and
// 0 if they allow any. A group cannot have more than those above it, and a container may
// see its own group as the uppermost.
func memoryGiven(root fs.FS) int64 {
	groups, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0
	}
	least := int64(math.MaxInt64)
	for line := range strings.Lines(string(groups)) {
		// Of version 2: "0::/group". Of version 1: "5:cpu,memory:/group".
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, found := strings.Cut(rest, ":")
		if !found {
			continue
		}
		dir, file := "sys/fs/cgroup", "memory.max"
		if controllers != "" {
			dir, file = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
			if !strings.Contains(","+controllers+",", ",memory,") {
				continue
			}
		}
		for group = path.Join("/", group); ; group = path.Dir(group) {
			text, err := fs.ReadFile(root, path.Join(dir, group, file))
			limit, malformed := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" is none
			if err == nil && malformed == nil && limit > 0 {
				least = min(least, limit)
			}
			if group == "/" {
				break
			}
		}
	}
	if least >= 1<<60 { // how version 1 says that there is none
		return 0
	}
	return least
}
