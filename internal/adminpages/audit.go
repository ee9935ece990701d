package adminpages

import (
	"bytes"
	"cmp"
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// actions are the acts of the audit log in words. One that is missing here is shown
// by its name.
var actions = map[string]string{
	"approve": "approved", "deny": "refused", "unapprove": "took the approval back", "create": "made the account",
	"lock": "locked", "unlock": "unlocked", "suspend": "suspended", "unsuspend": "ended the suspension", "deactivate": "deactivated",
	"set_password": "set a password", "set_profile": "changed the profile", "grant_admin": "made an administrator",
	"revoke_admin": "took the administrator’s rights away", "delete_devices": "signed out sessions",
	"create_registration_token": "made a registration token", "update_registration_token": "changed a registration token",
	"delete_registration_token": "revoked a registration token",
}

// decisions are those that the history of decisions is about.
var decisions = []string{"approve", "deny", "unapprove"}

func shownEntries(entries []accounts.AuditEntry) []page.Entry {
	out := make([]page.Entry, len(entries))
	for i, e := range entries {
		action := actions[e.Action]
		if action == "" {
			action = e.Action
		}
		out[i] = page.Entry{ID: e.ID, Time: e.Time, Actor: e.Actor, Action: action, Target: e.Target, Details: inWords(e.Details)}
	}
	return out
}

// facts are what can be so of an act, where the name in the log says too little.
var facts = map[string]string{"erase": "and erased", "logout": "all sessions signed out"}

// inWords makes a sentence of the details of an act: a note as it was written, a word
// for each thing that is so, nothing for what is not or is zero, and the rest as
// "name: value".
func inWords(details jsontext.Value) string {
	var members map[string]any
	if json.Unmarshal(details, &members) != nil {
		return string(details)
	}
	var words []string
	for _, name := range slices.Sorted(maps.Keys(members)) {
		switch value := members[name].(type) {
		case nil:
		case float64:
			if value != 0 {
				words = append(words, strings.ReplaceAll(name, "_", " ")+": "+strconv.FormatFloat(value, 'f', -1, 64))
			}
		case bool:
			if value {
				words = append(words, cmp.Or(facts[name], strings.ReplaceAll(name, "_", " ")))
			}
		case []any:
			words = append(words, strings.ReplaceAll(name, "_", " ")+": "+listed(value))
		case string:
			if (name == "note" || name == "reason") && value != "" {
				words = append(words, "“"+value+"”")
			} else if value != "" {
				words = append(words, strings.ReplaceAll(name, "_", " ")+": "+value)
			}
		default:
			raw, err := json.Marshal(value)
			if err == nil {
				words = append(words, strings.ReplaceAll(name, "_", " ")+": "+string(raw))
			}
		}
	}
	return strings.Join(words, ", ")
}

// listed gives the texts of a list, and whatever else is in it as JSON.
func listed(values []any) string {
	texts := make([]string, 0, len(values))
	for _, value := range values {
		text, ok := value.(string)
		if raw, err := json.Marshal(value); !ok && err == nil {
			text = string(raw)
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

type showDecisionsRequest struct {
	Search string `query:"q"`
	Before int64  `query:"before"`
}

func (s *Service) showDecisions(ctx context.Context, call *httpapi.Call, req showDecisionsRequest) (httpapi.Reply, error) {
	v, reply, err := s.enter(ctx, call, visitor.At(decisionsPath, "q", req.Search))
	if v == nil {
		return reply, err
	}
	entries, next, err := s.search(ctx, accounts.AuditFilter{Target: req.Search, Actions: decisions, Before: req.Before})
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, page.Decisions{Entries: entries, Search: req.Search, Next: next, Earlier: req.Before > 0})
}

// search gives one page of lines, and the line that the next page is before: 0 at
// the end.
func (s *Service) search(ctx context.Context, f accounts.AuditFilter) (shown []page.Entry, next int64, err error) {
	f.Before = max(f.Before, 0)
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		entries, err := s.accounts.SearchAuditLog(tx, f, atOnce+1)
		entries, more := cut(entries, atOnce)
		if next = 0; more {
			next = entries[len(entries)-1].ID
		}
		shown = shownEntries(entries)
		return err
	})
	return shown, next, err
}

type showAuditRequest struct {
	Actor  string `query:"actor"`
	Target string `query:"target"`
	Action string `query:"action"`
	Before int64  `query:"before"`
	Check  string `query:"check"`
}

func (s *Service) showAudit(ctx context.Context, call *httpapi.Call, req showAuditRequest) (httpapi.Reply, error) {
	v, reply, err := s.enter(ctx, call, visitor.At(auditPath, "actor", req.Actor, "target", req.Target, "action", req.Action))
	if v == nil {
		return reply, err
	}
	p := page.Audit{Actor: req.Actor, Target: req.Target, Action: req.Action, Earlier: req.Before > 0, Checked: req.Check == "yes"}
	filter := accounts.AuditFilter{Actor: req.Actor, Target: req.Target, Before: req.Before}
	if req.Action != "" {
		filter.Actions = []string{req.Action}
	}
	for action, name := range actions {
		p.Actions = append(p.Actions, page.Choice{Value: action, Name: name, Chosen: action == req.Action})
	}
	slices.SortFunc(p.Actions, func(a, b page.Choice) int { return strings.Compare(a.Name, b.Name) })
	if p.Entries, p.Next, err = s.search(ctx, filter); err != nil {
		return httpapi.Reply{}, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		length, err := s.accounts.AuditLength(tx)
		p.Parts = parts(length)
		if err != nil || !p.Checked {
			return err
		}
		if broken := s.accounts.CheckAuditLog(tx); broken != nil {
			p.Broken = broken.Error()
		}
		return nil
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, p)
}

// linesAtOnce is how many lines one file has.
const linesAtOnce = 20_000

func parts(length int64) (out []page.Part) {
	for first := int64(1); first <= length; first += linesAtOnce {
		out = append(out, page.Part{First: first, Last: min(length, first+linesAtOnce-1)})
	}
	return out
}

type exportAuditRequest struct {
	After int64 `query:"after"`
}

// exportedLine is a line of the audit log as the file has it. The hash is over the
// fields in this order but for the hash itself; see accounts.AuditEntry.
type exportedLine struct {
	PrevHash string         `json:"prev_hash"` // hexadecimal, like the hash
	ID       int64          `json:"id"`
	TS       int64          `json:"ts"` // milliseconds
	Actor    string         `json:"actor"`
	Action   string         `json:"action"`
	Target   string         `json:"target"`
	Details  jsontext.Value `json:"details"`
	Hash     string         `json:"hash"`
}

// exportAudit answers a part of the audit log as lines of JSON.
func (s *Service) exportAudit(ctx context.Context, call *httpapi.Call, req exportAuditRequest) (httpapi.Reply, error) {
	v, reply, err := s.enter(ctx, call, auditPath)
	if v == nil {
		return reply, err
	}
	var lines []accounts.AuditEntry
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		lines, err = s.accounts.AuditLog(tx, max(req.After, 0), linesAtOnce)
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	var body bytes.Buffer
	for _, e := range lines {
		raw, err := json.Marshal(exportedLine{
			PrevHash: hex.EncodeToString(e.PrevHash), ID: e.ID, TS: e.Time.UnixMilli(), Actor: e.Actor, Action: e.Action,
			Target: e.Target, Details: e.Details, Hash: hex.EncodeToString(e.Hash),
		})
		if err != nil {
			return httpapi.Reply{}, err
		}
		body.Write(append(raw, '\n'))
	}
	name := fmt.Sprintf("audit-%s-after-%s.jsonl", call.Now.UTC().Format(time.DateOnly), strconv.FormatInt(max(req.After, 0), 10))
	return httpapi.Reply{Status: http.StatusOK, Body: body.Bytes(), Header: http.Header{
		"Content-Type": {"application/jsonl; charset=utf-8"}, "Content-Disposition": {`attachment; filename="` + name + `"`},
		"X-Content-Type-Options": {"nosniff"},
	}}, nil
}
