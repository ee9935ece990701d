package archtest

import (
	"database/sql"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/db"
)

// costly are steps of a plan whose cost grows with all that the server keeps, or
// with a whole room where a key would do.
var costly = regexp.MustCompile(`^SCAN (users|devices|access_tokens|refresh_tokens|events|rooms|room_state|room_members|account_data|receipts|profile_fields|[a-z]{1,2})\b` +
	`|AUTOMATIC|USING INDEX (room_state_from|events_ts) \(room_id=\?\)`)

// walks lists the files whose statements may do that.
var walks = map[string]string{
	"internal/accounts/administrators.go": "looks for one administrator when the server starts",
	"internal/accounts/listing.go":        "counts registrations for an administrator",
	"internal/accounts/user_listing.go":   "searches accounts for an administrator",
	"internal/accounts/waiting.go":        "counts who waits, and finds the administrators, once an hour",
	"internal/oauth/oauth.go":             "sweeps what has run out, in a job",
	"internal/rooms/directory.go":         "searches people by a part of their name, and lists the published rooms",
	"internal/rooms/overview.go":          "lists rooms for an administrator",
}

// A list of one is planned otherwise than a list of several.
var (
	oneMark = regexp.MustCompile(`IN \((\$\d+)\)`)
	onePair = regexp.MustCompile(`\(VALUES (\(\$\d+,\$\d+\))\)`)
)

// TestPlansDoNotWalk holds that statements find their rows by an index, with SQLite
// knowing nothing of the tables' sizes.
func TestPlansDoNotWalk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "narthex.db")
	migrated(t, file)
	pool, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	plan := func(text string) (steps []string) {
		text = onePair.ReplaceAllString(oneMark.ReplaceAllString(text, "IN ($1,$1,$1,$1)"), "(VALUES $1,$1,$1,$1)")
		rows, err := pool.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+text, make([]any, placeholders(text))...)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		defer rows.Close()
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			steps = append(steps, step)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return steps
	}
	found, _ := open(t).statements()
	for _, s := range found {
		fileOf, _, _ := strings.Cut(s.at, ":")
		first, _, _ := strings.Cut(strings.TrimSpace(s.text), " ")
		if !speaks(db.SQLite, s.text) || walks[fileOf] != "" || !strings.Contains(" SELECT WITH UPDATE DELETE ", " "+first+" ") {
			continue
		}
		for _, step := range plan(s.text) {
			if costly.MatchString(step) && !isListOfKeys(step, s.text) {
				t.Errorf("%s: %s\n%s", s.at, step, s.text)
			}
		}
	}
	if steps := plan(`SELECT * FROM events WHERE sender = $1 AND type = 'x'`); !costly.MatchString(strings.Join(steps, "\n")) && !strings.Contains(steps[0], "events_txn") {
		t.Errorf("the test has gone blind: %q", steps)
	}
}

// isListOfKeys reports whether a step reads the keys that the statement itself
// brings: VALUES, or what a recursive part has found.
func isListOfKeys(step, text string) bool {
	name, _, _ := strings.Cut(strings.TrimPrefix(step, "SCAN "), " ")
	return strings.Contains(text, ") AS "+name) || strings.Contains(text, "FROM related "+name)
}
