package admin

import (
	"context"
	"slices"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// The acts of an administrator, by, who has been admitted, on an account of this
// server: for the endpoints here and for the pages. Each is one transaction, with
// its line in the audit log, and does nothing if the account is so already. Each
// fails with NotFound if there is no such account, with InvalidParam for a user of
// another server, and with Forbidden for what nobody may do to themselves.

// Approve lets a waiting account in; see accounts.Approve.
func (s *Service) Approve(ctx context.Context, by, userID id.UserID, note string) error {
	if err := checkRemark("note", note); err != nil {
		return err
	}
	return s.act(ctx, userID, func(tx *db.Tx, a accounts.Account) error {
		return s.accounts.Approve(tx, a.UserID, string(by), note)
	})
}

// Deny refuses a waiting account; see accounts.Deny.
func (s *Service) Deny(ctx context.Context, by, userID id.UserID, reason string, release bool) error {
	if err := checkRemark("reason", reason); err != nil {
		return err
	}
	return s.act(ctx, userID, func(tx *db.Tx, a accounts.Account) error {
		if a.Pending() { // the only ones that are deactivated by this
			if err := notOneself(by, a.UserID); err != nil {
				return err
			}
		}
		return s.accounts.Deny(tx, a.UserID, string(by), reason, release)
	})
}

// Unapprove makes an account wait again; see accounts.Unapprove.
func (s *Service) Unapprove(ctx context.Context, by, userID id.UserID, logout bool) error {
	if err := notOneself(by, userID); err != nil {
		return err
	}
	return s.act(ctx, userID, func(tx *db.Tx, a accounts.Account) error {
		return s.accounts.Unapprove(tx, a.UserID, string(by), logout)
	})
}

// Lock locks an account, or unlocks it. It fails with Forbidden for an administrator,
// and with NotFound for a deactivated account.
func (s *Service) Lock(ctx context.Context, by, userID id.UserID, locked bool) error {
	if err := notOneself(by, userID); err != nil {
		return err
	}
	return s.act(ctx, userID, func(tx *db.Tx, a accounts.Account) error {
		if err := restrictable(a); err != nil {
			return err
		}
		return s.accounts.SetLocked(tx, a.UserID, locked, string(by))
	})
}

// Suspend suspends an account, or ends that. It fails as Lock does.
func (s *Service) Suspend(ctx context.Context, by, userID id.UserID, suspended bool) error {
	if err := notOneself(by, userID); err != nil {
		return err
	}
	return s.act(ctx, userID, func(tx *db.Tx, a accounts.Account) error {
		if err := restrictable(a); err != nil {
			return err
		}
		return s.accounts.SetSuspended(tx, a.UserID, suspended, string(by))
	})
}

// Deactivate ends an account for good; see accounts.Deactivate.
func (s *Service) Deactivate(ctx context.Context, by, userID id.UserID, erase bool) error {
	if err := notOneself(by, userID); err != nil {
		return err
	}
	return s.act(ctx, userID, func(tx *db.Tx, a accounts.Account) error {
		return s.accounts.Deactivate(tx, a.UserID, string(by), erase)
	})
}

// SetAdmin makes an account that of an administrator, or an ordinary one.
func (s *Service) SetAdmin(ctx context.Context, by, userID id.UserID, admin bool) error {
	if err := notOneself(by, userID); err != nil {
		return err
	}
	return s.act(ctx, userID, func(tx *db.Tx, a accounts.Account) error {
		if a.Deactivated || a.Guest {
			return invalid("userId", "neither a deactivated account nor a guest's can be an administrator's")
		}
		return s.accounts.SetAdmin(tx, a.UserID, admin, string(by))
	})
}

// SetPassword gives an account another password, and signs it out everywhere if
// logout is set. It fails with WeakPassword if the password is too short.
func (s *Service) SetPassword(ctx context.Context, by, userID id.UserID, password string, logout bool) error {
	if err := s.accounts.CheckNewPassword(password); err != nil {
		return err
	}
	hash, err := s.passwords.Hash(ctx, password)
	if err != nil {
		return err
	}
	return s.act(ctx, userID, func(tx *db.Tx, a accounts.Account) error {
		return s.accounts.SetPassword(tx, a.UserID, hash, string(by), logout)
	})
}

// SignOut signs devices of an account out. Those that are not there are no failure,
// and leave no line in the audit log.
func (s *Service) SignOut(ctx context.Context, by, userID id.UserID, devices ...id.DeviceID) error {
	return s.signOut(ctx, by, userID, func(d id.DeviceID) bool { return slices.Contains(devices, d) }, nil)
}

// SignOutAll signs an account out on every device, and with also, in the same
// transaction, out of what is no device.
func (s *Service) SignOutAll(ctx context.Context, by, userID id.UserID, also func(*db.Tx, id.UserID) error) error {
	return s.signOut(ctx, by, userID, func(id.DeviceID) bool { return true }, also)
}

func (s *Service) signOut(ctx context.Context, by, userID id.UserID, doomed func(id.DeviceID) bool, also func(*db.Tx, id.UserID) error) error {
	return s.act(ctx, userID, func(tx *db.Tx, a accounts.Account) error {
		if also != nil {
			if err := also(tx, a.UserID); err != nil {
				return err
			}
		}
		present, err := s.accounts.Devices(tx, a.UserID)
		if err != nil {
			return err
		}
		var devices []id.DeviceID
		for _, d := range present {
			if doomed(d.DeviceID) {
				devices = append(devices, d.DeviceID)
			}
		}
		if len(devices) == 0 && also == nil {
			return nil
		}
		if err := s.accounts.Audit(tx, string(by), "delete_devices", string(a.UserID), map[string][]id.DeviceID{"devices": devices}); err != nil {
			return err
		}
		return s.accounts.DeleteDevices(tx, a.UserID, devices)
	})
}

// CreateToken makes a registration token; without a text it is given a random one.
// It fails with InvalidParam as accounts.CreateRegistrationToken does.
func (s *Service) CreateToken(ctx context.Context, by id.UserID, t accounts.RegistrationToken) (made accounts.RegistrationToken, err error) {
	if t.Token == "" {
		t.Token = secret.Letters(defaultTokenLength, tokenAlphabet)
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if made, err = s.accounts.CreateRegistrationToken(tx, t); err != nil {
			return err
		}
		return s.accounts.Audit(tx, string(by), "create_registration_token", made.Mark(), newTokenResponse(made).limits())
	})
	return made, err
}

// DeleteToken revokes a registration token, or fails with NotFound.
func (s *Service) DeleteToken(ctx context.Context, by id.UserID, token string) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.accounts.DeleteRegistrationToken(tx, token); err != nil {
			return err
		}
		return s.accounts.Audit(tx, string(by), "delete_registration_token", accounts.RegistrationToken{Token: token}.Mark(), empty{})
	})
}
