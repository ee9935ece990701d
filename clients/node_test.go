package clients_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/dbtest"
)

// order is what a script is told to do.
type order map[string]any

// A worker is a script that carries out orders, all of them at once.
type worker struct {
	number atomic.Int64
	carry  func(ctx context.Context, number int, line []byte) (outcome, error)
}

// process is a script on Node that takes orders, one in a line.
type process struct {
	input   io.WriteCloser
	errors  bytes.Buffer // to be read when the script is gone
	mu      sync.Mutex
	waiting map[int]chan outcome
	gone    chan struct{}
}

type outcome struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *refusal        `json:"error"`
}

// A refusal is an exception of the script. Reason is the code that it carried.
type refusal struct {
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

func (r *refusal) Error() string { return r.Text }

// hire starts a script on Node. It stops with the test.
func hire(t *testing.T, script string) *worker {
	t.Helper()
	dbtest.SQLiteAlone(t, "what a device says to another does not depend on the database")
	needNode(t)
	p := &process{waiting: map[int]chan outcome{}, gone: make(chan struct{})}
	cmd := exec.Command("node", script)
	cmd.Stderr = &p.errors
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.input, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.listen(output)
	t.Cleanup(func() {
		p.input.Close()
		<-p.gone
		err := cmd.Wait()
		if err != nil || t.Failed() {
			t.Logf("%s: %v\n%s", script, err, p.errors.Bytes())
		}
	})
	return &worker{carry: p.carry}
}

func (p *process) listen(output io.Reader) {
	defer close(p.gone)
	lines := bufio.NewReader(output)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var o outcome
		if json.Unmarshal(line, &o) != nil {
			continue
		}
		p.mu.Lock()
		if done := p.waiting[o.ID]; done != nil {
			done <- o
			delete(p.waiting, o.ID)
		}
		p.mu.Unlock()
	}
}

func (p *process) carry(ctx context.Context, number int, line []byte) (outcome, error) {
	done := make(chan outcome, 1)
	p.mu.Lock()
	p.waiting[number] = done
	_, err := p.input.Write(append(line, '\n'))
	p.mu.Unlock()
	if err != nil {
		return outcome{}, err
	}
	select {
	case got := <-done:
		return got, nil
	case <-p.gone:
		return outcome{}, errors.New("the script is gone")
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	}
}

// patience is how long one order may take before the test fails.
const patience = time.Minute

// do has an order carried out, and decodes the result. It fails with a *refusal.
func (w *worker) do(ctx context.Context, what string, o order, into any) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	line := maps.Clone(o)
	number := int(w.number.Add(1))
	line["id"], line["do"] = number, what
	raw, err := json.Marshal(line)
	if err != nil {
		return err
	}
	got, err := w.carry(ctx, number, raw)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case got.Error != nil:
		return got.Error
	case into == nil:
		return nil
	}
	return json.Unmarshal(got.Result, into)
}

// must is do for an order that is to succeed.
func (w *worker) must(t *testing.T, what string, o order, into any) {
	t.Helper()
	if err := w.do(t.Context(), what, o, into); err != nil {
		t.Fatal(err)
	}
}

// refuses gives an order that is to fail for a reason.
func (w *worker) refuses(t *testing.T, reason, what string, o order) {
	t.Helper()
	isRefusal(t, w.do(t.Context(), what, o, nil), reason)
}

func isRefusal(t *testing.T, err error, reason string) {
	t.Helper()
	if r, ok := errors.AsType[*refusal](err); !ok || r.Reason != reason {
		t.Errorf("it ends with %v, and not for the reason %s", err, reason)
	}
}
