package visitor

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/factors"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/oauth"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Deps are what the service stands on.
type Deps struct {
	DB       *db.DB
	Config   config.Config
	Accounts *accounts.Service
	Factors  *factors.Service
	OAuth    *oauth.Service
}

// Service receives visitors.
type Service struct {
	db       *db.DB
	cfg      config.Config
	accounts *accounts.Service
	factors  *factors.Service
	oauth    *oauth.Service
	cookies  cookies
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, cfg: d.Config, accounts: d.Accounts, factors: d.Factors, oauth: d.OAuth, cookies: cookiesFor(d.Config.BaseURL())}
}

// Visitor is the browser that a request comes from, and who is signed in there.
type Visitor struct {
	Call    *httpapi.Call
	Browser oauth.Browser // zero if nobody is signed in

	s       *Service
	notice  string   // where whoever waits for approval is told of it; empty if nowhere
	visit   string   // what the tokens in forms are made from
	session string   // likewise; empty if nobody is signed in
	set     []string // the Set-Cookie headers of the answer
	halfway bool     // whether there is a second step before the browser is signed in
}

// sessionLife is how long a browser keeps the cookie of its session after a use.
const sessionLife = 30 * 24 * time.Hour

const visitBytes = 18

// Arrive reads the cookies of a request.
func (s *Service) Arrive(ctx context.Context, call *httpapi.Call) (*Visitor, error) {
	v := &Visitor{s: s, Call: call, visit: call.Cookie(s.cookies.visit)}
	if !isVisit(v.visit) {
		v.visit = secret.String(visitBytes)
		v.setCookie(s.cookies.visit, v.visit, 0)
	}
	cookie := call.Cookie(s.cookies.session)
	if cookie == "" {
		return v, nil
	}
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if v.Browser, err = s.oauth.Browser(tx, cookie); err != nil {
			return err
		}
		v.notice, err = s.oauth.NoticeAddress(tx, v.Browser)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		v.Browser = oauth.Browser{}
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	v.session = cookie
	if v.Browser.SeenLongAgo(call.Now) {
		v.setCookie(s.cookies.session, cookie, sessionLife)
		err = s.db.Write(ctx, func(tx *db.Tx) error { return s.oauth.SeeBrowser(tx, v.Browser, call) })
	}
	return v, err
}

