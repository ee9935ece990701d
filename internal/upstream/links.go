package upstream

import (
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// LinkRow is one row of `upstream_links`: a person of a provider who has an account
// here.
type LinkRow struct {
	Provider string // its ID
	Subject  string
	Label    string // what the provider calls the person
	Linked   time.Time
	Used     time.Time // when the person last came from there
	// Name is that of the provider; empty if the configuration has it no more.
	Name string
}

// Links are the providers by which the owner of an account can sign in, in the order
// in which they were linked.
func (s *Service) Links(tx *db.Tx, userID id.UserID) ([]LinkRow, error) {
	return db.All(tx, func(r db.Row) (l LinkRow, err error) {
		var linked, used int64
		err = r.Scan(&l.Provider, &l.Subject, &l.Label, &linked, &used)
		l.Linked, l.Used = time.UnixMilli(linked), time.UnixMilli(used)
		if p := s.find(l.Provider); p != nil {
			l.Name = p.Name
		}
		return l, err
	}, `SELECT provider, subject, label, linked_ts, used_ts FROM upstream_links WHERE user_id = $1 ORDER BY linked_ts, provider, subject`, userID)
}

// Account gives the account of a person and holds it: the one that is linked, or, where
// the operator allows it, the one that has confirmed the address that the provider has
// verified, which is then linked. It fails with db.ErrNoRow if there is none, and with
// a *Failure if nobody may use it.
func (s *Service) Account(tx *db.Tx, person Person) (a accounts.Account, err error) {
	userID, err := db.Value[id.UserID](tx, `SELECT user_id FROM upstream_links WHERE provider = $1 AND subject = $2`, person.Provider, person.Subject)
	if errors.Is(err, db.ErrNoRow) {
		if err := checkNotClosed(tx, person); err != nil {
			return a, err
		}
		return s.accountByEmail(tx, person)
	}
	if err != nil {
		return a, err
	}
	if a, err = s.hold(tx, userID); err != nil {
		return a, err
	}
	err = tx.Later(`UPDATE upstream_links SET used_ts = $3, label = $4 WHERE provider = $1 AND subject = $2`,
		person.Provider, person.Subject, tx.Now.UnixMilli(), person.Label)
	return a, err
}

func (s *Service) accountByEmail(tx *db.Tx, person Person) (a accounts.Account, err error) {
	if p := s.find(person.Provider); p == nil || p.Link != "by_email" || person.Email == "" {
		return a, db.ErrNoRow
	}
	userID, err := s.accounts.EmailOwner(tx, person.Email)
	if err != nil {
		return a, err
	}
	if a, err = s.hold(tx, userID); err != nil {
		return a, err
	}
	return a, s.Link(tx, person, userID)
}

func (s *Service) hold(tx *db.Tx, userID id.UserID) (accounts.Account, error) {
	a, err := s.accounts.Hold(tx, userID)
	switch {
	case err != nil:
		return a, err
	case a.Deactivated:
		return a, errClosed()
	case a.Locked:
		return a, refused("Your account is locked. Ask the administrator of this server.")
	}
	return a, nil
}

// Is reports whether a person is the owner of an account, by a link.
func (s *Service) Is(tx *db.Tx, person Person, userID id.UserID) (bool, error) {
	return db.Value[bool](tx, `SELECT EXISTS (SELECT 1 FROM upstream_links WHERE provider = $1 AND subject = $2 AND user_id = $3)`,
		person.Provider, person.Subject, userID)
}

// Link makes a person the owner of an account. It fails with a *Failure if they have
// another one.
func (s *Service) Link(tx *db.Tx, person Person, userID id.UserID) error {
	n, err := tx.Exec(`INSERT INTO upstream_links (provider, subject, user_id, label, linked_ts, used_ts) VALUES ($1, $2, $3, $4, $5, $5)
		ON CONFLICT (provider, subject) DO NOTHING`, person.Provider, person.Subject, userID, person.Label, tx.Now.UnixMilli())
	if err != nil || n > 0 {
		return err
	}
	if same, err := s.Is(tx, person, userID); err != nil || same {
		return err
	}
	return refused("%s belongs to another account of this server already.", person.Label)
}

// Unlink takes a provider from an account. It fails with Forbidden if the owner could
// not sign in any more, and with db.ErrNoRow if there is no such link.
func (s *Service) Unlink(tx *db.Tx, userID id.UserID, providerID, subject string) error {
	a, err := s.accounts.Hold(tx, userID)
	if err != nil {
		return err
	}
	links, err := s.Links(tx, userID)
	if err != nil {
		return err
	}
	others, found := 0, false
	for _, l := range links {
		switch {
		case l.Provider == providerID && l.Subject == subject:
			found = true
		case l.Name != "":
			others++
		}
	}
	switch {
	case !found:
		return db.ErrNoRow
	case others == 0 && a.PasswordHash == "":
		return errcode.Forbidden.New("This is the only way in which you can sign in. Set a password, or link another provider, before you remove it.")
	}
	return tx.Later(`DELETE FROM upstream_links WHERE provider = $1 AND subject = $2 AND user_id = $3`, providerID, subject, userID)
}
