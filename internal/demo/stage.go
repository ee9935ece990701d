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
	client http.Client
	stop   func() error
}

// requestTimeout is far more than an answer takes.
const requestTimeout = 10 * time.Second

// raise starts a server that sends the proposals' errors in the given form.
func raise(ctx context.Context, proposals string, now func() time.Time) (*stage, error) {
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
	cfg.Listen, cfg.Proposals = []string{l.Addr().String()}, proposals
	cfg.Registration.Enabled, cfg.RateLimits.Enabled = true, false
	cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
	a, err := app.Open(ctx, cfg, app.Seams{Now: now, Log: slog.New(slog.DiscardHandler), Unsynced: true})
	if err != nil {
		return nil, errors.Join(err, l.Close(), os.RemoveAll(folder))
	}
	serving, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(serving, []net.Listener{l}) }()
	s := &stage{app: a, url: "http://" + l.Addr().String(), words: map[string]string{}, tokens: map[string]string{}, client: http.Client{Timeout: requestTimeout}}
	s.stop = func() error {
		s.client.CloseIdleConnections()
		cancel()
		err := <-ended
		a.Close()
		return errors.Join(err, os.RemoveAll(folder))
	}
	return s, nil
}

// administrator makes the account that narthex user create --admin would.
func (s *stage) administrator(ctx context.Context, name string) error {
	userID, err := id.NewUserID(name, id.ServerName(s.app.Config.ServerName))
	if err != nil {
		return err
	}
	hash, err := s.app.Passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return s.app.DB.Write(ctx, func(tx *db.Tx) error {
		return s.app.Accounts.Insert(tx, accounts.Account{UserID: userID, PasswordHash: hash, Admin: true, Approved: s.app.Accounts.Approval(true)})
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
	req, err := http.NewRequestWithContext(ctx, method, s.url+s.fill(path), strings.NewReader(s.fill(body)))
	if err != nil {
		return answer{}, err
	}
	if token := s.tokens[as]; token != "" {
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

// fill puts what was learnt in place of {name}.
func (s *stage) fill(text string) string {
	for name, value := range s.words {
		text = strings.ReplaceAll(text, "{"+name+"}", value)
	}
	return text
}
