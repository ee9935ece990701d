package identity

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/secret"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// An address gets so many invitations a day, whoever sends them.
const (
	maxInvites    = 10
	invitesWithin = 24 * time.Hour
)

type storeInviteRequest struct {
	Medium  *validation.Medium `json:"medium" required:"true"`
	Address *string            `json:"address" required:"true"`
	RoomID  *id.RoomID         `json:"room_id" required:"true"`
	Sender  *id.UserID         `json:"sender" required:"true"`
	// The others are for the mail. There may be more, which it has no use for.
	SenderName string `json:"sender_display_name"`
	RoomName   string `json:"room_name"`
	RoomType   string `json:"room_type"`
	RoomAvatar string `json:"room_avatar_url"`
}

type inviteKey struct {
	PublicKey   string `json:"public_key"`
	ValidityURL string `json:"key_validity_url"`
}

type storeInviteResponse struct {
	Token string `json:"token"`
	// PublicKeys are the long-term and the ephemeral one.
	PublicKeys []inviteKey `json:"public_keys"`
	// PublicKey is the long-term one once more, as older homeservers read it.
	PublicKey   string `json:"public_key"`
	DisplayName string `json:"display_name"`
}

// invite is an invitation for an address that belongs to nobody.
type invite struct {
	token     string
	medium    validation.Medium
	address   string
	room      id.RoomID
	sender    id.UserID
	publicKey string // the ephemeral one
}

// storeInvite keeps an invitation until somebody binds its address, and mails it
// there. The private half of its key is in the mail and nowhere else.
func (s *Service) storeInvite(ctx context.Context, call *httpapi.Call, req storeInviteRequest) (resp storeInviteResponse, err error) {
	if err := s.checkInvite(call, req); err != nil {
		return resp, err
	}
	address, err := validation.ParseEmail(*req.Address)
	if err != nil {
		return resp, errcode.InvalidEmail.New("%s", err)
	}
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return resp, err
	}
	made := invite{token: secret.String(24), medium: validation.Email, address: address, room: *req.RoomID, sender: *req.Sender,
		publicKey: base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey))}
	letter := mail.Message{To: address, Template: mail.InviteToRoom, Data: mail.Invite{
		Sender: string(made.sender), SenderName: req.SenderName, RoomName: req.RoomName, Link: s.inviteLink(made, private, req),
	}}
	if err := s.keepInvite(ctx, made, letter); err != nil {
		return resp, err
	}
	return storeInviteResponse{
		Token:       made.token,
		PublicKeys:  []inviteKey{{s.key.public(), s.keyValidityURL()}, {made.publicKey, s.ephemeralKeyValidityURL()}},
		PublicKey:   s.key.public(),
		DisplayName: redacted(address),
	}, nil
}

func (s *Service) checkInvite(call *httpapi.Call, req storeInviteRequest) error {
	switch {
	case *req.Medium != validation.Email:
		return errcode.UnrecognizedValue.New("Invitations can be sent to mail addresses only: \"medium\" must be \"email\".")
	case *req.Sender != call.UserID:
		return errcode.NotYours.New("You can send invitations in your own name only.")
	case !s.mail.Configured():
		return errcode.ThreepidMediumNotSupported.New("This identity service sends no mails.")
	}
	return checkSize("address", *req.Address)
}

// keepInvite stores the invitation and sends its mail, once now; what is only late
// the outbox goes on with.
func (s *Service) keepInvite(ctx context.Context, made invite, letter mail.Message) error {
	var mailID string
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		owner, err := associationOwner(tx, made.medium, made.address)
		if err == nil {
			return errcode.ThreepidInUse.New("The address belongs to a Matrix user. Invite them by their user ID.").With("mxid", owner)
		}
		if !errors.Is(err, db.ErrNoRow) {
			return err
		}
		recent, err := countInvites(tx, made.medium, made.address, tx.Now.Add(-invitesWithin))
		if err != nil {
			return err
		}
		if recent >= maxInvites {
			return errcode.TooManyRequests(invitesWithin)
		}
		if err := insertInvite(tx, made); err != nil {
			return err
		}
		mailID, err = s.mail.Queue(tx, letter)
		return err
	})
	if err != nil {
		return err
	}
	err = s.mail.Deliver(ctx, mailID)
	if errors.Is(err, mail.ErrLater) {
		return nil
	}
	if errors.Is(err, mail.ErrRefused) {
		err = errors.Join(errcode.EmailSendError.Wrap(err, "The mail could not be delivered. Check the address."),
			s.db.Write(ctx, func(tx *db.Tx) error { return removeInvite(tx, made.token) }))
	}
	return err
}

// inviteLink leads to the web client, with what it needs to accept the invitation,
// or to the account page if there is no client. What a client does not know it
// leaves aside.
func (s *Service) inviteLink(made invite, private ed25519.PrivateKey, req storeInviteRequest) string {
	client := s.cfg.Identity.WebClient
	if client == "" {
		return s.cfg.AccountURL()
	}
	accept := url.Values{"token": {made.token}, "private_key": {base64.RawURLEncoding.EncodeToString(private.Seed())}}
	query := url.Values{"email": {made.address}, "signurl": {s.signURL() + "?" + accept.Encode()}}
	for name, value := range map[string]string{
		"room_name": req.RoomName, "room_type": req.RoomType, "room_avatar_url": req.RoomAvatar,
		"inviter_name": cmp.Or(req.SenderName, string(made.sender)),
	} {
		if value != "" {
			query.Set(name, value)
		}
	}
	return strings.TrimRight(client, "/") + "/#/room/" + url.PathEscape(string(made.room)) + "?" + query.Encode()
}

// redacted shows an address so that only who knows it recognizes it: "f...@b...".
func redacted(address string) string {
	local, domain, _ := strings.Cut(address, "@")
	return first(local) + "...@" + first(domain) + "..."
}

func first(text string) string {
	_, size := utf8.DecodeRuneInString(text)
	return text[:size]
}
