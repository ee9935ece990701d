package adminpages_test

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
)

type line struct {
	PrevHash              string `json:"prev_hash"`
	ID, TS                int64
	Actor, Action, Target string
	Details               json.RawMessage
	Hash                  string
}

// exported gives the audit log as an administrator downloads it.
func exported(t *testing.T, srv *apitest.Server) (lines []line) {
	t.Helper()
	v := apitest.Surf(t, srv).SignIn(t, "root").Get(t, "/admin/audit/export")
	if v.Status != 200 || !strings.HasPrefix(v.Header.Get("Content-Disposition"), `attachment; filename="audit-`) ||
		!strings.HasPrefix(v.Header.Get("Content-Type"), "application/jsonl") || v.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", v.Status, v.Header)
	}
	for text := range strings.Lines(v.HTML) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		lines = append(lines, l)
	}
	return lines
}

func TestAudit(t *testing.T) {
	srv, root := begin(t)
	root.Get(t, "/admin/audit").Shows(t, 200, "No line is like that.").Without(t, "Lines 1 to")
	write(t, srv, func(tx *db.Tx) error {
		for i := range 53 {
			if err := srv.App.Accounts.Audit(tx, "@root:narthex.test", "lock", fmt.Sprintf("@u%02d:narthex.test", i), object{}); err != nil {
				return err
			}
		}
		if err := srv.App.Accounts.Audit(tx, "command line", "invented", "@alice:narthex.test", object{"note": "“<b>”", "release_localpart": true, "n": 5}); err != nil {
			return err
		}
		return srv.App.Accounts.Audit(tx, "server", "deny", "@bob:narthex.test", object{"reason": "not approved in time", "none": nil, "logout": true, "devices": []any{"A", "B", 5}})
	})
	v := root.Get(t, "/admin/audit").Shows(t, 200, "Older", "@u52:", "@u05:", "invented", "n: 5, ““<b>””, release localpart", "devices: A, B, 5, all sessions signed out, “not approved in time”", "Lines 1 to 55").Without(t, "@u04:", "The newest", "<b>”")
	if strings.Index(v.Text, "@bob:") > strings.Index(v.Text, "@u52:") {
		t.Error("the newest is not on top")
	}
	root.Get(t, "/admin/audit?before=6").Shows(t, 200, "@u04:", "@u00:", "The newest").Without(t, "@u05:", ">Older<")
	root.Get(t, "/admin/audit?actor=COMMAND").Shows(t, 200, "@alice:").Without(t, "@bob:", "@u52:")
	root.Get(t, "/admin/audit?target=u4").Shows(t, 200, "@u40:", "@u49:").Without(t, "@u50:", "@alice:")
	root.Get(t, "/admin/audit?action=deny").Shows(t, 200, "@bob:").Without(t, "@u52:", "@alice:")
	root.Get(t, "/admin/audit?action=nothing").Shows(t, 200, "No line is like that.")
	root.Get(t, "/admin/audit?before=-1").Shows(t, 200, "@bob:")
	root.Get(t, "/admin/audit?before=x").Shows(t, 400)
	root.Get(t, "/admin/audit/export?after=x").Shows(t, 400)
	if v := root.Get(t, "/admin/audit/export?after=54"); strings.Count(v.HTML, "\n") != 1 {
		t.Errorf("got %q", v.HTML)
	}
}

// TestTheFileCanBeChecked follows the hashes of the file, as its reader would.
func TestTheFileCanBeChecked(t *testing.T) {
	srv, root := begin(t)
	for range 3 {
		root.Get(t, newToken)
		root.Post(t, newToken, form())
	}
	last := ""
	lines := exported(t, srv)
	for _, l := range lines {
		prev, err := hex.DecodeString(l.PrevHash)
		if err != nil || l.PrevHash != last {
			t.Errorf("line %d follows %q, not %q: %v", l.ID, l.PrevHash, last, err)
		}
		h := sha256.New()
		for _, field := range [][]byte{prev, fmt.Append(nil, l.ID), fmt.Append(nil, l.TS), []byte(l.Actor), []byte(l.Action), []byte(l.Target), l.Details} {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
			h.Write(field)
		}
		if hex.EncodeToString(h.Sum(nil)) != l.Hash {
			t.Errorf("line %d has another hash", l.ID)
		}
		last = l.Hash
	}
	if len(lines) != 3 {
		t.Errorf("%d lines", len(lines))
	}
}

func TestChain(t *testing.T) {
	srv, root := begin(t)
	root.Get(t, newToken)
	root.Post(t, newToken, form("token", "friends"))
	root.Get(t, "/admin/audit").Shows(t, 200).Without(t, "The chain of hashes")
	root.Get(t, "/admin/audit?check=yes").Shows(t, 200, "The chain of hashes is whole")
	write(t, srv, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE audit_log SET actor = $1`, "@mallory:narthex.test")
		return err
	})
	root.Get(t, "/admin/audit?check=yes").Shows(t, 200, "The chain of hashes is broken: the audit log was changed at or before line 1.")
}
