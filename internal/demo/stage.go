package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Every account of the demo has this password.
const password = "a long password"

// stage is one throwaway server, and what the story has learnt from its answers.
type stage struct {
	app    *app.App
	url    string
	words  map[string]string // stand for {name} in paths and bodies
	tokens map[string]string // by person
	clock  *clock
	post   *post // what the server would have sent
	client http.Client
	stop   func() error
}

// requestTimeout is far more than an answer takes.
const requestTimeout = 10 * time.Second

// raise starts a server; each function may change its configuration first.
func raise(ctx context.Context, now func() time.Time, change ...func(*config.Config)) (*stage, error) {
	folder, err := os.MkdirTemp("", "narthex-demo-")
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(folder))
	}
	cfg := config.Default()
	cfg.Dev, cfg.Data, cfg.Database = true, folder, filepath.Join(folder, "narthex.db")
	cfg.Listen = []string{l.Addr().String()}
	cfg.Registration.Enabled, cfg.RateLimits.Enabled = true, false
	cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts, cfg.Approval.Reason = true, true, "optional"
	// Two devices can tell each other that the page has run out only as long as the
	// place lives where they meet.
	cfg.OAuth.DeviceCodeLifetime, cfg.Rendezvous.Lifetime = config.Duration(pageLifetime), config.Duration(pageLifetime+time.Minute)
	for _, f := range change {
		f(&cfg)
	}
	moving, messages := &clock{real: now}, newPost()
	a, err := app.Open(ctx, cfg, app.Seams{Now: moving.now, Log: slog.New(messages), Unsynced: true})
	if err != nil {
		return nil, errors.Join(err, l.Close(), os.RemoveAll(folder))
	}
	serving, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(serving, []net.Listener{l}) }()
	s := &stage{app: a, url: "http://" + l.Addr().String(), words: map[string]string{}, tokens: map[string]string{}, clock: moving, post: messages, client: http.Client{Timeout: requestTimeout}}
	s.stop = func() error {
		s.client.CloseIdleConnections()
		cancel()
		err := <-ended
		a.Close()
		return errors.Join(err, os.RemoveAll(folder))
	}
	return s, nil
}

// account makes one that is approved, as narthex user create would.
func (s *stage) account(ctx context.Context, name string, admin bool) error {
	userID, err := id.NewUserID(name, id.ServerName(s.app.Config.ServerName))
	if err != nil {
		return err
	}
	hash, err := s.app.Passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return s.app.DB.Write(ctx, func(tx *db.Tx) error {
		return s.app.Accounts.Insert(tx, accounts.Account{UserID: userID, PasswordHash: hash, Admin: admin, Approved: s.app.Accounts.Approval(true)})
	})
}

// An answer is what the server said.
type answer struct {
	status int
	raw    string
	body   map[string]any
}

// ask makes a request as a person, or as nobody if the person has not signed in.
func (s *stage) ask(ctx context.Context, as, method, path, body string) (answer, error) {
	return s.send(ctx, s.tokens[as], method, s.fill(path), s.fill(body))
}

// send makes a request with a token, or with none if it is empty.
func (s *stage) send(ctx context.Context, token, method, path, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	out := answer{status: resp.StatusCode, raw: string(bytes.TrimSpace(raw))}
	if err := json.Unmarshal(raw, &out.body); err != nil {
		return answer{}, fmt.Errorf("%s %s: the answer %q is not JSON", method, path, raw)
	}
	return out, nil
}

// succeeds makes a request that has to succeed. A nil body is none.
func (s *stage) succeeds(ctx context.Context, token, method, path string, body any) (answer, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return answer{}, err
		}
	}
	a, err := s.send(ctx, token, method, path, string(payload))
	if err == nil && a.status != http.StatusOK {
		err = fmt.Errorf("%s %s was answered %d %s", method, path, a.status, a.raw)
	}
	return a, err
}

// fill puts what was learnt in place of {name}.
func (s *stage) fill(text string) string {
	for name, value := range s.words {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}
