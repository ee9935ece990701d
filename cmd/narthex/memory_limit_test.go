package main

import (
	"testing"
	"testing/fstest"
)

func TestTheMemoryThatTheSystemGives(t *testing.T) {
	const (
		own = "proc/self/cgroup"
		v2  = "sys/fs/cgroup/"
		v1  = "sys/fs/cgroup/memory/"
	)
	for _, c := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no control groups", nil, 0},
		{"a container", map[string]string{own: "0::/\n", v2 + "memory.max": "268435456\n"}, 268435456},
		{"a service", map[string]string{own: "0::/system.slice/narthex.service\n", v2 + "system.slice/narthex.service/memory.max": "1000000000\n"}, 1000000000},
		{"less for a group above", map[string]string{own: "0::/a/b\n", v2 + "a/b/memory.max": "500000000\n", v2 + "a/memory.max": "400000000\n"}, 400000000},
		{"a limit above alone", map[string]string{own: "0::/a/b\n", v2 + "a/b/memory.max": "max\n", v2 + "a/memory.max": "400000000\n"}, 400000000},
		{"no limit", map[string]string{own: "0::/a\n", v2 + "a/memory.max": "max\n"}, 0},
		{"a group that cannot be seen", map[string]string{own: "0::/../other\n", v2 + "memory.max": "300000000\n"}, 300000000},
		{"version 1", map[string]string{own: "12:pids:/x\n5:cpu,memory:/docker/x\n1:name=systemd:/x\n", v1 + "docker/x/memory.limit_in_bytes": "134217728\n"}, 134217728},
		{"version 1 in a container", map[string]string{own: "5:memory:/docker/x\n", v1 + "memory.limit_in_bytes": "134217728\n"}, 134217728},
		{"version 1 without a limit", map[string]string{own: "5:memory:/\n", v1 + "memory.limit_in_bytes": "9223372036854771712\n"}, 0},
		{"both versions", map[string]string{own: "5:memory:/x\n0::/x\n", v1 + "x/memory.limit_in_bytes": "134217728\n", v2 + "x/memory.max": "max\n"}, 134217728},
		{"another controller", map[string]string{own: "5:memory_of_others:/x\n", v1 + "x/memory.limit_in_bytes": "134217728\n"}, 0},
		{"malformed groups", map[string]string{own: "memory\n\n0:\n", v2 + "memory.max": "1\n"}, 0},
		{"a malformed limit", map[string]string{own: "0::/\n", v2 + "memory.max": "much\n"}, 0},
		{"a negative limit", map[string]string{own: "0::/\n", v2 + "memory.max": "-1\n"}, 0},
		{"zero", map[string]string{own: "0::/\n", v2 + "memory.max": "0\n"}, 0},
		{"empty", map[string]string{own: "0::/\n", v2 + "memory.max": ""}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := fstest.MapFS{}
			for name, text := range c.files {
				root[name] = &fstest.MapFile{Data: []byte(text)}
			}
			if got := memoryGiven(root); got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
}
