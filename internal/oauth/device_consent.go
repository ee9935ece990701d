package oauth

import (
	"context"
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Decision is what became of a device that asks.
type Decision string

// The decisions.
const (
	Undecided Decision = "undecided"
	Allowed   Decision = "allowed"
	Denied    Decision = "denied"
)

// DeviceRequest is a device that asks to sign in, as the page shows it (OA-38).
type DeviceRequest struct {
	UserCode  string // as people read it: XXXX-XXXX
	Client    Client
	DeviceID  id.DeviceID
	IP        string // from where it asks
	UserAgent string
	Created   time.Time
	Decision  Decision
	// Replaces is the session that this one would end (OA-31), or nil.
	Replaces *accounts.Device

	grant deviceGrant
}

// FindDeviceRequest gives the device that shows the code, for the page that lets
// the person decide. It fails with NotFound, always in the same words, for a code
// that is wrong, has run out or was decided on by somebody else (OA-16, OA-42), and
// with LimitExceeded after too many wrong ones. A wrong code counts against the
// account, its address and everybody.
func (s *Service) FindDeviceRequest(ctx context.Context, call *httpapi.Call, userID id.UserID, userCode string) (d DeviceRequest, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		if err := mayGuessCode(tx, call, userID); err != nil {
			return err
		}
		d, err = s.deviceRequest(tx, userID, userCode)
		return err
	})
	if !errors.Is(err, db.ErrNoRow) {
		return d, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error { return countCodeGuess(tx, call, userID) })
	if err == nil {
		err = unknownUserCode()
	}
	return d, err
}

func unknownUserCode() error {
	return errcode.NotFound.New("This code is not right, or is no longer valid. Look at the device again: if it shows another code, enter that one; if it shows none, begin the sign-in there again.")
}

// deviceRequest gives db.ErrNoRow for a code that was never given out, and NotFound
// for one that this person may not see any more.
func (s *Service) deviceRequest(tx *db.Tx, userID id.UserID, userCode string) (d DeviceRequest, err error) {
	code := readUserCode(userCode)
	d.grant, err = db.One(tx, scanGrant, `SELECT `+grantColumns+` FROM device_grants WHERE user_code_hash = $1`, secret.Hash(code))
	if err != nil {
		return d, err
	}
	switch d.grant.state {
	case grantPending:
		d.Decision = Undecided
	case grantDenied:
		d.Decision = Denied
	default:
		d.Decision = Allowed
	}
	mine := d.grant.userID != nil && *d.grant.userID == userID
	if (d.Decision == Undecided && d.grant.expire <= tx.Now.UnixMilli()) || (d.Decision != Undecided && !mine) {
		return d, unknownUserCode()
	}
	if d.Client, err = findClient(tx, d.grant.clientID); err != nil {
		return d, err
	}
	scope, err := parseScope(d.grant.scope)
	if err != nil {
		return d, err
	}
	d.UserCode, d.DeviceID, d.IP, d.UserAgent = showUserCode(code), scope.DeviceID, d.grant.ip, d.grant.userAgent
	d.Created = time.UnixMilli(d.grant.created)
	if d.Decision == Undecided {
		d.Replaces, err = s.replaced(tx, userID, d.DeviceID)
	}
	return d, err
}

// replaced gives the device whose session a new one would end, or nil.
func (s *Service) replaced(tx *db.Tx, userID id.UserID, deviceID id.DeviceID) (*accounts.Device, error) {
	device, err := s.accounts.Device(tx, userID, deviceID)
	if errors.Is(err, db.ErrNoRow) {
		return nil, nil
	}
	return &device, err
}

// Replaces gives the device of the person whose session an authorization would end
// (OA-31), or nil.
func (s *Service) Replaces(tx *db.Tx, a Authorization, userID id.UserID) (*accounts.Device, error) {
	return s.replaced(tx, userID, a.Scope.DeviceID)
}

// ApproveDevice lets the device that shows the code sign in to the account, and
// gives the decision that stands: of two, the first. An account that may begin no
// session denies it, and the device is told why (MSC3866, A-33). It fails with
// NotFound as FindDeviceRequest does.
func (s *Service) ApproveDevice(tx *db.Tx, userID id.UserID, userCode string) (Decision, error) {
	err := s.mayBegin(tx, userID)
	var refused *errcode.Error
	if errors.As(err, &refused) {
		return s.decide(tx, userID, userCode, grantDenied, refused.Text)
	}
	if err != nil {
		return "", err
	}
	return s.decide(tx, userID, userCode, grantApproved, "")
}

// DenyDevice refuses the device that shows the code, and gives the decision that
// stands. It fails with NotFound as FindDeviceRequest does.
func (s *Service) DenyDevice(tx *db.Tx, userID id.UserID, userCode string) (Decision, error) {
	return s.decide(tx, userID, userCode, grantDenied, "The person refused.")
}

func (s *Service) decide(tx *db.Tx, userID id.UserID, userCode, state, reason string) (Decision, error) {
	d, err := s.deviceRequest(tx, userID, userCode)
	if errors.Is(err, db.ErrNoRow) {
		return "", unknownUserCode()
	}
	if err != nil {
		return "", err
	}
	if err := lockGrant(tx, d.grant.deviceCodeHash); err != nil {
		return "", err
	}
	if d, err = s.deviceRequest(tx, userID, userCode); err != nil || d.Decision != Undecided {
		return d.Decision, err
	}
	err = tx.Later(`UPDATE device_grants SET state = $2, reason = $3, user_id = $4 WHERE device_code_hash = $1`, d.grant.deviceCodeHash, state, reason, userID)
	if state == grantDenied {
		return Denied, err
	}
	return Allowed, err
}
