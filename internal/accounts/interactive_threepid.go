package accounts

import (
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// claim is an address that was shown to belong to the person, in a stage of
// user-interactive authentication.
type claim struct {
	Medium    validation.Medium `json:"medium"`
	Address   string            `json:"address"`
	Validated int64             `json:"validated_ts"`
	SID       string            `json:"sid"` // of the validation that it stands on
}

// ThreepidStage is the stage that asks for an address of the medium.
func ThreepidStage(m validation.Medium) Stage {
	if m == validation.Phone {
		return PhoneStage
	}
	return EmailStage
}

// passThreepid takes a validation of an address that was made for the operation
// (TP-28, TP-67).
func (s *Service) passThreepid(tx *db.Tx, in Interaction, session *interactiveSession, stage Stage, auth *Auth) (*fault, error) {
	creds := auth.ThreepidCreds
	if creds == nil {
		creds = auth.OlderCreds
	}
	if creds == nil || creds.SID == "" || creds.ClientSecret == "" {
		return &fault{errcode.MissingParam, "threepid_creds, or its sid or client_secret, is missing."}, nil
	}
	shown, err := s.validation.Validated(tx, []validation.Purpose{in.Purpose}, creds.SID, creds.ClientSecret)
	if err == nil && ThreepidStage(shown.Medium) != stage {
		err = validation.ErrUnknown
	}
	var refused *errcode.Error
	if errors.As(unproven(err, errcode.ThreepidStageFailed), &refused) {
		return &fault{refused.Code, refused.Text}, nil
	}
	session.claims = append(session.claims[:len(session.claims):len(session.claims)],
		claim{Medium: shown.Medium, Address: shown.Address, Validated: shown.At.UnixMilli(), SID: creds.SID})
	return nil, err
}

// AttachClaims gives a new account the addresses that were shown in the proof, and
// uses up their validations (TP-31, TP-68). It fails with ThreepidInUse,
// ThreepidDenied, and InteractiveAuth if another request used one before.
func (s *Service) AttachClaims(tx *db.Tx, userID id.UserID, p Proof) error {
	for _, c := range p.claims { // one of each medium at most
		if err := s.spendClaim(tx, p, c); err != nil {
			return err
		}
		if err := s.attach(tx, userID, c.Medium, c.Address, time.UnixMilli(c.Validated)); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) spendClaim(tx *db.Tx, p Proof, c claim) error {
	err := s.validation.Use(tx, c.SID)
	if errors.Is(err, validation.ErrUsed) {
		return p.again
	}
	return err
}
