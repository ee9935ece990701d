package rooms_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// sesame is in all that an erased user wrote.
const sesame = "sesame"

// erase deactivates an account by its owner.
func erase(t *testing.T, user *apitest.Client, erase bool) {
	t.Helper()
	user.Do(t, "POST", "/_matrix/client/v3/account/deactivate", map[string]any{"erase": erase, "auth": map[string]any{
		"type": "m.login.password", "identifier": map[string]any{"type": "m.id.user", "user": user.UserID}, "password": apitest.Password,
	}}).OK(t, nil)
	user.Server.RunJobs(t)
}

// written is a room in which alice wrote the word into everything that has a place
// for it, and then went. The readers are all ways to get it.
type written struct {
	room    *apitest.Room
	readers map[string]string // path by name
}

func writes(t *testing.T, owner, alice *apitest.Client, visibility string) written {
	t.Helper()
	alice.Do(t, "PUT", "/_matrix/client/v3/profile/"+apitest.Escape(alice.UserID)+"/displayname", map[string]any{"displayname": sesame}).OK(t, nil)
	room := owner.CreateRoom(t, map[string]any{
		"preset":                       "public_chat",
		"power_level_content_override": map[string]any{"events": map[string]any{}, "state_default": 0, "redact": 0},
		"initial_state":                []any{map[string]any{"type": "m.room.history_visibility", "content": map[string]any{"history_visibility": visibility}}},
	}).Join(t, alice)
	text := func(relType string, parent id.EventID) map[string]any {
		content := map[string]any{"msgtype": "m.text", "body": sesame}
		if relType != "" {
			content["m.relates_to"] = map[string]any{"rel_type": relType, "event_id": parent}
		}
		if relType == "m.replace" {
			content["m.new_content"] = map[string]any{"msgtype": "m.text", "body": sesame}
		}
		return content
	}
	message := room.SendEvent(t, alice, "m.room.message", text("", ""))
	room.SendEvent(t, alice, "m.room.message", text("m.replace", message))
	root := room.Send(t, owner, "root")
	room.SendEvent(t, alice, "m.room.message", text("m.thread", root))
	redacted := room.Send(t, owner, "gone")
	alice.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(redacted)+"/"+apitest.TxnID()), map[string]any{"reason": sesame}).OK(t, nil)
	room.SetState(t, alice, "org.example.state", map[string]any{"word": sesame})
	topic := room.SetState(t, alice, "m.room.topic", map[string]any{"topic": sesame})
	room.SetState(t, alice, "m.room.name", map[string]any{"name": sesame})
	renamed := room.SetState(t, owner, "m.room.name", map[string]any{"name": "another"})
	v1 := "/_matrix/client/v1/rooms/" + apitest.Escape(room.ID)
	return written{room, map[string]string{
		"sync":               "/_matrix/client/v3/sync",
		"state_after":        "/_matrix/client/v3/sync?use_state_after=true&filter=" + url.QueryEscape(`{"room":{"timeline":{"limit":1}}}`),
		"lazy sync":          "/_matrix/client/v3/sync?filter=" + url.QueryEscape(`{"room":{"state":{"lazy_load_members":true}}}`),
		"messages":           room.Path("/messages?dir=b&limit=100"),
		"messages, forwards": room.Path("/messages?dir=f&limit=100"),
		"event":              room.Path("/event/" + apitest.Escape(message)),
		"bundled thread":     room.Path("/event/" + apitest.Escape(root)),
		"redacted_because":   room.Path("/event/" + apitest.Escape(redacted)),
		"prev_content":       room.Path("/event/" + apitest.Escape(renamed)),
		"context":            room.Path("/context/" + apitest.Escape(message)),
		"context around":     room.Path("/context/" + apitest.Escape(topic) + "?limit=2"),
		"relations":          v1 + "/relations/" + apitest.Escape(message) + "/m.replace",
		"relations, thread":  v1 + "/relations/" + apitest.Escape(root) + "/m.thread",
		"threads":            v1 + "/threads",
		"state":              room.Path("/state"),
		"one state event":    room.Path("/state/m.room.topic?format=event"),
		"content of state":   room.Path("/state/org.example.state"),
		"members":            room.Path("/members"),
	}}
}

func (w written) readBy(t *testing.T, as *apitest.Client, whole bool) {
	t.Helper()
	for name, path := range w.readers {
		body := string(as.Do(t, "GET", path, nil).OK(t, nil).Body)
		if strings.Contains(body, sesame) != whole {
			t.Errorf("%s by %s: the whole events, %v, are wanted; got %s", name, as.UserID, whole, body)
		}
	}
}

func TestAnErasedAccountIsHiddenFromNewcomers(t *testing.T) {
	srv := apitest.New(t)
	root := srv.Administrator(t, "root")
	for name, end := range map[string]func(*testing.T, *apitest.Client){
		"by-its-owner": func(t *testing.T, alice *apitest.Client) { erase(t, alice, true) },
		"by-an-administrator": func(t *testing.T, alice *apitest.Client) {
			root.Do(t, "POST", "/_synapse/admin/v1/deactivate/"+apitest.Escape(alice.UserID), map[string]any{"erase": true}).OK(t, nil)
			srv.RunJobs(t)
		},
		"after-it-was-deactivated": func(t *testing.T, alice *apitest.Client) {
			erase(t, alice, false)
			root.Do(t, "POST", "/_synapse/admin/v1/deactivate/"+apitest.Escape(alice.UserID), map[string]any{"erase": true}).OK(t, nil)
			srv.RunJobs(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			owner, alice := srv.User(t, name+"-owner"), srv.User(t, name+"-alice")
			early, changed, back, late := srv.User(t, name+"-early"), srv.User(t, name+"-changed"), srv.User(t, name+"-back"), srv.User(t, name+"-late")
			w := writes(t, owner, alice, "shared")
			w.room.Join(t, early, changed, back)
			end(t, alice)

			// A new profile is a join after the erasure, but nobody comes by it.
			changed.Do(t, "PUT", "/_matrix/client/v3/profile/"+apitest.Escape(changed.UserID)+"/displayname", map[string]any{"displayname": "Changed"}).OK(t, nil)
			srv.RunJobs(t)
			back.Do(t, "POST", w.room.Path("/leave"), map[string]any{}).OK(t, nil)
			w.room.Join(t, back, late)
			for _, as := range []*apitest.Client{owner, early, changed} {
				w.readBy(t, as, true)
			}
			w.readBy(t, back, false)
			w.readBy(t, late, false)
		})
	}
}

