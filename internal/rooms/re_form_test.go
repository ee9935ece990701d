package rooms_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestWireForms(t *testing.T) {
	want := map[string]map[string]map[string]any{
		"unstable": {
			"not joined":     {"errcode": "M_FORBIDDEN", "org.matrix.msc3848.unstable.errcode": "ORG.MATRIX.MSC3848.NOT_JOINED"},
			"already joined": {"errcode": "M_FORBIDDEN", "org.matrix.msc3848.unstable.errcode": "ORG.MATRIX.MSC3848.ALREADY_JOINED"},
			"power":          {"errcode": "M_FORBIDDEN", "org.matrix.msc3848.unstable.errcode": "ORG.MATRIX.MSC3848.INSUFFICIENT_POWER"},
			"other":          {"errcode": "M_FORBIDDEN"},
		},
		"stable": {
			"not joined": {"errcode": "M_NOT_JOINED"}, "already joined": {"errcode": "M_ALREADY_JOINED"},
			"power": {"errcode": "M_INSUFFICIENT_POWER"}, "other": {"errcode": "M_FORBIDDEN"},
		},
		"off": {
			"not joined": {"errcode": "M_FORBIDDEN"}, "already joined": {"errcode": "M_FORBIDDEN"},
			"power": {"errcode": "M_FORBIDDEN"}, "other": {"errcode": "M_FORBIDDEN"},
		},
	}
	for _, mode := range modes {
		srv := apitest.New(t, func(cfg *config.Config) { cfg.MSC3848.Mode = mode })
		h := newHouse(t, srv)
		answers := map[string]*apitest.Response{
			"not joined":     h.act(t, h.stranger, "invite", h.newcomer),
			"already joined": h.act(t, h.member, "invite", h.moderator),
			"power":          h.act(t, h.member, "invite", h.newcomer),
			"other":          h.act(t, h.member, "invite", h.banned),
		}
		for what, r := range answers {
			t.Run("RE-1 RE-3 RE-5 "+mode+", "+what, func(t *testing.T) {
				var got map[string]any
				if err := json.Unmarshal(r.Body, &got); err != nil || r.Status != 403 {
					t.Fatalf("got %d %s, want 403", r.Status, r.Body)
				}
				if text, _ := got["error"].(string); !strings.HasSuffix(text, ".") {
					t.Errorf("the text is %q, want a sentence", text)
				}
				delete(got, "error")
				if diff := cmp.Diff(want[mode][what], got); diff != "" {
					t.Errorf("the body differs (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestStrangersLearnNothing asks for everything that needs membership, of a room
// that exists and one that does not. But for the ids the answers are one.
func TestStrangersLearnNothing(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		event := apitest.Escape(h.Send(t, h.creator, "x"))
		member := user(h.member)
		for _, c := range []struct {
			method, path string
			body         any
		}{
			{"POST", "/invite", member}, {"POST", "/invite", user(h.banned)}, {"POST", "/invite", user(h.newcomer)},
			{"POST", "/invite", `{"user_id":"@ghost:narthex.test"}`},
			{"POST", "/invite", map[string]any{"medium": "email", "address": "a@b.c", "id_server": "x", "id_access_token": "y"}},
			{"POST", "/kick", member}, {"POST", "/kick", user(h.left)}, {"POST", "/ban", member}, {"POST", "/ban", user(h.banned)},
			{"POST", "/unban", member}, {"POST", "/unban", user(h.banned)}, {"POST", "/leave", nil}, {"POST", "/forget", nil},
			{"PUT", "/send/m.room.message/1", `{"body":"x"}`}, {"PUT", "/send/m.room.redaction/1", `{"redacts":"$x"}`},
			{"PUT", "/redact/" + event + "/1", nil}, {"PUT", "/redact/$unknown/1", nil},
			{"PUT", "/state/m.room.name", `{"name":"x"}`}, {"PUT", "/state/m.room.name/", `{"name":"x"}`}, {"PUT", "/state/m.room.create", `{}`},
			{"PUT", "/state/m.room.canonical_alias", `{"alias":"#nowhere:narthex.test"}`}, {"PUT", "/state/m.room.power_levels", `{"ban":"x"}`},
			{"PUT", "/state/org.example/@other:narthex.test", `{}`}, {"PUT", "/state/m.room.redaction/x", `{}`},
			{"PUT", "/state/m.room.member/" + apitest.Escape(h.member.UserID), membership("join")},
			{"PUT", "/state/m.room.member/" + apitest.Escape(h.member.UserID), membership("invite")},
			{"PUT", "/state/m.room.member/" + apitest.Escape(h.member.UserID), membership("leave")},
			{"PUT", "/state/m.room.member/" + apitest.Escape(h.banned.UserID), membership("leave")},
			{"PUT", "/state/m.room.member/" + apitest.Escape(h.member.UserID), membership("ban")},
			{"PUT", "/state/m.room.member/" + apitest.Escape(h.stranger.UserID), membership("leave")},
			{"POST", "/upgrade", `{"new_version":"12"}`},
			{"GET", "/state", nil}, {"GET", "/state/m.room.create", nil}, {"GET", "/state/org.example", nil}, {"GET", "/state/m.room.create/x", nil},
			{"GET", "/members", nil}, {"GET", "/joined_members", nil}, {"GET", "/aliases", nil},
		} {
			known := h.stranger.Do(t, c.method, h.Path(c.path), c.body).Fails(t, srv, errcode.NotJoined)
			unknown := h.stranger.Do(t, c.method, roomPath(nowhere)+c.path, c.body).Fails(t, srv, errcode.NotJoined)
			t.Run("RE-7 RE-8 "+c.method+" "+c.path, func(t *testing.T) {
				got := strings.ReplaceAll(string(known.Body), string(h.ID), string(nowhere))
				if got != string(unknown.Body) {
					t.Errorf("of a room that exists:\n%s\nand of one that does not:\n%s", got, unknown.Body)
				}
			})
		}
		set := func(room any) string {
			return string(h.stranger.Do(t, "PUT", alias("#mine:narthex.test"), map[string]any{"room_id": room}).Fails(t, srv, errcode.NotJoined).Body)
		}
		t.Run("RE-7 setting an alias", func(t *testing.T) {
			if got := strings.ReplaceAll(set(h.ID), string(h.ID), string(nowhere)); got != set(nowhere) {
				t.Errorf("of a room that exists: %s, and of one that does not: %s", got, set(nowhere))
			}
		})
	})
}
