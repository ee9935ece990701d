package accounts

import (
	"strings"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Identifier says whose password it is. Specification: client-server API,
// "Identifier types".
type Identifier struct {
	Type    string `json:"type"`
	User    string `json:"user"`    // m.id.user: a user ID or its localpart
	Medium  string `json:"medium"`  // m.id.thirdparty
	Address string `json:"address"` // m.id.thirdparty
	Country string `json:"country"` // m.id.phone
	Phone   string `json:"phone"`   // m.id.phone
}

// subject is whom a password was given for.
type subject struct {
	userID id.UserID // empty: certainly nobody
	name   string    // what was asked for, for counting wrong guesses
}

// resolve finds out whom an identifier means. Nobody here has a third-party
// identifier yet, so those mean nobody, which the caller must not tell apart from
// a wrong password.
func (s *Service) resolve(i Identifier) (subject, error) {
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
		return subject{name: i.Medium + " " + i.Address}, nil
	case "m.id.phone":
		if i.Phone == "" {
			return subject{}, missing("identifier.phone")
		}
		return subject{name: "msisdn " + i.Country + " " + i.Phone}, nil
	case "":
		return subject{}, missing("identifier.type")
	}
	return subject{}, errcode.UnrecognizedValue.New("This server does not know identifiers of this type. It knows m.id.user, m.id.thirdparty and m.id.phone.")
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