func TestADeactivatedAccountIsNotHidden(t *testing.T) {
	srv := apitest.New(t)
	owner, alice, late := srv.User(t, "owner"), srv.User(t, "alice"), srv.User(t, "late")
	w := writes(t, owner, alice, "shared")
	erase(t, alice, false)
	w.room.Join(t, late)
	w.readBy(t, late, true)
	alice.Do(t, "GET", w.room.Path("/state"), nil).Fails(t, srv, errcode.UnknownToken)
}

func TestWhoLeftBeforeAnErasureKeepsWhatTheySaw(t *testing.T) {
	srv := apitest.New(t)
	owner, alice, gone := srv.User(t, "owner"), srv.User(t, "alice"), srv.User(t, "gone")
	w := writes(t, owner, alice, "shared")
	w.room.Join(t, gone)
	gone.Do(t, "POST", w.room.Path("/leave"), map[string]any{}).OK(t, nil)
	erase(t, alice, true)
	if body := string(gone.Do(t, "GET", w.readers["messages"], nil).OK(t, nil).Body); !strings.Contains(body, sesame) {
		t.Errorf("what they saw is hidden: %s", body)
	}
}

func TestAnErasedAccountIsHiddenFromWhoLooksIn(t *testing.T) {
	srv := apitest.New(t)
	owner, alice, stranger := srv.User(t, "owner"), srv.User(t, "alice"), srv.User(t, "stranger")
	w := writes(t, owner, alice, "world_readable")
	for _, name := range []string{"messages", "event", "state", "content of state"} {
		if body := string(stranger.Do(t, "GET", w.readers[name], nil).OK(t, nil).Body); !strings.Contains(body, sesame) {
			t.Errorf("before: %s: got %s", name, body)
		}
	}
	erase(t, alice, true)
	for _, name := range []string{"messages", "event", "state", "content of state"} {
		if body := string(stranger.Do(t, "GET", w.readers[name], nil).OK(t, nil).Body); strings.Contains(body, sesame) {
			t.Errorf("after: %s: got %s", name, body)
		}
	}
}

// What a room works by is kept by the rules of redaction, or although they would
// take it.
func TestARoomOfAnErasedAccountWorks(t *testing.T) {
	srv := apitest.New(t)
	for _, version := range []string{"10", "11", "12"} {
		t.Run(version, func(t *testing.T) {
			alice, bob, late := srv.User(t, "alice"+version), srv.User(t, "bob"+version), srv.User(t, "late"+version)
			room := alice.CreateRoom(t, map[string]any{
				"preset": "public_chat", "name": sesame, "room_version": version, "creation_content": map[string]any{"type": "m.space"},
				"initial_state": []any{map[string]any{"type": "m.room.encryption", "content": map[string]any{"algorithm": "m.megolm.v1.aes-sha2"}}},
			}).Join(t, bob)
			erase(t, alice, true)
			room.Join(t, late)
			for _, c := range []struct{ path, has string }{
				{"/state/m.room.create", `"type":"m.space"`},
				{"/state/m.room.create", `"room_version":"` + version + `"`},
				{"/state/m.room.encryption", `"algorithm":"m.megolm.v1.aes-sha2"`},
				{"/state/m.room.join_rules", `"join_rule":"public"`},
				{"/state/m.room.history_visibility", `"history_visibility":"shared"`},
				{"/state/m.room.power_levels", `"state_default":50`},
				{"/state/m.room.member/" + apitest.Escape(alice.UserID), `"membership":"leave"`},
				{"/state/m.room.name", `{}`},
			} {
				if body := string(late.Do(t, "GET", room.Path(c.path), nil).OK(t, nil).Body); !strings.Contains(body, c.has) {
					t.Errorf("%s: got %s, want %s", c.path, body, c.has)
				}
			}
			room.Send(t, late, "here")
		})
	}
}

// TestAnErasedAccountIsHiddenAmongMany has more erased accounts than are read at once to
// find those of an answer's senders.
func TestAnErasedAccountIsHiddenAmongMany(t *testing.T) {
	srv := apitest.New(t)
	owner, zoe, late := srv.User(t, "owner"), srv.User(t, "zoe"), srv.User(t, "late")
	srv.Write(t, func(tx *db.Tx) error {
		for i := range 100 {
			if err := srv.App.Accounts.Insert(tx, accounts.Account{UserID: id.UserID(fmt.Sprintf("@erased%d:%s", i, srv.App.Config.ServerName))}); err != nil {
				return err
			}
		}
		_, err := tx.Exec(`UPDATE users SET erased_pos = 1 WHERE user_id LIKE '@erased%'`)
		return err
	})
	w := writes(t, owner, zoe, "shared")
	erase(t, zoe, true)
	w.room.Join(t, late)
	w.readBy(t, owner, true)
	w.readBy(t, late, false)
}
