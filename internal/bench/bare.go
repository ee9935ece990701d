package bench

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver that the server has
)

// A bare is the program that shows what no homeserver on this machine can do without.
// It knows a token, signs an event, commits it durably together with those of others,
// and wakes who waits. It checks nothing, and knows of one room for each user.
type bare struct {
	key     ed25519.PrivateKey
	commits chan commit
	fail    context.CancelCauseFunc // ends the program: a floor that is wrong is none

	mu    sync.Mutex
	users map[string]*bareUser // by token
	rooms map[string]*bareRoom
}

type bareUser struct {
	name string
	room *bareRoom // joined last
}

type bareRoom struct {
	id     string
	events [][]byte
	news   chan struct{} // closed by the next event
}

// A commit is what one request wants to be on the disk.
type commit struct {
	events [][]byte
	done   chan error
}

// ServeBare runs the program that the floor of a machine is measured with, until the
// context ends: a few endpoints of the Client-Server API, with an SQLite file in the
// folder. It says its address in the greeting.
func ServeBare(ctx context.Context, folder string, greeting io.Writer) error {
	pool, err := sql.Open("sqlite", "file:"+filepath.Join(folder, "floor.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	defer pool.Close()
	pool.SetMaxOpenConns(1)
	if _, err := pool.ExecContext(ctx, `CREATE TABLE floor (position INTEGER PRIMARY KEY, event BLOB NOT NULL)`); err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	b := &bare{
		fail: fail, key: ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), commits: make(chan commit, 64),
		users: map[string]*bareUser{}, rooms: map[string]*bareRoom{},
	}
	go b.write(ctx, pool)
	fmt.Fprintf(greeting, "The floor listens on http://%s\n", l.Addr())
	server := &http.Server{Handler: b.mux(), ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (b *bare) mux() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /_matrix/client/v3/register", func(w http.ResponseWriter, _ *http.Request) {
		token := rand.Text()
		b.mu.Lock()
		b.users[token] = &bareUser{name: "@" + token + ":localhost"}
		b.mu.Unlock()
		answer(w, `{"access_token":"`+token+`"}`)
	})
	for pattern, handle := range map[string]func(*bareUser, http.ResponseWriter, *http.Request) error{
		"GET /_matrix/client/v3/account/whoami":                    b.whoami,
		"POST /_matrix/client/v3/createRoom":                       b.createRoom,
		"POST /_matrix/client/v3/join/{room}":                      b.join,
		"PUT /_matrix/client/v3/rooms/{room}/send/{type}/{unique}": b.send,
		"GET /_matrix/client/v3/sync":                              b.sync,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			b.mu.Lock()
			u := b.users[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
			b.mu.Unlock()
			if u == nil {
				b.fail(errors.New("somebody asked who is not registered"))
			} else if err := handle(u, w, r); err != nil && r.Context().Err() == nil {
				b.fail(err)
			}
		})
	}
	return mux
}

func answer(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, body) // the client notices
}

func (b *bare) whoami(u *bareUser, w http.ResponseWriter, _ *http.Request) error {
	answer(w, `{"user_id":"`+u.name+`"}`)
	return nil
}

// createRoom commits as many events as a public room begins with.
func (b *bare) createRoom(u *bareUser, w http.ResponseWriter, _ *http.Request) error {
	room := &bareRoom{id: "!" + rand.Text(), news: make(chan struct{})}
	content := json.RawMessage(`{"of":"a room"}`)
	if _, err := b.accept(u, room, content, content, content, content, content, content, content); err != nil {
		return err
	}
	b.mu.Lock()
	b.rooms[room.id], u.room = room, room
	b.mu.Unlock()
	answer(w, `{"room_id":"`+room.id+`"}`)
	return nil
}

func (b *bare) join(u *bareUser, w http.ResponseWriter, r *http.Request) error {
	b.mu.Lock()
	u.room = b.rooms[r.PathValue("room")]
	b.mu.Unlock()
	_, err := b.accept(u, u.room, json.RawMessage(`{"membership":"join"}`))
	answer(w, `{}`)
	return err
}

func (b *bare) send(u *bareUser, w http.ResponseWriter, r *http.Request) error {
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	b.mu.Lock()
	room := b.rooms[r.PathValue("room")]
	b.mu.Unlock()
	id, err := b.accept(u, room, content)
	if err == nil {
		answer(w, `{"event_id":"`+id+`"}`)
	}
	return err
}

// accept signs events, has them committed, and wakes who waits for them.
func (b *bare) accept(u *bareUser, room *bareRoom, contents ...json.RawMessage) (id string, err error) {
	c := commit{done: make(chan error, 1)}
	for _, content := range contents {
		e := struct {
			ID        string          `json:"event_id,omitempty"`
			Room      string          `json:"room_id"`
			Sender    string          `json:"sender"`
			Type      string          `json:"type"`
			Content   json.RawMessage `json:"content"`
			Signature []byte          `json:"signature,omitempty"`
		}{Room: room.id, Sender: u.name, Type: "m.room.message", Content: content}
		raw, err := json.Marshal(e)
		if err != nil {
			return "", err
		}
		hash := sha256.Sum256(raw)
		e.ID, e.Signature = "$"+base64.RawURLEncoding.EncodeToString(hash[:]), ed25519.Sign(b.key, raw)
		if raw, err = json.Marshal(e); err != nil {
			return "", err
		}
		id, c.events = e.ID, append(c.events, raw)
	}
	b.commits <- c
	if err := <-c.done; err != nil {
		return "", err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	room.events = append(room.events, c.events...)
	close(room.news)
	room.news = make(chan struct{})
	return id, nil
}

// write commits what is there, again and again: those who come meanwhile share the
// next commit.
func (b *bare) write(ctx context.Context, pool *sql.DB) {
	for {
		var batch []commit
		select {
		case <-ctx.Done():
			return
		case c := <-b.commits:
			batch = append(batch, c)
		}
		for range len(b.commits) {
			batch = append(batch, <-b.commits)
		}
		err := insert(ctx, pool, batch)
		for _, c := range batch {
			c.done <- err
		}
	}
}

func insert(ctx context.Context, pool *sql.DB, batch []commit) error {
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for _, c := range batch {
		for _, event := range c.events {
			if _, err := tx.ExecContext(ctx, `INSERT INTO floor (event) VALUES ($1)`, event); err != nil {
				return errors.Join(err, tx.Rollback())
			}
		}
	}
	return tx.Commit()
}

// sync answers what has come into the room of the user since, or waits for it.
func (b *bare) sync(u *bareUser, w http.ResponseWriter, r *http.Request) error {
	since, err := strconv.Atoi(r.FormValue("since"))
	first := err != nil
	patience := time.NewTimer(waitInSync)
	defer patience.Stop()
	for {
		b.mu.Lock()
		events, news := u.room.events, u.room.news
		b.mu.Unlock()
		if first {
			since = len(events)
		}
		if !first && since == len(events) {
			select {
			case <-news:
				continue
			case <-patience.C:
			case <-r.Context().Done():
				return nil
			}
		}
		fresh := bytes.Join(events[since:], []byte(","))
		answer(w, fmt.Sprintf(`{"next_batch":"%d","rooms":{"join":{%q:{"timeline":{"events":[%s]}}}}}`, len(events), u.room.id, fresh))
		return nil
	}
}
