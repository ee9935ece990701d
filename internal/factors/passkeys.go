package factors

import (
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// partyOf is what passkeys are bound to: the host of the public address. Browsers have
// none for plain HTTP, but for this machine, and none for IP addresses.
func partyOf(cfg config.Config) *webauthn.WebAuthn {
	u, err := url.Parse(cfg.BaseURL())
	if err != nil {
		return nil
	}
	if _, err := netip.ParseAddr(u.Hostname()); err == nil || (u.Scheme != "https" && u.Hostname() != "localhost") {
		return nil
	}
	party, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: cfg.ServerName, RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		// A passkey that a browser finds by itself, and unlocks, can sign in alone.
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, UserVerification: protocol.VerificationRequired,
		},
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil
	}
	return party
}

// HasPasskeys reports whether browsers keep passkeys for the address of this server.
func (s *Service) HasPasskeys() bool { return s.party != nil }

// Purpose is what somebody answers a challenge for. An answer is good for no other.
type Purpose string

// The purposes of challenges.
const (
	ToAdd     Purpose = "add"     // a passkey to the account
	ToSignIn  Purpose = "sign in" // without a password, and without a name
	AsStep    Purpose = "step"    // after the password
	ToConfirm Purpose = "confirm" // that it is still the same person
)

// Challenge gives what a browser needs to ask for a passkey: the options for
// navigator.credentials, as JSON. The user is empty for ToSignIn. The challenge can be
// answered once, within five minutes, in the browser that it was made for.
func (s *Service) Challenge(tx *db.Tx, purpose Purpose, userID id.UserID, browser []byte) ([]byte, error) {
	if s.party == nil {
		return nil, ErrWrong
	}
	var options any
	var session *webauthn.SessionData
	var err error
	if purpose == ToSignIn {
		options, session, err = s.party.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	} else {
		who, failed := ownerOf(tx, userID)
		switch {
		case failed != nil:
			return nil, failed
		case purpose == ToAdd:
			options, session, err = s.party.BeginRegistration(who, webauthn.WithExclusions(webauthn.Credentials(who.credentials).CredentialDescriptors()))
		case len(who.credentials) == 0:
			return nil, ErrWrong
		default:
			options, session, err = s.party.BeginLogin(who, webauthn.WithUserVerification(verification(purpose)))
		}
	}
	if err != nil {
		return nil, err
	}
	if err := insertChallenge(tx, session.Challenge, purpose, userID, browser); err != nil {
		return nil, err
	}
	return json.Marshal(options) // as the library has its tags
}

// verification says whether the authenticator has to know its user, by a fingerprint or
// a PIN. After a password it need not.
func verification(purpose Purpose) protocol.UserVerificationRequirement {
	if purpose == AsStep {
		return protocol.VerificationPreferred
	}
	return protocol.VerificationRequired
}

// session is what the library remembers of a challenge.
func (s *Service) session(challenge string, purpose Purpose, handle []byte) webauthn.SessionData {
	session := webauthn.SessionData{
		Challenge: challenge, RelyingPartyID: s.party.Config.RPID, UserID: handle, UserVerification: verification(purpose),
	}
	if purpose == ToAdd {
		session.CredParams = webauthn.CredentialParametersDefault()
	}
	return session
}

// AddPasskey adds the passkey that answers a challenge ToAdd. A refusal is ErrWrong;
// the challenge is used up by it, so the caller commits either way. The first factor
// of an account brings recovery codes, which are given here and never again.
func (s *Service) AddPasskey(tx *db.Tx, userID id.UserID, browser []byte, name string, answer []byte) (recovery []string, err error) {
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if s.party == nil || err != nil {
		return nil, ErrWrong
	}
	if _, err := s.accounts.Hold(tx, userID); err != nil {
		return nil, err
	}
	challenge := parsed.Response.CollectedClientData.Challenge
	if err := takeChallenge(tx, challenge, ToAdd, userID, browser); err != nil {
		return nil, err
	}
	who, err := ownerOf(tx, userID)
	if err != nil {
		return nil, err
	}
	credential, err := s.party.CreateCredential(who, s.session(challenge, ToAdd, who.handle), parsed)
	if err != nil {
		s.log.Info("a new passkey was refused", "user_id", userID, "why", why(err))
		return nil, ErrWrong
	}
	if len(who.credentials) >= maxPasskeys {
		return nil, ErrWrong
	}
	if err := insertPasskey(tx, userID, name, credential); errors.Is(err, db.ErrDuplicate) {
		return nil, ErrWrong
	} else if err != nil {
		return nil, err
	}
	return s.settle(tx, userID, PasskeyAdded)
}

