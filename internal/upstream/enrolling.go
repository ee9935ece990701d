package upstream

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// enrolmentLife is how much time people have to choose a username.
const enrolmentLife = 30 * time.Minute

// MayEnrol fails with a *Failure if the provider's people get no accounts, or if they
// are to choose nothing because there is nothing to be had.
func (s *Service) MayEnrol(person Person) error {
	p := s.find(person.Provider)
	if p == nil || !p.AllowRegistration {
		return refused("No account of this server belongs to %s, and none is made by signing in. "+
			"If you have an account, sign in to it in another way and link the two on your account page. Otherwise ask the administrator of this server.", person.Label)
	}
	return nil
}

// Asks reports whether the person is to choose the username in any case.
func (s *Service) Asks(person Person) bool {
	p := s.find(person.Provider)
	return p != nil && p.AskUsername
}

// Keep remembers a person for whom an account is to be made when they have been asked
// what the provider did not say, and gives the ticket for it. It is good in their
// browser alone.
func (s *Service) Keep(tx *db.Tx, person Person, browser []byte) (ticket string, err error) {
	raw, err := json.Marshal(person)
	if err != nil {
		return "", err
	}
	ticket = secret.New(secret.UpstreamState)
	err = tx.Later(`INSERT INTO upstream_enrolments (ticket_hash, browser_hash, person, expires_ts) VALUES ($1, $2, $3, $4)`,
		secret.Hash(ticket), browserHash(browser), raw, tx.Now.Add(enrolmentLife).UnixMilli())
	return ticket, err
}

// Kept gives the person of a ticket, or db.ErrNoRow.
func (s *Service) Kept(tx *db.Tx, ticket string, browser []byte) (person Person, err error) {
	if !secret.Plausible(secret.UpstreamState, ticket) {
		return person, db.ErrNoRow
	}
	raw, err := db.Value[[]byte](tx, `SELECT person FROM upstream_enrolments WHERE ticket_hash = $1 AND browser_hash = $2 AND expires_ts > $3`,
		secret.Hash(ticket), browserHash(browser), tx.Now.UnixMilli())
	if err != nil {
		return person, err
	}
	return person, json.Unmarshal(raw, &person)
}

// Enrol makes the account of a person who has come from a provider for the first time,
// and links the two, all in one step. What the provider knows goes into the profile and
// the addresses of the account. It fails as accounts.Enrol does, with errcode rows for
// the person to choose again; and with a *Failure if they have an account by now.
func (s *Service) Enrol(tx *db.Tx, person Person, a accounts.Account, registrationToken string) (accounts.Account, error) {
	if _, err := s.Account(tx, person); !errors.Is(err, db.ErrNoRow) {
		if err == nil {
			err = refused("%s has an account of this server by now. Sign in again.", person.Label)
		}
		return a, err
	}
	a.Signup.Provider = person.Provider
	made, err := s.accounts.Enrol(tx, a, registrationToken)
	if err != nil {
		return made, err
	}
	if person.DisplayName != "" {
		name, err := json.Marshal(person.DisplayName)
		if err != nil {
			return made, err
		}
		if err := s.accounts.SetProfileField(tx, made.UserID, accounts.DisplayName, name); err != nil {
			return made, err
		}
	}
	if person.Email != "" {
		if _, err := s.accounts.AttachVouched(tx, made.UserID, person.Email); err != nil {
			return made, err
		}
	}
	return made, s.Link(tx, person, made.UserID)
}

// Forget uses a ticket up.
func (s *Service) Forget(tx *db.Tx, ticket string) error {
	return tx.Later(`DELETE FROM upstream_enrolments WHERE ticket_hash = $1`, secret.Hash(ticket))
}

// Suggest gives the user ID that the provider's template makes for a new account, or ""
// if that is not allowed here.
func (s *Service) Suggest(person Person) id.UserID {
	userID, err := s.accounts.NewUserID(person.Localpart)
	if err != nil || person.Localpart == "" {
		return ""
	}
	return userID
}
