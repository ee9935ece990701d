package accounts_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestRegistrationTokens(t *testing.T) {
	srv := apitest.New(t)
	create := func(token accounts.RegistrationToken) (made accounts.RegistrationToken, err error) {
		err = try(t, srv, func(tx *db.Tx) (err error) {
			made, err = srv.App.Accounts.CreateRegistrationToken(tx, token)
			return err
		})
		return made, err
	}
	none, less := int64(0), int64(-1)
	made, err := create(accounts.RegistrationToken{})
	if err != nil || len(made.Token) != 16 {
		t.Errorf("got %+v, %v", made, err)
	}
	for _, token := range []accounts.RegistrationToken{
		{Token: "used-up", UsesAllowed: &none},
		{Token: "short", Expires: time.Now().Add(time.Hour)},
	} {
		if _, err := create(token); err != nil {
			t.Error(err)
		}
	}
	for name, token := range map[string]accounts.RegistrationToken{
		"taken": {Token: "short"}, "of bad characters": {Token: "a b"}, "too long": {Token: strings.Repeat("a", 65)}, "for fewer than none": {UsesAllowed: &less},
	} {
		if _, err := create(token); !errors.Is(err, errcode.InvalidParam) {
			t.Errorf("a token %s: got %v", name, err)
		}
	}
	const path = "/_matrix/client/v1/register/m.login.registration_token/validity"
	closed := apitest.New(t, func(cfg *config.Config) { cfg.Registration.Enabled = false })
	apitest.Run(t, []apitest.Case{
		{Name: "valid", As: srv.Anyone(), Do: "GET", Path: path + "?token=" + made.Token, Has: []string{`{"valid":true}`}},
		{Name: "valid for a while", As: srv.Anyone(), Do: "GET", Path: path + "?token=short", Has: []string{`{"valid":true}`}},
		{Name: "used up", As: srv.Anyone(), Do: "GET", Path: path + "?token=used-up", Has: []string{`{"valid":false}`}},
		{Name: "unknown", As: srv.Anyone(), Do: "GET", Path: path + "?token=unknown", Has: []string{`{"valid":false}`}},
		{Name: "missing", As: srv.Anyone(), Do: "GET", Path: path, Want: errcode.MissingParam},
		{Name: "with NUL", As: srv.Anyone(), Do: "GET", Path: path + "?token=a%00", Want: errcode.InvalidParam},
		{Name: "registration is closed", As: closed.Anyone(), Do: "GET", Path: path + "?token=short", Want: errcode.Forbidden},
	})
	srv.Advance(2 * time.Hour)
	srv.Anyone().Do(t, "GET", path+"?token=short", nil).OK(t, nil)
	if r := srv.Anyone().Do(t, "GET", path+"?token=short", nil); string(r.Body) != `{"valid":false}` {
		t.Errorf("after it has expired: got %s", r.Body)
	}
	write(t, srv, func(tx *db.Tx) error {
		token, err := srv.App.Accounts.RegistrationToken(tx, "short")
		if token.Expires.IsZero() || token.Pending != 0 {
			t.Errorf("got %+v", token)
		}
		return err
	})
}
