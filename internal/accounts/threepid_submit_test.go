package accounts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestTP4_TheSubmitURL holds that the submit_url needs no token and answers as the
// identity service does.
func TestTP4_TheSubmitURL(t *testing.T) {
	srv, mails := withMail(t)
	r := request(t, srv.Anyone(), addEmailPath, emailWish("alice@example.org"))
	path, link := r.path(t), mails.Last(t, "alice@example.org").Link(t, srv)
	body := with(creds(r.SID), object{"token": "wrong"})
	post := func(name string, body any, want *errcode.Code) apitest.Case {
		return apitest.Case{Name: name, As: srv.Anyone(), Do: "POST", Path: path, Body: body, Want: want}
	}
	get := func(name, path string, want *errcode.Code) apitest.Case {
		return apitest.Case{Name: name, As: srv.Anyone(), Do: "GET", Path: path, Want: want}
	}
	apitest.Run(t, []apitest.Case{
		post("TP-7 not JSON", `{`, errcode.NotJSON),
		post("TP-7 no object", `[]`, errcode.BadJSON),
		post("TP-8 no token", creds(r.SID), errcode.MissingParams),
		post("TP-11 an unknown session", with(body, object{"sid": "unknown"}), errcode.InvalidParam),
		post("TP-14 a wrong token", body, errcode.TokenIncorrect),
		post("too large", `{"x":"`+strings.Repeat("x", 20_000)+`"}`, errcode.TooLarge),
		get("TP-21 no parameters", path, errcode.MissingParams),
		get("TP-21 an unknown session", path+"?sid=x&client_secret=y&token=z", errcode.InvalidParam),
	})
	srv.Advance(2 * time.Hour)
	apitest.Run(t, []apitest.Case{post("TP-12 expired", body, errcode.SessionExpired), get("TP-12 expired", link, errcode.SessionExpired)})
}
