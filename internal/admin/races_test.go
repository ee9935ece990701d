package admin_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestTwoChangesOfARegistrationTokenAtOnce has one administrator change the uses while
// another changes whether the token vouches: neither change is lost.
func TestTwoChangesOfARegistrationTokenAtOnce(t *testing.T) {
	srv := apitest.New(t)
	root := srv.Administrator(t, "root")
	const tokens = "/_synapse/admin/v1/registration_tokens"
	root.Do(t, "POST", tokens+"/new", object{"token": "friends"}).OK(t, nil)
	five := int64(5)
	other := func(tx *db.Tx) error {
		return srv.App.Accounts.UpdateRegistrationToken(tx, accounts.RegistrationToken{Token: "friends", UsesAllowed: &five})
	}
	answers := srv.InTurn(t, "registration token", "friends", other, func() (*apitest.Response, error) {
		return root.Try(t.Context(), "PUT", tokens+"/friends", object{"preapproved": true})
	})
	wantJSON(t, answers[0], object{
		"token": "friends", "uses_allowed": 5, "pending": 0, "completed": 0, "expiry_time": nil, "preapproved": true,
	})
}

// TestNobodyDeniesThemselves has an administrator whose approval was withdrawn,
// and whose session goes on.
func TestNobodyDeniesThemselves(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root, second := srv.Administrator(t, "root"), srv.Administrator(t, "second")
	root.Do(t, "POST", decision(second.UserID, "revoke"), object{}).OK(t, nil)
	second.Do(t, "POST", decision(second.UserID, "deny"), object{}).Fails(t, srv, errcode.Forbidden)
	if account(t, srv, second.UserID).Deactivated {
		t.Error("the account was deactivated")
	}
}

func TestSearchForALongName(t *testing.T) {
	srv := apitest.New(t)
	root := srv.Administrator(t, "root")
	for _, param := range []string{"name", "user_id"} {
		for _, text := range []string{strings.Repeat("a", 55_000), strings.Repeat("%25", 18_000)} {
			root.Do(t, "GET", "/_synapse/admin/v2/users?"+param+"="+text, nil).Fails(t, srv, errcode.InvalidParam)
		}
	}
}