// maxPasskeys is how many an account may have: the pages list them all.
const maxPasskeys = 20

// CheckPasskey gives the account whose passkey answers a challenge; the user is empty
// for ToSignIn. A refusal is ErrWrong; the challenge is used up by it, so the caller
// commits either way.
func (s *Service) CheckPasskey(tx *db.Tx, purpose Purpose, userID id.UserID, browser, answer []byte) (a accounts.Account, err error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if s.party == nil || err != nil {
		return a, ErrWrong
	}
	challenge := parsed.Response.CollectedClientData.Challenge
	if err := takeChallenge(tx, challenge, purpose, userID, browser); err != nil {
		return a, err
	}
	found, err := ownerOfPasskey(tx, parsed.RawID)
	if errors.Is(err, db.ErrNoRow) || (err == nil && userID != "" && found != userID) {
		return a, ErrWrong
	}
	if err != nil {
		return a, err
	}
	if a, err = s.accounts.Hold(tx, found); err != nil {
		return a, err
	}
	who, err := ownerOf(tx, found)
	if err != nil {
		return a, err
	}
	credential, err := s.verify(who, purpose, challenge, parsed)
	if err != nil {
		s.log.Info("a passkey was refused", "user_id", found, "why", why(err))
		return a, ErrWrong
	}
	if credential.Authenticator.CloneWarning {
		// Somebody has a copy: it, or this one, was used in between.
		s.log.Warn("a passkey was refused, because its counter has gone back: there is a copy of it", "user_id", found)
		return a, ErrWrong
	}
	return a, usePasskey(tx, credential)
}

func (s *Service) verify(who *owner, purpose Purpose, challenge string, parsed *protocol.ParsedCredentialAssertionData) (*webauthn.Credential, error) {
	if purpose != ToSignIn {
		return s.party.ValidateLogin(who, s.session(challenge, purpose, who.handle), parsed)
	}
	_, credential, err := s.party.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return who, nil },
		s.session(challenge, purpose, nil), parsed)
	return credential, err
}

// why is what the library says of a refusal, for the log.
func why(err error) string {
	var refused *protocol.Error
	if errors.As(err, &refused) {
		return refused.Details + " " + refused.DevInfo
	}
	return err.Error()
}

// RenamePasskey gives a passkey another name. It fails with db.ErrNoRow if the user
// has no such passkey.
func (s *Service) RenamePasskey(tx *db.Tx, userID id.UserID, passkey []byte, name string) error {
	n, err := tx.Exec(`UPDATE passkeys SET name = $3 WHERE user_id = $1 AND credential_id = $2`, userID, passkey, NameOf(name))
	if err == nil && n == 0 {
		err = db.ErrNoRow
	}
	return err
}

// RemovePasskey makes a passkey worthless. It fails with db.ErrNoRow if the user has no
// such passkey, and with ErrLast if the account has to keep it.
func (s *Service) RemovePasskey(tx *db.Tx, userID id.UserID, passkey []byte) error {
	if _, err := s.accounts.Hold(tx, userID); err != nil {
		return err
	}
	n, err := tx.Exec(`DELETE FROM passkeys WHERE user_id = $1 AND credential_id = $2`, userID, passkey)
	if err == nil && n == 0 {
		err = db.ErrNoRow
	}
	if err != nil {
		return err
	}
	_, err = s.settle(tx, userID, PasskeyRemoved)
	return err
}
