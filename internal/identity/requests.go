package identity

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// maxAddress is the size, in bytes, beyond which a text is no address at all.
const maxAddress = 500

type emailRequestTokenRequest struct {
	ClientSecret *string        `json:"client_secret" required:"true"`
	Email        *string        `json:"email" required:"true"`
	SendAttempt  jsontext.Value `json:"send_attempt" required:"true"`
	NextLink     string         `json:"next_link"`
}

type emailRequestTokenResponse struct {
	SID string `json:"sid"`
}

func (s *Service) emailRequestToken(ctx context.Context, call *httpapi.Call, req emailRequestTokenRequest) (resp emailRequestTokenResponse, err error) {
	if err := checkSize("email", *req.Email); err != nil {
		return resp, err
	}
	attempt, err := sendAttempt(req.SendAttempt)
	if err != nil {
		return resp, err
	}
	address, err := validation.ParseEmail(*req.Email)
	if err != nil {
		return resp, errcode.InvalidEmail.New("%s", err)
	}
	resp.SID, err = s.validation.Send(ctx, call, validation.Request{
		Purpose: validation.Identity, Medium: validation.Email, Address: address,
		ClientSecret: *req.ClientSecret, SendAttempt: attempt, NextLink: req.NextLink, SubmitURL: s.base + emailSubmitPath,
	})
	if errors.Is(err, validation.ErrSend) {
		err = errcode.EmailSendError.Wrap(err, "The mail could not be delivered. Check the address.")
	}
	return resp, err
}

type msisdnRequestTokenRequest struct {
	ClientSecret *string        `json:"client_secret" required:"true"`
	Country      *string        `json:"country" required:"true"`
	PhoneNumber  *string        `json:"phone_number" required:"true"`
	SendAttempt  jsontext.Value `json:"send_attempt" required:"true"`
	NextLink     string         `json:"next_link"`
}

type msisdnRequestTokenResponse struct {
	SID string `json:"sid"`
	// The others are those of Sydent, which clients show.
	Success       bool   `json:"success"`
	MSISDN        string `json:"msisdn"`
	International string `json:"intl_fmt"`
}

func (s *Service) msisdnRequestToken(ctx context.Context, call *httpapi.Call, req msisdnRequestTokenRequest) (resp msisdnRequestTokenResponse, err error) {
	if err := errors.Join(checkSize("country", *req.Country), checkSize("phone_number", *req.PhoneNumber)); err != nil {
		return resp, err
	}
	attempt, err := sendAttempt(req.SendAttempt)
	if err != nil {
		return resp, err
	}
	number, err := validation.ParsePhone(*req.Country, *req.PhoneNumber)
	if err != nil {
		return resp, errcode.InvalidAddress.New("%s", err)
	}
	sid, err := s.validation.Send(ctx, call, validation.Request{
		Purpose: validation.Identity, Medium: validation.Phone, Address: number.MSISDN,
		ClientSecret: *req.ClientSecret, SendAttempt: attempt, NextLink: req.NextLink, SubmitURL: s.base + phoneSubmitPath,
	})
	if errors.Is(err, validation.ErrSend) {
		err = errcode.SendError.Wrap(err, "The text message could not be delivered. Check the number.")
	}
	return msisdnRequestTokenResponse{SID: sid, Success: true, MSISDN: number.MSISDN, International: number.International}, err
}

// sendAttempt reads a whole number that is not negative, or its digits as a string:
// that is how matrix-js-sdk sends it to an identity service.
func sendAttempt(raw jsontext.Value) (int64, error) {
	text := string(raw)
	if inner, ok := strings.CutPrefix(text, `"`); ok {
		text = strings.TrimSuffix(inner, `"`)
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || strings.HasPrefix(text, "+") {
		return 0, errcode.InvalidParam.New("\"send_attempt\" has to be a whole number that is not negative.").With("param", "send_attempt")
	}
	return n, nil
}

func checkSize(name, text string) error {
	if text == "" || len(text) > maxAddress {
		return errcode.InvalidParam.New("%q must have 1 to %d bytes.", name, maxAddress).With("param", name)
	}
	return nil
}
