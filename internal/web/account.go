package web

import (
	"context"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// enterAccount reads the cookies for a page of the account. Unless somebody is
// signed in who is approved, it gives the answer instead of a visitor.
func (s *Service) enterAccount(ctx context.Context, call *httpapi.Call, here string) (*visitor.Visitor, httpapi.Reply, error) {
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return nil, httpapi.Reply{}, err
	}
	if !v.SignedIn() {
		reply, err := v.SignIn(here)
		return nil, reply, err
	}
	if v.Awaiting() {
		reply, err := v.Wait(http.StatusOK, page.Waiting{})
		return nil, reply, err
	}
	return v, httpapi.Reply{}, nil
}

type showAccountRequest struct {
	Action   string `query:"action"`
	DeviceID string `query:"device_id"`
	Done     string `query:"done"`
}

// actions are where the account page leads for what a client says that the person
// wishes (client-server API, "Account management URL actions"), in the names that
// it had before, too (MSC4191).
var actions = map[string]string{
	"org.matrix.profile": profilePath, "profile": profilePath,
	"org.matrix.devices_list": sessionsPath, "org.matrix.sessions_list": sessionsPath, "sessions_list": sessionsPath,
	"org.matrix.device_view": sessionPath, "org.matrix.session_view": sessionPath, "session_view": sessionPath,
	"org.matrix.device_delete": sessionPath, "org.matrix.session_end": sessionPath, "session_end": sessionPath,
	"org.matrix.account_deactivate": deactivatePath, "account_deactivate": deactivatePath,
	"org.matrix.cross_signing_reset": identityPath, "cross_signing_reset": identityPath,
}

// endings are the actions that ask whether to sign a session out.
var endings = map[string]bool{"org.matrix.device_delete": true, "org.matrix.session_end": true, "session_end": true}

// done are the sentences about what was just done, by the word in the address.
var done = map[string]string{
	"address":  "The address is added.",
	"removed":  "The address is removed.",
	"reset":    "Your password is changed. Sign in with the new one.",
	"password": "Your password is changed. Every other browser is signed out of these pages.",
	"profile":  "Your name is changed.",
	"session":  "The session is signed out.",
}

func (s *Service) showAccount(ctx context.Context, call *httpapi.Call, req showAccountRequest) (httpapi.Reply, error) {
	here := accountPath
	if to, ok := actions[req.Action]; ok {
		here = actionPage(to, req)
	}
	v, reply, err := s.enterAccount(ctx, call, here)
	if v == nil {
		return reply, err
	}
	if here != accountPath {
		return v.Leave(here)
	}
	account := v.Browser.Account
	p := page.Account{UserID: string(account.UserID), Created: account.Created, Done: done[req.Done], Homeserver: s.cfg.ClientBaseURL(), Providers: len(s.upstream.Providers()) > 0}
	p.Admin = account.Admin && !account.Suspended
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		sessions, err := s.oauth.Sessions(tx, account.UserID)
		if err != nil {
			return err
		}
		p.Sessions = len(sessions)
		p.DisplayName, err = s.displayName(tx, account)
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, p)
}

// actionPage is the path of the page for an action. Without a device to act on,
// that is the list of them.
func actionPage(path string, req showAccountRequest) string {
	if path != sessionPath {
		return path
	}
	if req.DeviceID == "" {
		return sessionsPath
	}
	query := url.Values{"device_id": {req.DeviceID}}
	if endings[req.Action] {
		query.Set("ask", "yes")
	}
	return sessionPath + "?" + query.Encode()
}

func (s *Service) displayName(tx *db.Tx, account accounts.Account) (name string, err error) {
	fields, err := s.accounts.ProfileFields(tx, account.UserID)
	if err != nil || fields[accounts.DisplayName] == nil {
		return "", err
	}
	return name, json.Unmarshal(fields[accounts.DisplayName], &name)
}

type showProfileRequest struct{}

func (s *Service) showProfile(ctx context.Context, call *httpapi.Call, _ showProfileRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, profilePath)
	if v == nil {
		return reply, err
	}
	p := page.Profile{UserID: string(v.UserID())}
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		p.DisplayName, err = s.displayName(tx, v.Browser.Account)
		return err
	})
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Show(http.StatusOK, p)
}

type changeProfileRequest struct {
	Token       string `form:"form_token"`
	DisplayName string `form:"displayname"`
}

func (s *Service) changeProfile(ctx context.Context, call *httpapi.Call, req changeProfileRequest) (httpapi.Reply, error) {
	v, reply, err := s.enterAccount(ctx, call, profilePath)
	if v == nil {
		return reply, err
	}
	if !v.Owns(req.Token) {
		return v.Stale(profilePath)
	}
	p := page.Profile{UserID: string(v.UserID()), DisplayName: req.DisplayName}
	if v.Browser.Account.Suspended {
		p.Problem = page.Problem{Text: "Your account is suspended: your name cannot be changed. Ask the administrator of this server."}
		return v.Show(http.StatusForbidden, p)
	}
	if err := s.profile.Rename(ctx, v.UserID(), req.DisplayName); err != nil {
		wrong, status, err := visitor.Problem(err, "displayname")
		if err != nil {
			return httpapi.Reply{}, err
		}
		p.Problem = wrong
		return v.Show(status, p)
	}
	return v.Leave(accountPath + "?done=profile")
}
