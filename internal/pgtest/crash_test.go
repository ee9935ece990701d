package pgtest

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestCrash holds that a crash ends connections, and that what was committed, and
// nothing else, is there afterwards.
func TestCrash(t *testing.T) {
	s := StartFor(t)
	url := s.DatabaseFor(t, "") + "&synchronous_commit=on"
	fill(t, url)
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	for _, sql := range []string{"INSERT INTO fruit VALUES ('quince')", "BEGIN", "DELETE FROM fruit"} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // of which the second has nothing to end
		if err := s.Crash(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Exec(ctx, "COMMIT"); err == nil {
		t.Error("a connection outlived the crash")
	}
	if _, err := query(url, "SELECT 'here'"); err == nil {
		t.Error("a database answers after the crash")
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	if got, err := query(url, "SELECT string_agg(name, ' ' ORDER BY name) FROM fruit"); err != nil || got != "pear quince" {
		t.Errorf("after the crash: got %q, %v", got, err)
	}
}
