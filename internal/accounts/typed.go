package accounts

import (
	"strings"

	"github.com/narthex-matrix/narthex/internal/validation"
)

// Typed says whom a person means who types one line to say who they are: a username
// or a user ID, a mail address, or a phone number.
func (s *Service) Typed(text string) Identifier {
	text = strings.TrimSpace(text)
	switch {
	case strings.HasPrefix(text, "@"):
	case strings.Contains(text, "@"):
		return Identifier{Type: "m.id.thirdparty", Medium: validation.Email, Address: text}
	case isNumber(text):
		return Identifier{Type: "m.id.phone", Country: s.country(), Phone: text}
	}
	return Identifier{Type: "m.id.user", User: text}
}

// isNumber reports whether a text is rather a phone number than a username: it has a
// plus before its digits, or spaces and brackets between them, which no username has,
// or it is of digits alone, as only the usernames of guests are.
func isNumber(text string) bool {
	digits := strings.Trim(text, "+ ()")
	if digits == "" || strings.Trim(digits, "0123456789 ()-./\u00a0") != "" {
		return false
	}
	return strings.HasPrefix(text, "+") || strings.ContainsAny(text, " ()\u00a0") || strings.Trim(text, "0123456789") == ""
}

// country is where a phone number without a + is from, if that is certain: the one
// country to which text messages go.
func (s *Service) country() string {
	if len(s.cfg.SMS.Countries) == 1 {
		return s.cfg.SMS.Countries[0]
	}
	return ""
}
