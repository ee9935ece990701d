package accounts

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// Asking is what a page wants validated. The rules, and the sessions, are those of the
// six requestToken endpoints.
type Asking struct {
	Purpose validation.Purpose
	// Medium is empty for whichever the text looks like.
	Medium validation.Medium
	// Address is as the person typed it.
	Address      string
	ClientSecret string
	// Account is who asks; empty if nobody is signed in.
	Account id.UserID
	// NextPath is where a browser that opened the link of a mail goes on.
	NextPath string
	// Discreet hides whether an account has the address, whatever the configuration
	// says.
	Discreet bool
}

// askAgain is how long it takes until a person who asks once more is sent another
// message. Whoever sends a form twice gets one.
const askAgain = 30 * time.Second

// Ask has a link or a code sent to an address, and gives the id of the session. It
// fails with InvalidParam, naming the medium as the parameter, for what is no address;
// with ThreepidMediumNotSupported, ThreepidDenied, DestinationRejected and
// LimitExceeded; with SendError if the message was refused for good; and unless it is
// discreet with ThreepidInUse or ThreepidNotFound.
func (s *Service) Ask(ctx context.Context, call *httpapi.Call, a Asking) (sid string, err error) {
	if a.Medium == "" {
		a.Medium = s.mediumOf(a.Address)
	}
	address, err := s.readAddress(a.Medium, a.Address)
	if err != nil {
		return "", errcode.InvalidParam.New("%s", err).With("param", string(a.Medium))
	}
	resp, err := s.requestToken(ctx, call, tokenWish{
		Request: validation.Request{
			Purpose: a.Purpose, Medium: a.Medium, ClientSecret: a.ClientSecret, Account: string(a.Account), NextPath: a.NextPath,
		},
		attempt:  jsontext.Value(strconv.FormatInt(call.Now.Unix()/int64(askAgain/time.Second), 10)),
		discreet: a.Discreet, field: string(a.Medium), parse: func() (string, error) { return address, nil },
	})
	var refused *errcode.Error
	if errors.Is(err, validation.ErrSend) && errors.As(err, &refused) {
		return "", errcode.SendError.Wrap(err, "%s", refused.Text)
	}
	return resp.SID, err
}

// mediumOf says what a text is meant to be, of what can be validated.
func (s *Service) mediumOf(text string) validation.Medium {
	mail, phone := s.validation.Configured(validation.Email), s.validation.Configured(validation.Phone)
	if phone && (!mail || !strings.Contains(text, "@")) {
		return validation.Phone
	}
	return validation.Email
}

// readAddress gives the canonical form of what a person typed. Its errors are
// sentences.
func (s *Service) readAddress(medium validation.Medium, text string) (string, error) {
	if medium == validation.Phone {
		number, err := validation.ParsePhone(s.country(), text)
		return number.MSISDN, err
	}
	return validation.ParseEmail(text)
}

// Owner gives the account that has an address, in its canonical form, or db.ErrNoRow.
func (s *Service) Owner(tx *db.Tx, medium validation.Medium, address string) (id.UserID, error) {
	return ownerOf(tx, medium, address)
}

// AddThreepid makes the address that a validation shows one of the account's, and uses
// the validation up (TP-71). It fails with ThreepidAuthFailed if the session shows
// nothing, or was begun by another account; with ThreepidInUse, and ThreepidDenied.
func (s *Service) AddThreepid(tx *db.Tx, userID id.UserID, sid, clientSecret string) error {
	return s.addShown(tx, userID, threepidCreds{SID: sid, ClientSecret: clientSecret}, errcode.ThreepidAuthFailed)
}

// AttachShown gives a new account the address that a validation shows, and uses the
// validation up (TP-31, TP-68). It fails with ThreepidAuthFailed if the session shows
// nothing; with ThreepidInUse, and ThreepidDenied.
func (s *Service) AttachShown(tx *db.Tx, userID id.UserID, sid, clientSecret string) error {
	shown, err := s.validation.Validated(tx, []validation.Purpose{validation.Register}, sid, clientSecret)
	if err == nil {
		err = s.validation.Use(tx, sid)
	}
	if err != nil {
		return unproven(err, errcode.ThreepidAuthFailed)
	}
	return s.attach(tx, userID, shown.Medium, shown.Address, shown.At)
}
