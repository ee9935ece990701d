package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/oauth"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// visitor is the browser that a request comes from, and who is signed in there.
type visitor struct {
	s       *Service
	call    *httpapi.Call
	browser oauth.Browser // zero if nobody is signed in
	visit   string        // what the tokens in forms are made from
	session string        // likewise; empty if nobody is signed in
	set     []string      // the Set-Cookie headers of the answer
}

// sessionLife is how long a browser keeps the cookie of its session after a use.
const sessionLife = 30 * 24 * time.Hour

const visitBytes = 18

// arrive reads the cookies of a request.
func (s *Service) arrive(ctx context.Context, call *httpapi.Call) (*visitor, error) {
	v := &visitor{s: s, call: call, visit: call.Cookie(s.cookies.visit)}
	if !isVisit(v.visit) {
		v.visit = secret.String(visitBytes)
		v.setCookie(s.cookies.visit, v.visit, 0)
	}
	cookie := call.Cookie(s.cookies.session)
	if cookie == "" {
		return v, nil
	}
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		v.browser, err = s.oauth.Browser(tx, cookie)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		v.browser = oauth.Browser{}
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	v.session = cookie
	if v.browser.SeenLongAgo(call.Now) {
		v.setCookie(s.cookies.session, cookie, sessionLife)
		err = s.db.Write(ctx, func(tx *db.Tx) error { return s.oauth.SeeBrowser(tx, v.browser, call) })
	}
	return v, err
}

// isVisit reports whether a cookie looks like one that arrive has set.
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

func (v *visitor) signedIn() bool { return v.session != "" }

func (v *visitor) userID() id.UserID { return v.browser.UserID() }

// awaiting reports whether somebody is signed in whose account waits for approval.
func (v *visitor) awaiting() bool { return v.signedIn() && v.s.oauth.Awaiting(v.browser) }

// setCookie adds a cookie to the answer. A life of zero is until the browser is
// closed; a negative one deletes it.
func (v *visitor) setCookie(name, value string, life time.Duration) {
	c := http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: v.s.cookies.secure, SameSite: http.SameSiteLaxMode,
		MaxAge: int(life / time.Second)}
	v.set = append(v.set, c.String())
}

func (v *visitor) header() http.Header {
	if len(v.set) == 0 {
		return http.Header{}
	}
	return http.Header{"Set-Cookie": v.set}
}

// show answers with a page.
func (v *visitor) show(status int, p page.Page) (httpapi.Reply, error) {
	f := page.Frame{Server: v.s.cfg.ServerName, Now: v.call.Now, Token: page.FormToken(v.visit, v.session)}
	if v.signedIn() {
		f.Account = string(v.userID())
	}
	body, err := page.Render(f, p)
	return httpapi.Reply{Status: status, Header: v.header(), Body: body}, err
}

// leave sends the browser to a path of this server, or to an address that has been
// checked.
func (v *visitor) leave(address string) (httpapi.Reply, error) {
	reply := httpapi.Redirect(address)
	if len(v.set) > 0 {
		reply.Header["Set-Cookie"] = v.set
	}
	return reply, nil
}

// signIn sends the browser to the page for signing in, and from there to a path.
func (v *visitor) signIn(next string) (httpapi.Reply, error) {
	return v.leave(signInPath + "?" + url.Values{"continue": {next}}.Encode())
}

// owns reports whether a form was made for this browser and its session.
func (v *visitor) owns(token string) bool { return page.IsFormToken(token, v.visit, v.session) }

// stale answers a form that was not.
func (v *visitor) stale(again string) (httpapi.Reply, error) {
	return v.show(http.StatusForbidden, page.Failure{Status: http.StatusForbidden, Text: staleText, Back: again})
}

const staleText = "This form is out of date, and nothing was changed. Somebody may have signed in or out in another tab, or the browser keeps no cookies."

// wait answers that the account waits for approval.
func (v *visitor) wait(status int, w page.Waiting) (httpapi.Reply, error) {
	w.Account = string(v.userID())
	w.New = v.call.Now.Sub(v.browser.Account.Created) < newFor
	return v.show(status, w)
}

// newFor is how long after its making an account is called a new one.
const newFor = 10 * time.Minute

// problem turns a refusal into what is shown beside a form, and its status. An
// error that is the server's own, or says that it is busy, stays an error.
func problem(err error, field string) (page.Problem, int, error) {
	refused, ok := refusal(err)
	if !ok || refused.Code.Status >= http.StatusInternalServerError {
		return page.Problem{}, 0, err
	}
	return page.Problem{Field: field, Text: refused.Text}, refused.Code.Status, nil
}

// refusal gives the error as a row of the catalogue, if it is one.
func refusal(err error) (*errcode.Error, bool) {
	var refused *errcode.Error
	return refused, errors.As(err, &refused)
}
