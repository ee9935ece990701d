package accounts

import (
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// Threepid is one row of `user_threepids`: a mail address or a phone number of an
// account, in its canonical form.
type Threepid struct {
	Medium    validation.Medium
	Address   string
	Validated time.Time
	Added     time.Time
}

// Threepids gives the addresses of an account in the order in which they were
// added.
func (s *Service) Threepids(tx *db.Tx, userID id.UserID) ([]Threepid, error) {
	return db.All(tx, func(r db.Row) (t Threepid, err error) {
		var validated, added int64
		err = r.Scan(&t.Medium, &t.Address, &validated, &added)
		t.Validated, t.Added = time.UnixMilli(validated), time.UnixMilli(added)
		return t, err
	}, `SELECT medium, address, validated_ts, added_ts FROM user_threepids WHERE user_id = $1 ORDER BY added_ts, medium, address`, userID)
}

// ownerOf gives the account that has an address, or db.ErrNoRow.
func ownerOf(tx *db.Tx, medium validation.Medium, address string) (id.UserID, error) {
	return db.Value[id.UserID](tx, `SELECT user_id FROM user_threepids WHERE medium = $1 AND address = $2`, medium, address)
}

// attach makes an address that was shown to belong to a person one of the account's.
// It fails with ThreepidDenied, and with ThreepidInUse if another account was faster.
func (s *Service) attach(tx *db.Tx, userID id.UserID, medium validation.Medium, address string, validated time.Time) error {
	if !s.admits(medium, address) {
		return threepidDenied()
	}
	n, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (medium, address) DO NOTHING`, medium, address, userID, validated.UnixMilli(), tx.Now.UnixMilli())
	if err == nil && n == 0 {
		return threepidInUse()
	}
	return err
}

func deleteThreepid(tx *db.Tx, userID id.UserID, medium validation.Medium, address string) error {
	return tx.Later(`DELETE FROM user_threepids WHERE user_id = $1 AND medium = $2 AND address = $3`, userID, medium, address)
}

func deleteThreepids(tx *db.Tx, userID id.UserID) error {
	return tx.Later(`DELETE FROM user_threepids WHERE user_id = $1`, userID)
}

func threepidInUse() error {
	return errcode.ThreepidInUse.New("This address belongs to an account already. Sign in to that account, or use another address.")
}

func threepidNotFound() error {
	return errcode.ThreepidNotFound.New("No account of this server has this address. Check it for typing mistakes.")
}

func threepidDenied() error {
	return errcode.ThreepidDenied.New("This server does not allow this address. Use another one.")
}

// admits reports whether the policy (threepid.allowed_addresses) lets people use an
// address: one of the patterns is the address, with a + before a phone number.
func (s *Service) admits(medium validation.Medium, address string) bool {
	if medium == validation.Phone {
		address = "+" + address
	}
	for _, pattern := range s.cfg.Threepid.AllowedAddresses {
		if isLike(strings.ToLower(pattern), address) {
			return true
		}
	}
	return len(s.cfg.Threepid.AllowedAddresses) == 0
}

// isLike reports whether the pattern, in which * stands for any characters, is the
// whole text.
func isLike(pattern, text string) bool {
	pieces := strings.Split(pattern, "*")
	text, ok := strings.CutPrefix(text, pieces[0])
	if !ok || len(pieces) == 1 {
		return ok && text == ""
	}
	last := len(pieces) - 1
	for _, piece := range pieces[1:last] {
		if _, text, ok = strings.Cut(text, piece); !ok {
			return false
		}
	}
	return strings.HasSuffix(text, pieces[last])
}
