package accounts

import (
	"errors"
	"strings"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// Identifier says whose password it is. Specification: client-server API,
// "Identifier types".
type Identifier struct {
	Type    string            `json:"type"`
	User    string            `json:"user"`    // m.id.user: a user ID or its localpart
	Medium  validation.Medium `json:"medium"`  // m.id.thirdparty
	Address string            `json:"address"` // m.id.thirdparty
	Country string            `json:"country"` // m.id.phone
	Phone   string            `json:"phone"`   // m.id.phone
}

// subject is whom a password was given for.
type subject struct {
	userID id.UserID // empty: certainly nobody
	name   string    // what was asked for, for counting wrong guesses
}

// resolve finds out whom an identifier means. One that means nobody is no failure:
// the caller must not tell it apart from a wrong password (TP-79).
func (s *Service) resolve(tx *db.Tx, i Identifier) (subject, error) {
	if i.Type == "" && i.Medium != "" {
		i.Type = "m.id.thirdparty" // the specification's own example leaves it out
	}
	switch i.Type {
	case "m.id.user":
		if i.User == "" {
			return subject{}, missing("identifier.user")
		}
		return s.named(i.User), nil
	case "m.id.thirdparty":
		if i.Medium == "" || i.Address == "" {
			return subject{}, missing("identifier.medium and identifier.address")
		}
		address, err := validation.ParseAddress(i.Medium, i.Address)
		if err != nil {
			return subject{name: string(i.Medium) + " " + i.Address}, nil
		}
		return owner(tx, i.Medium, address)
	case "m.id.phone":
		if i.Phone == "" {
			return subject{}, missing("identifier.phone")
		}
		number, err := validation.ParsePhone(i.Country, i.Phone)
		if err != nil {
			return subject{name: "msisdn " + i.Country + " " + i.Phone}, nil
		}
		return owner(tx, validation.Phone, number.MSISDN)
	case "":
		return subject{}, missing("identifier.type")
	}
	return subject{}, errcode.UnrecognizedValue.New("This server does not know identifiers of this type. It knows m.id.user, m.id.thirdparty and m.id.phone.")
}

// owner finds whom an address means. Wrong guesses count for the account, however it
// is named.
func owner(tx *db.Tx, medium validation.Medium, address string) (subject, error) {
	userID, err := ownerOf(tx, medium, address)
	switch {
	case errors.Is(err, db.ErrNoRow):
		return subject{name: string(medium) + " " + address}, nil
	case err != nil:
		return subject{}, err
	}
	return subject{userID: userID, name: string(userID)}, nil
}

// named finds whom a user ID or a localpart means.
func (s *Service) named(text string) subject {
	localpart, server := text, string(s.server)
	if strings.HasPrefix(text, "@") {
		localpart, server, _ = strings.Cut(text[1:], ":")
	}
	text = "@" + fold(localpart) + ":" + server
	userID, err := id.ParseUserID(text)
	if err != nil || userID.ServerName() != s.server {
		return subject{name: text}
	}
	return subject{userID: userID, name: text}
}

func missing(what string) error {
	return errcode.MissingParam.New("%s is missing.", what)
}
