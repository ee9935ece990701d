package app_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/db/powerloss"
	"github.com/narthex-matrix/narthex/internal/dbtest"
	"github.com/narthex-matrix/narthex/internal/id"
)

// durably starts a server on a folder that syncs what it commits, and gives what ends
// it.
func durably(t *testing.T, folder string) (s *apitest.Server, end func()) {
	t.Helper()
	cfg := config.Default()
	cfg.ServerName, cfg.Dev, cfg.Data = string(apitest.ServerName), true, folder
	cfg.RateLimits.Enabled = false
	s = &apitest.Server{Log: &dbtest.Log{}}
	a, err := app.Open(t.Context(), cfg, app.Seams{Now: time.Now, Log: s.Logger()})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(a)
	s.App, s.URL = a, web.URL
	return s, func() {
		web.Close()
		a.Close()
	}
}

// onSQLite skips a test of what only SQLite has.
func onSQLite(t *testing.T) {
	t.Helper()
	if apitest.New(t).App.DB.Dialect() != db.SQLite {
		t.Skip("this is about SQLite's files")
	}
}

// speaker sends one message after the other into a room.
type speaker struct {
	*apitest.Client
	room string
}

func (s speaker) say(t *testing.T, n int) (eventID string, err error) {
	text := fmt.Sprintf("%s %d", s.UserID, n)
	resp, err := s.Try(t.Context(), "PUT", fmt.Sprintf("%s/rooms/%s/send/m.room.message/txn%d", v3, s.room, n), object{"msgtype": "m.text", "body": text})
	if err != nil {
		return "", err
	}
	if resp.Status != 200 {
		return "", fmt.Errorf("%d %s", resp.Status, resp.Body)
	}
	return eventOf(resp.Body), nil
}

func eventOf(body []byte) string {
	_, rest, _ := strings.Cut(string(body), `"event_id":"`)
	eventID, _, _ := strings.Cut(rest, `"`)
	return eventID
}

// history gives the text of each message in a room, by its event.
func (s speaker) history(t *testing.T) map[string]string {
	t.Helper()
	texts, from := map[string]string{}, ""
	for {
		var page struct {
			Chunk []struct {
				EventID string `json:"event_id"`
				Content struct {
					Body string `json:"body"`
				} `json:"content"`
			} `json:"chunk"`
			End string `json:"end"`
		}
		s.Do(t, "GET", v3+"/rooms/"+s.room+"/messages?dir=b&limit=100"+from, nil).OK(t, &page)
		for _, e := range page.Chunk {
			if texts[e.EventID] != "" {
				t.Errorf("%s is in the history twice", e.EventID)
			}
			if e.Content.Body != "" {
				texts[e.EventID] = e.Content.Body
			}
		}
		if page.End == "" {
			return texts
		}
		from = "&from=" + page.End
	}
}

// TestPowerLossLosesNoAcknowledgedMessageAtOnce cuts the power under a server, to which
// clients send. After the restart they send again what they had no answer to.
func TestPowerLossLosesNoAcknowledgedMessageAtOnce(t *testing.T) {
	onSQLite(t)
	const each = 40
	random := powerloss.Chance(t)
	folder := t.TempDir()
	srv, end := durably(t, folder)
	var speakers []speaker
	for i := range 4 {
		speakers = append(speakers, speaker{Client: srv.User(t, fmt.Sprint("user", i))})
	}
	room := speakers[0].createRoom(t, object{"preset": "public_chat"})
	for i := range speakers {
		speakers[i].room = room
		if i > 0 {
			speakers[i].Do(t, "POST", v3+"/join/"+room, object{}).OK(t, nil)
		}
	}
	end()

	disk, err := powerloss.Watch(folder)
	if err != nil {
		t.Fatal(err)
	}
	srv, end = durably(t, folder)
	var wg sync.WaitGroup
	for i := range speakers {
		speakers[i].Server = srv
		wg.Go(func() {
			for n := range each {
				eventID, err := speakers[i].say(t, n)
				if err != nil {
					t.Error(err)
					return
				}
				disk.Mark(fmt.Sprint(i, " ", n, " ", eventID))
			}
		})
	}
	wg.Wait()
	end()
	disk.Forget()

	told := 0
	cuts := powerloss.Cuts(t, 8)
	for cut := range cuts {
		image := disk.Cut(random.IntN(disk.Len()+1), random.IntN)
		told += len(image.Seen)
		afterPowerLoss(t, cut, image, speakers)
	}
	t.Logf("%d cuts, before which %d messages were acknowledged", cuts, told)
}

// afterPowerLoss starts a server on what a cut left.
func afterPowerLoss(t *testing.T, cut int, image powerloss.Image, speakers []speaker) {
	t.Helper()
	folder := t.TempDir()
	if err := image.Write(folder); err != nil {
		t.Fatal(err)
	}
	srv, end := durably(t, folder)
	defer func() {
		end()
		if err := os.RemoveAll(folder); err != nil { // there are many
			t.Error(err)
		}
	}()
	next := make([]int, len(speakers))
	known := speakers[0].on(srv).history(t)
	for _, seen := range image.Seen {
		var i, n int
		var eventID string
		if _, err := fmt.Sscan(seen, &i, &n, &eventID); err != nil {
			t.Fatal(err)
		}
		next[i] = n + 1
		if want := fmt.Sprintf("%s %d", speakers[i].UserID, n); known[eventID] != want {
			t.Errorf("cut %d: %s was acknowledged as %q, and is %q", cut, eventID, want, known[eventID])
		}
	}
	want := 0
	for i, s := range speakers {
		if _, err := s.on(srv).say(t, next[i]); err != nil {
			t.Errorf("cut %d: sending again: %v", cut, err)
		}
		want += next[i] + 1
	}
	if got := len(speakers[0].on(srv).history(t)); got != want {
		t.Errorf("cut %d: there are %d messages, and %d were sent: one is lost or there twice", cut, got, want)
	}
}

// on is the speaker as a client of another server with the same users.
func (s speaker) on(srv *apitest.Server) speaker {
	c := *s.Client
	c.Server = srv
	return speaker{&c, s.room}
}

func (s speaker) createRoom(t *testing.T, body object) string {
	t.Helper()
	var made struct {
		RoomID id.RoomID `json:"room_id"`
	}
	s.Do(t, "POST", v3+"/createRoom", body).OK(t, &made)
	return string(made.RoomID)
}
