package main

import (
	"os"
	"os/exec"
	"regexp"
	"syscall"
	"testing"
)

// process is a server in a process of its own, which can be killed.
type process struct {
	url   string
	out   *buffer
	cmd   *exec.Cmd
	ended chan struct{}
}

// spawn starts a server for development on a folder of data, with more in its environment.
func spawn(t *testing.T, data string, environment ...string) *process {
	t.Helper()
	return launch(t, development(data), environment...)
}

// development is the command line of a server that anybody may register on.
func development(data string) []string {
	return []string{"--dev", "--data", data, "--listen", "127.0.0.1:0"}
}

// launch starts a server by its command line.
func launch(t *testing.T, args []string, environment ...string) *process {
	t.Helper()
	p, listens := begin(t, "narthex", args, environment...)
	if !listens {
		t.Fatalf("serve ended with %d: %s", p.cmd.ProcessState.ExitCode(), p.out)
	}
	return p
}

// begin starts a program as a server, and reports whether it has lived to listen.
func begin(t *testing.T, program string, args []string, environment ...string) (p *process, listens bool) {
	t.Helper()
	p = &process{cmd: exec.Command(program, append([]string{"serve"}, args...)...), out: &buffer{more: make(chan struct{}, 1)}, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.Env = append(os.Environ(), environment...)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.cmd.Wait(); close(p.ended) }() // it may be killed
	t.Cleanup(p.end)
	p.url, listens = p.out.listens(p.ended)
	return p, listens
}

var listensOn = regexp.MustCompile(`listens on (http://\S+)`)

// listens waits until a server says in its output where it listens, or ends without.
func (b *buffer) listens(ended <-chan struct{}) (url string, ok bool) {
	for {
		if m := listensOn.FindStringSubmatch(b.String()); m != nil {
			return m[1], true
		}
		select {
		case <-b.more:
		case <-ended:
			return "", false
		}
	}
}

// kill ends the process as a power cut would.
func (p *process) kill() { _ = p.cmd.Process.Kill() } // it may have ended

// end kills the process and waits until it is gone.
func (p *process) end() {
	p.kill()
	<-p.ended
}

// stop ends the process as an operator would, and gives its exit code.
func (p *process) stop() int {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	<-p.ended
	return p.cmd.ProcessState.ExitCode()
}
