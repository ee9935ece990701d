package web

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/validation"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// The pages that confirm addresses keep nothing of their own: what was begun is a
// session of package validation. Its id is in the path, and its secret is made from
// the cookie, so that the session goes on in no other browser, but in every tab.

// media are the kinds of addresses that can be confirmed.
func (s *Service) media() page.Media {
	return page.Media{Mail: s.cfg.SendsMail(), Phone: s.cfg.SendsText()}
}

// secretOf is the client secret of what this browser begins.
func secretOf(v *visitor.Visitor, purpose validation.Purpose) string {
	return hex.EncodeToString(v.Key("validation " + string(purpose)))
}

// look gives a session that this browser has begun; ok is false if it has not, or if
// the session was used.
func (s *Service) look(ctx context.Context, v *visitor.Visitor, purpose validation.Purpose, sid string) (b validation.Begun, ok bool, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		b, err = s.validation.Look(tx, purpose, sid, secretOf(v, purpose))
		return err
	})
	if errors.Is(err, validation.ErrUnknown) || errors.Is(err, validation.ErrUsed) {
		return b, false, nil
	}
	return b, err == nil, err
}

// codeForm is what the page that asks for a code sends.
type codeForm struct {
	Token    string `form:"form_token"`
	SID      string `form:"sid"`
	Continue string `form:"continue"`
	Email    string `form:"code_email"`
	Phone    string `form:"code_msisdn"`
	Password string `form:"password"`
	Again    string `form:"again"`
}

// code is what was typed for an address.
func (f codeForm) code(m validation.Medium) string {
	if m == validation.Phone {
		return strings.TrimSpace(f.Phone)
	}
	return strings.TrimSpace(f.Email)
}

// takeCode gives the code for an address back. Whoever has opened the link of a mail
// types none.
func (s *Service) takeCode(ctx context.Context, v *visitor.Visitor, purpose validation.Purpose, sid string, m validation.Medium, code string) error {
	switch {
	case code == "" && m == validation.Phone:
		return errcode.InvalidParam.New("Enter the code from the message.")
	case code == "":
		return errcode.InvalidParam.New("The link in the mail has not been opened yet. Open it, or enter the code from the mail.")
	}
	_, err := s.validation.Submit(ctx, v.Call, validation.Submission{
		Purpose: purpose, Medium: m, SID: sid, ClientSecret: secretOf(v, purpose), Token: code,
	})
	return err
}

// sendAgain has another message sent for what this browser has begun, and gives the
// id of the session, which is a new one if the first is over.
func (s *Service) sendAgain(ctx context.Context, v *visitor.Visitor, purpose validation.Purpose, b validation.Begun, next string) (sid string, err error) {
	return s.accounts.Ask(ctx, v.Call, accounts.Asking{
		Purpose: purpose, Medium: b.Medium, Address: shownAddress(b.Medium, b.Address), ClientSecret: secretOf(v, purpose),
		Account: v.Browser.UserID(), NextPath: next, Discreet: purpose == validation.Password,
	})
}

// sent is an address as the page that asks for its code shows it.
func sent(b validation.Begun) page.Sent {
	return page.Sent{Mail: b.Medium == validation.Email, Medium: string(b.Medium), Address: shownAddress(b.Medium, b.Address), Confirmed: b.Validated}
}

// shownAddress is an address as people write it.
func shownAddress(m validation.Medium, address string) string {
	if m != validation.Phone {
		return address
	}
	number, err := validation.ParsePhone("", "+"+address)
	if err != nil {
		return "+" + address
	}
	return number.International
}

// elsewhere answers a browser that has begun nothing.
func elsewhere(v *visitor.Visitor, again string) (httpapi.Reply, error) {
	return v.Show(200, page.Elsewhere{Again: again})
}
