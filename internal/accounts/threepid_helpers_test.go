package accounts_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

const (
	addressesPath = "/_matrix/client/v3/account/3pid"
	addPath       = "/_matrix/client/v3/account/3pid/add"
	bindPath      = "/_matrix/client/v3/account/3pid/bind"
	deletePath    = "/_matrix/client/v3/account/3pid/delete"
	unbindPath    = "/_matrix/client/v3/account/3pid/unbind"

	registerEmailPath = "/_matrix/client/v3/register/email/requestToken"
	addEmailPath      = "/_matrix/client/v3/account/3pid/email/requestToken"
	resetEmailPath    = "/_matrix/client/v3/account/password/email/requestToken"

	clientSecret = "a.client_secret=1"
)

// withMail is a server with a mail server.
func withMail(t *testing.T, change ...func(*config.Config)) (*apitest.Server, *apitest.Mailbox) {
	t.Helper()
	mails := apitest.NewMailbox(t)
	return apitest.New(t, append([]func(*config.Config){mails.Configure}, change...)...), mails
}

// requested is what requestToken answers.
type requested struct {
	SID       string `json:"sid"`
	SubmitURL string `json:"submit_url"`
}

// path is the path of the submit_url.
func (r requested) path(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(r.SubmitURL)
	if err != nil || !u.IsAbs() {
		t.Fatalf("the submit_url is %q", r.SubmitURL)
	}
	return u.Path
}

func emailWish(address string) object {
	return object{"client_secret": clientSecret, "email": address, "send_attempt": 1}
}

func with(o object, more object) object {
	out := object{}
	for k, v := range o {
		out[k] = v
	}
	for k, v := range more {
		out[k] = v
	}
	return out
}

func request(t *testing.T, as *apitest.Client, path string, body object) (r requested) {
	t.Helper()
	as.Do(t, "POST", path, body).OK(t, &r)
	return r
}

// tokenIn is the token in a mail with a link.
func tokenIn(t *testing.T, srv *apitest.Server, m apitest.Mail) string {
	t.Helper()
	u, err := url.Parse(m.Link(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("token")
}

// validate asks for a token by mail and gives it back.
func validate(t *testing.T, srv *apitest.Server, mails *apitest.Mailbox, path, address string) (sid string) {
	t.Helper()
	wish := emailWish(address)
	wish["client_secret"] = clientSecret
	r := request(t, srv.Anyone(), path, wish)
	token := tokenIn(t, srv, mails.Last(t, strings.ToLower(address)))
	srv.Anyone().Do(t, "POST", r.path(t), object{"sid": r.SID, "client_secret": clientSecret, "token": token}).OK(t, nil)
	return r.SID
}

func creds(sid string) object { return object{"sid": sid, "client_secret": clientSecret} }

// own gives an account an address, as if it had been added a long time ago.
func own(t *testing.T, srv *apitest.Server, user id.UserID, medium, address string) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ($1, $2, $3, 1000, 2000)`, medium, address, user)
		return err
	})
}

func addresses(t *testing.T, as *apitest.Client) string {
	t.Helper()
	return string(as.Do(t, "GET", addressesPath, nil).OK(t, nil).Body)
}
