package dbtest

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// Log keeps what is logged, for tests that look into it.
type Log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write adds to the log.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

// String is everything logged so far.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// Logger logs here, at every level.
func (l *Log) Logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// Check fails the test if something panicked, or if a token or one of the secrets
// was logged.
func (l *Log) Check(t testing.TB, secrets ...string) {
	t.Helper()
	log := l.String()
	if strings.Contains(log, "panic:") {
		t.Error("something panicked:\n" + log)
	}
	for _, planted := range append(secrets, "nxt_a_", "nxt_r_", "nxt_l_", "nxt_o_", "nxt_c_", "nxt_d_", "nxt_b_", "nxt_s_", "nxt_i_") {
		if strings.Contains(log, planted) {
			t.Errorf("a secret was logged (%s…):\n%s", planted, log)
		}
	}
}