// isVisit reports whether a cookie looks like one that Arrive has set.
func isVisit(text string) bool {
	if len(text) != visitBytes*4/3 {
		return false
	}
	for _, c := range text {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// SignedIn reports whether somebody is.
func (v *Visitor) SignedIn() bool { return v.session != "" }

// UserID is who is signed in.
func (v *Visitor) UserID() id.UserID { return v.Browser.UserID() }

// Awaiting reports whether somebody is signed in whose account waits for approval.
func (v *Visitor) Awaiting() bool { return v.SignedIn() && v.s.oauth.Awaiting(v.Browser) }

// setCookie adds a cookie to the answer. A life of zero is until the browser is
// closed; a negative one deletes it.
func (v *Visitor) setCookie(name, value string, life time.Duration) {
	c := http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: v.s.cookies.secure, SameSite: http.SameSiteLaxMode,
		MaxAge: int(life / time.Second)}
	v.set = append(v.set, c.String())
}

func (v *Visitor) header() http.Header {
	if len(v.set) == 0 {
		return http.Header{}
	}
	return http.Header{"Set-Cookie": v.set}
}

// Show answers with a page.
func (v *Visitor) Show(status int, p page.Page) (httpapi.Reply, error) {
	f := page.Frame{Server: v.s.cfg.ServerName, Now: v.Call.Now, Token: page.FormToken(v.visit, v.session)}
	if v.SignedIn() {
		f.Account = string(v.UserID())
	}
	body, err := page.Render(f, p)
	return httpapi.Reply{Status: status, Header: v.header(), Body: body}, err
}

// Leave sends the browser to a path of this server, or to an address that has been
// checked.
func (v *Visitor) Leave(address string) (httpapi.Reply, error) {
	if v.halfway {
		address = At(SecondStepPath, "continue", Next(address))
	}
	reply := httpapi.Redirect(address)
	if len(v.set) > 0 {
		reply.Header["Set-Cookie"] = v.set
	}
	return reply, nil
}

// SignIn sends the browser to the page for signing in, and from there to a path.
func (v *Visitor) SignIn(next string) (httpapi.Reply, error) {
	return v.Leave(At(SignInPath, "continue", next))
}

// Exit ends the session of this browser, if it has one.
func (v *Visitor) Exit(ctx context.Context) error {
	if !v.SignedIn() {
		return nil
	}
	v.setCookie(v.s.cookies.session, "", -time.Second)
	return v.s.db.Write(ctx, func(tx *db.Tx) error { return v.s.oauth.SignOutBrowser(tx, v.session) })
}

// ConfirmPath is the page that asks whoever is signed in to prove it again.
const ConfirmPath = "/confirm"

// confirmedFor is how long a proof is good for acts that cannot be taken back, or that
// give power over others.
const confirmedFor = 15 * time.Minute

// Confirmed reports whether the person has proved who they are within the last quarter
// of an hour.
func (v *Visitor) Confirmed() bool {
	return v.SignedIn() && v.Call.Now.Sub(v.Browser.Proved) < confirmedFor
}

// Confirm sends the browser to the page that asks for the proof again, and from there
// to a path.
func (v *Visitor) Confirm(next string) (httpapi.Reply, error) {
	return v.Leave(At(ConfirmPath, "continue", next))
}

// Prove notes that the person has proved just now who they are. The function fails if
// the account has changed since. Prove fails with db.ErrNoRow if the browser has been
// signed out meanwhile.
func (v *Visitor) Prove(ctx context.Context, unchanged func(tx *db.Tx) error) error {
	var cookie string
	err := v.s.db.Write(ctx, func(tx *db.Tx) (err error) {
		if err := unchanged(tx); err != nil {
			return err
		}
		cookie, err = v.s.oauth.ProveBrowser(tx, v.Browser)
		return err
	})
	if err == nil {
		v.setCookie(v.s.cookies.session, cookie, sessionLife)
	}
	return err
}

// Owns reports whether a form was made for this browser and its session.
func (v *Visitor) Owns(token string) bool { return page.IsFormToken(token, v.visit, v.session) }

// Stale answers a form that was not.
func (v *Visitor) Stale(again string) (httpapi.Reply, error) {
	return v.Show(http.StatusForbidden, page.Failure{Status: http.StatusForbidden, Text: staleText, Back: again})
}

// Outdated is what is wrong with a form that was not, where it is shown again.
var Outdated = page.Problem{Text: "This form was out of date, or your browser keeps no cookies. Please send it again."}

const staleText = "This form is out of date, and nothing was changed. Somebody may have signed in or out in another tab, or the browser keeps no cookies."

// Wait answers that the account waits for approval.
func (v *Visitor) Wait(status int, w page.Waiting) (httpapi.Reply, error) {
	w.Account = string(v.UserID())
	w.Since, w.Address, w.Reason = v.Browser.Account.Created, v.notice, v.Browser.Account.Signup.Reason
	w.New = v.Call.Now.Sub(v.Browser.Account.Created) < NewFor
	return v.Show(status, w)
}

// NewFor is how long after its making an account is called a new one.
const NewFor = 10 * time.Minute

// Problem turns a refusal into what is shown beside a form, and its status. An
// error that is the server's own, or says that it is busy, stays an error.
func Problem(err error, field string) (page.Problem, int, error) {
	refused, ok := Refusal(err)
	if !ok || refused.Code.Status >= http.StatusInternalServerError {
		return page.Problem{}, 0, err
	}
	return page.Problem{Field: field, Text: refused.Text}, refused.Code.Status, nil
}

// FieldOf is the field of a form that a refusal is about.
func FieldOf(err error) string {
	refused, ok := Refusal(err)
	switch {
	case !ok:
		return ""
	case refused.Code == errcode.InvalidUsername || refused.Code == errcode.UserInUse:
		return "username"
	case refused.Code == errcode.WeakPassword:
		return "password"
	}
	for _, m := range refused.Extra {
		if field, ok := m.Value.(string); ok && m.Name == "param" {
			return field
		}
	}
	return ""
}

// Refusal gives the error as a row of the catalogue, if it is one.
func Refusal(err error) (*errcode.Error, bool) {
	var refused *errcode.Error
	return refused, errors.As(err, &refused)
}

// cookies are the names of the cookies, and whether they are for HTTPS alone.
type cookies struct {
	session, visit, step string
	secure               bool
}

// cookiesFor chooses names that no other host and no plain HTTP can set, where the
// server is reached by HTTPS (RFC 6265bis, "__Host-").
func cookiesFor(baseURL string) cookies {
	if strings.HasPrefix(baseURL, "https://") {
		return cookies{session: "__Host-narthex", visit: "__Host-narthex-visit", step: "__Host-narthex-step", secure: true}
	}
	return cookies{session: "narthex", visit: "narthex-visit", step: "narthex-step"}
}
