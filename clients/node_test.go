package clients_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"testing"
	"time"
)

// order is what a script is told to do.
type order map[string]any

// A worker is a script on Node that takes orders, one in a line, and works on all
// of them at once.
type worker struct {
	input  io.WriteCloser
	errors bytes.Buffer // to be read when the script is gone

	mu      sync.Mutex
	number  int
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

// hire starts a script. It stops with the test.
func hire(t *testing.T, script string) *worker {
	t.Helper()
	needNode(t)
	w := &worker{waiting: map[int]chan outcome{}, gone: make(chan struct{})}
	cmd := exec.Command("node", script)
	cmd.Stderr = &w.errors
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	w.input = input
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go w.listen(output)
	t.Cleanup(func() {
		input.Close()
		<-w.gone
		err := cmd.Wait()
		if err != nil || t.Failed() {
			t.Logf("%s: %v\n%s", script, err, w.errors.Bytes())
		}
	})
	return w
}

func (w *worker) listen(output io.Reader) {
	defer close(w.gone)
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
		w.mu.Lock()
		w.waiting[o.ID] <- o
		delete(w.waiting, o.ID)
		w.mu.Unlock()
	}
}

// patience is how long one order may take before the test fails.
const patience = time.Minute

// do has an order carried out, and decodes the result. It fails with a *refusal.
func (w *worker) do(ctx context.Context, what string, o order, into any) error {
	ctx, stop := context.WithTimeout(ctx, patience)
	defer stop()
	done := make(chan outcome, 1)
	w.mu.Lock()
	w.number++
	line := order{"id": w.number, "do": what}
	for name, value := range o {
		line[name] = value
	}
	w.waiting[w.number] = done
	raw, err := json.Marshal(line)
	if err == nil {
		_, err = w.input.Write(append(raw, '\n'))
	}
	w.mu.Unlock()
	if err != nil {
		return err
	}
	select {
	case got := <-done:
		if got.Error != nil {
			return got.Error
		}
		if into == nil {
			return nil
		}
		return json.Unmarshal(got.Result, into)
	case <-w.gone:
		return errors.New("the script is gone")
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
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
