package identity

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
	"github.com/narthex-matrix/narthex/internal/xmatrix"
)

// validated gives the address of a session, or says in this API's codes why there
// is none.
func (s *Service) validated(tx *db.Tx, sid, clientSecret string) (validation.Validated, error) {
	v, err := s.validation.Validated(tx, []validation.Purpose{validation.Identity}, sid, clientSecret)
	switch {
	case errors.Is(err, validation.ErrUnknown):
		err = errcode.NoValidSession.New("There is no validation session with this sid and client_secret.")
	case errors.Is(err, validation.ErrExpired):
		err = errcode.SessionExpired.New("The validation session is too old. Begin another one.")
	case errors.Is(err, validation.ErrNotValidated):
		err = errcode.SessionNotValidated.New("Nobody has followed the link or typed the code yet.")
	}
	return v, err
}

type getValidated3pidRequest struct {
	SID          string `query:"sid,required"`
	ClientSecret string `query:"client_secret,required"`
}

type getValidated3pidResponse struct {
	Medium      validation.Medium `json:"medium"`
	Address     string            `json:"address"`
	ValidatedAt int64             `json:"validated_at"` // milliseconds
}

func (s *Service) getValidated3pid(ctx context.Context, _ *httpapi.Call, req getValidated3pidRequest) (resp getValidated3pidResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		v, err := s.validated(tx, req.SID, req.ClientSecret)
		if err != nil {
			return err
		}
		resp = getValidated3pidResponse{Medium: v.Medium, Address: v.Address, ValidatedAt: v.At.UnixMilli()}
		return nil
	})
	return resp, err
}

// association says that an address is a user's, as this service signs it.
type association struct {
	Medium    validation.Medium `json:"medium"`
	Address   string            `json:"address"`
	UserID    id.UserID         `json:"mxid"`
	NotBefore int64             `json:"not_before"` // milliseconds, like the next two
	NotAfter  int64             `json:"not_after"`
	TS        int64             `json:"ts"`
}

// associationLifetime is for ever, for those who read the statement: it cannot say
// that it has no end.
const associationLifetime = 100 * 365 * 24 * time.Hour

type bindRequest struct {
	SID          *string    `json:"sid" required:"true"`
	ClientSecret *string    `json:"client_secret" required:"true"`
	UserID       *id.UserID `json:"mxid" required:"true"`
}

// bind publishes that a validated address is the requester's. Whoever had it
// before has it no more. A session may do so again while it lives.
func (s *Service) bind(ctx context.Context, call *httpapi.Call, req bindRequest) (jsontext.Value, error) {
	if *req.UserID != call.UserID {
		return nil, errcode.NotYours.New("You can publish addresses for your own user only.")
	}
	var bound association
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		v, err := s.validated(tx, *req.SID, *req.ClientSecret)
		if err != nil {
			return err
		}
		now := tx.Now.UnixMilli()
		bound = association{Medium: v.Medium, Address: v.Address, UserID: call.UserID,
			NotBefore: now, NotAfter: tx.Now.Add(associationLifetime).UnixMilli(), TS: now}
		if err := putAssociation(tx, bound); err != nil {
			return err
		}
		return enqueueOnBind(tx, bound)
	})
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(bound)
	if err != nil {
		return nil, err
	}
	return s.signed(raw)
}

type unbindRequest struct {
	Threepid *struct {
		Medium  validation.Medium `json:"medium"`
		Address string            `json:"address"`
	} `json:"threepid" required:"true"`
	UserID       *id.UserID `json:"mxid" required:"true"`
	SID          *string    `json:"sid"`
	ClientSecret *string    `json:"client_secret"`
}

const maxUnbindBody = 64 << 10

// unbind takes an association back: for the homeserver of its user, which has
// signed the request, or for whoever shows by a validated session that the address
// is theirs. It succeeds too where there was nothing to take back.
func (s *Service) unbind(ctx context.Context, call *httpapi.Call, r *http.Request) (httpapi.Reply, error) {
	signed := xmatrix.Is(r.Header.Get("Authorization"))
	if !signed {
		if err := s.signedIn(ctx, call, r); err != nil {
			return httpapi.Reply{}, err
		}
	}
	body, req, err := readUnbind(r)
	if err != nil {
		return httpapi.Reply{}, err
	}
	if signed {
		if err := s.verifyRequest(ctx, call, r, body, req.UserID.ServerName()); err != nil {
			return httpapi.Reply{}, errcode.Forbidden.Wrap(err, "The signature of the request is not one of the user's homeserver.")
		}
	} else if req.SID == nil || req.ClientSecret == nil {
		return httpapi.Reply{}, errcode.MissingParams.New("\"sid\" and \"client_secret\" are missing: they show that the address is yours.")
	}
	medium, address := req.Threepid.Medium, canonical(req.Threepid.Medium, req.Threepid.Address)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if !signed {
			v, err := s.validated(tx, *req.SID, *req.ClientSecret)
			if err != nil {
				return err
			}
			if v.Medium != medium || v.Address != address {
				return errcode.Forbidden.New("The validation session is for another address.")
			}
		}
		return removeAssociation(tx, medium, address, *req.UserID)
	})
	return httpapi.JSONReply([]byte("{}")), err
}

// signedIn is what routes for users of this service do, for the one that takes
// homeservers as well.
func (s *Service) signedIn(ctx context.Context, call *httpapi.Call, r *http.Request) error {
	token, err := httpapi.AccessToken(r)
	if err != nil || token == "" {
		return errcode.IdentityUnauthorized.Wrap(err, "This needs an access token of the identity service, or the signature of a homeserver.")
	}
	who, err := s.Authenticate(ctx, token, call)
	if err == nil && who.TermsDue {
		err = errcode.TermsNotSigned.New("There are terms of this identity service that you have to accept first.")
	}
	return err
}

func readUnbind(r *http.Request) (body []byte, req unbindRequest, err error) {
	var read bytes.Buffer // the signature covers the body as it came
	r.Body = io.NopCloser(io.TeeReader(r.Body, &read))
	if req, err = httpapi.Bind[unbindRequest](r, maxUnbindBody); err != nil {
		return nil, req, err
	}
	if req.Threepid.Medium == "" || req.Threepid.Address == "" {
		return nil, req, errcode.MissingParams.New("\"threepid\" needs a \"medium\" and an \"address\".")
	}
	return read.Bytes(), req, nil
}
