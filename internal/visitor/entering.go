package visitor

import (
	"context"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/oauth"
)

// SecondStepPath is the page for the second step of signing in.
const SecondStepPath = "/login/second"

// Enter signs this browser in, in place of whoever it was signed in as. The function
// gives the account whose password was checked, in the transaction that begins the
// session, and does there what belongs to it. If the account takes a second step,
// nobody is signed in yet, and [Visitor.Leave] goes by way of the page that asks for
// it. Enter fails with db.ErrNoRow if the account has changed since it was looked at.
func (v *Visitor) Enter(ctx context.Context, account func(tx *db.Tx) (accounts.Account, error)) error {
	return v.enter(ctx, oauth.Voucher{}, account)
}

// EnterVouched is Enter for an account whose owner a provider of single sign-on vouches
// for.
func (v *Visitor) EnterVouched(ctx context.Context, by oauth.Voucher, account func(tx *db.Tx) (accounts.Account, error)) error {
	return v.enter(ctx, by, account)
}

func (v *Visitor) enter(ctx context.Context, by oauth.Voucher, account func(tx *db.Tx) (accounts.Account, error)) error {
	var session, step string
	err := v.s.db.Write(ctx, func(tx *db.Tx) error {
		session, step = "", ""
		checked, err := account(tx)
		if err != nil {
			return err
		}
		now, err := v.s.accounts.Hold(tx, checked.UserID)
		if err != nil {
			return err
		}
		// Whoever has a session of this account already has done both steps.
		if v.s.accounts.TakesTwoSteps(now) && !(v.SignedIn() && v.UserID() == now.UserID) {
			first, err := json.Marshal(by)
			if err != nil {
				return err
			}
			step, err = v.s.factors.BeginStep(tx, checked, first)
			return err
		}
		session, err = v.begin(tx, checked, by)
		return err
	})
	switch {
	case err != nil:
		return err
	case step != "":
		v.setCookie(v.s.cookies.step, step, 0)
		v.halfway = true
		return nil
	}
	v.setCookie(v.s.cookies.session, session, sessionLife)
	return nil
}

// EnterByPasskey signs this browser in as somebody who has unlocked a passkey, which is
// both steps in one.
func (v *Visitor) EnterByPasskey(ctx context.Context, checked accounts.Account) error {
	return v.enterProved(ctx, func(tx *db.Tx) (string, error) { return v.begin(tx, checked, oauth.Voucher{}) })
}

// EnterBySecondStep signs this browser in that has passed the second step. It fails
// with db.ErrNoRow if it has not, or too long ago.
func (v *Visitor) EnterBySecondStep(ctx context.Context) error {
	return v.enterProved(ctx, func(tx *db.Tx) (string, error) {
		checked, first, err := v.s.factors.TakeStep(tx, v.Step())
		if err != nil {
			return "", err
		}
		var by oauth.Voucher
		if err := json.Unmarshal(first, &by); err != nil {
			return "", err
		}
		return v.begin(tx, checked, by)
	})
}

func (v *Visitor) enterProved(ctx context.Context, begin func(tx *db.Tx) (string, error)) error {
	var session string
	err := v.s.db.Write(ctx, func(tx *db.Tx) (err error) {
		session, err = begin(tx)
		return err
	})
	if err == nil {
		v.setCookie(v.s.cookies.session, session, sessionLife)
		v.setCookie(v.s.cookies.step, "", -time.Second)
	}
	return err
}

// begin replaces the session of this browser.
func (v *Visitor) begin(tx *db.Tx, checked accounts.Account, by oauth.Voucher) (cookie string, err error) {
	if v.SignedIn() {
		if err := v.s.oauth.SignOutBrowser(tx, v.session); err != nil {
			return "", err
		}
	}
	if by.Provider != "" {
		return v.s.oauth.SignInVouched(tx, checked, v.Call, by)
	}
	return v.s.oauth.SignInBrowser(tx, checked, v.Call)
}

// Step is the cookie of a sign-in of which the first step is done; empty if there is
// none.
func (v *Visitor) Step() string { return v.Call.Cookie(v.s.cookies.step) }

// SecondStep sends the browser to the page for the second step, and from there to a
// path.
func (v *Visitor) SecondStep(next string) (httpapi.Reply, error) {
	return v.Leave(At(SecondStepPath, "continue", next))
}
