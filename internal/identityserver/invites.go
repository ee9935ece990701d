package identityserver

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// Invite is an invitation for an address that belongs to nobody. What is not known
// stays empty.
type Invite struct {
	Medium        validation.Medium `json:"medium"`
	Address       string            `json:"address"`
	RoomID        id.RoomID         `json:"room_id"`
	Sender        id.UserID         `json:"sender"`
	SenderName    string            `json:"sender_display_name,omitzero"`
	SenderAvatar  string            `json:"sender_avatar_url,omitzero"`
	RoomAlias     string            `json:"room_alias,omitzero"`
	RoomAvatar    string            `json:"room_avatar_url,omitzero"`
	RoomJoinRules string            `json:"room_join_rules,omitzero"`
	RoomName      string            `json:"room_name,omitzero"`
	RoomType      string            `json:"room_type,omitzero"`
}

// InviteKey is a public key, in base64, with which the acceptance of an invitation is
// signed, and where to ask whether it is valid.
type InviteKey struct {
	PublicKey   string `json:"public_key"`
	ValidityURL string `json:"key_validity_url,omitzero"`
}

// Stored is what an identity server gives for an invitation: what goes into the event
// m.room.third_party_invite.
type Stored struct {
	Token       string      `json:"token"`
	DisplayName string      `json:"display_name"` // the address, redacted
	PublicKeys  []InviteKey `json:"public_keys"`
	// PublicKey is the only key where an identity server gives no list.
	PublicKey string `json:"public_key"`
}

// StoreInviteFailures are the codes that [Service.StoreInvite] fails with, beside
// Unknown and LimitExceeded. ThreepidInUse has whose address it is (`mxid`).
var StoreInviteFailures = []*errcode.Code{
	errcode.ServerNotTrusted, errcode.IdentityUnauthorized, errcode.TermsNotSigned, errcode.ThreepidInUse,
	errcode.InvalidEmail, errcode.EmailSendError, errcode.ThreepidMediumNotSupported, errcode.UnrecognizedValue,
}

// StoreInvite has an identity server keep an invitation until somebody publishes its
// address, and tell the person by mail. The token is the inviter's.
func (s *Service) StoreInvite(ctx context.Context, server, token string, invite Invite) (stored Stored, err error) {
	if !s.Trusts(server) {
		return stored, notTrusted()
	}
	err = s.do(ctx, request{method: http.MethodPost, server: server, path: storeInvitePath, authorization: bearer(token), body: invite}, &stored)
	if err == nil && len(stored.PublicKeys) == 0 && stored.PublicKey != "" {
		stored.PublicKeys = []InviteKey{{PublicKey: stored.PublicKey, ValidityURL: "https://" + server + validKeyPath}}
	}
	if err == nil && (stored.Token == "" || len(stored.PublicKeys) == 0) {
		err = errors.New("the identity server gives no token or no key for the invitation")
	}
	if err != nil {
		return Stored{}, passOn(err, StoreInviteFailures...)
	}
	return stored, nil
}

// KeyIsValid asks the address that came with a public key whether it is valid still.
// Whoever invited has chosen the address: it need not be that of a trusted server.
func (s *Service) KeyIsValid(ctx context.Context, validityURL, publicKey string) (bool, error) {
	u, err := url.Parse(validityURL)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && !slices.Contains(s.own, u.Host)) {
		return false, errors.New("the key_validity_url is not one of https")
	}
	query := u.Query()
	query.Set("public_key", publicKey)
	u.RawQuery, u.Fragment = query.Encode(), ""
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false, errors.New("the key_validity_url makes no address")
	}
	var said struct {
		Valid bool `json:"valid"`
	}
	err = s.ask(r, &said)
	return said.Valid, err
}
