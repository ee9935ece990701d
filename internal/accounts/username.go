package accounts

import (
	"strings"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// NewUserID gives the user ID that a new account with this username has. Upper
// case is folded to lower. It fails with InvalidUsername for what the grammar
// does not allow, for a name of digits alone, which guests have, and for one that
// begins with "_", which is kept for application services, and for the one in which
// the server speaks (notices.localpart). Specification:
// appendix "User Identifiers".
func (s *Service) NewUserID(username string) (id.UserID, error) {
	localpart := fold(username)
	userID, err := id.NewUserID(localpart, s.server)
	switch {
	case err != nil:
		return "", errcode.InvalidUsername.New("%s", err.Error())
	case strings.Trim(localpart, "0123456789") == "":
		return "", errcode.InvalidUsername.New("A username needs a character that is not a digit: names of digits alone belong to guests.")
	case localpart == s.cfg.Notices.Localpart:
		return "", errcode.InvalidUsername.New("This username belongs to the server itself.")
	case localpart[0] == '_':
		return "", errcode.InvalidUsername.New("A username may not begin with '_'.")
	}
	return userID, nil
}

const (
	digits = "0123456789"
	// letters leaves out those that are easily taken for another.
	letters = "abcdefghjkmnpqrstuvwxyz"
)

// RandomUserID gives the user ID of someone who asked for no name. It has eleven
// characters, the first of them a letter; for a guest it has sixteen digits.
func (s *Service) RandomUserID(guest bool) (id.UserID, error) {
	localpart := secret.Letters(1, letters) + secret.Letters(10, letters+digits)
	if guest {
		localpart = secret.Letters(1, digits[1:]) + secret.Letters(15, digits)
	}
	return id.NewUserID(localpart, s.server)
}

// fold makes ASCII letters lower case and leaves everything else as it is, so
// that no other character can turn into one of a username.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

const maxPrintable = 256

// printable cuts a text that a client gave about itself to a length that fits a
// list, and to valid UTF-8.
func printable(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	n := 0
	for i := range s {
		if n == maxPrintable {
			return s[:i]
		}
		n++
	}
	return s
}
