package accounts

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// MaxReason is the length of a reason for joining, in characters.
const MaxReason = 500

// ReasonParam is the member of a registration through the API that has the reason
// for joining. The specification has none.
const ReasonParam = "io.github.narthex-matrix.reason"

// AsksReason reports whether people who register are asked why they want to join
// (approval.reason), and whether they have to say so. Nobody is asked where nobody
// decides.
func (s *Service) AsksReason() (asks, required bool) {
	if !s.ApprovalRequired() {
		return false, false
	}
	return s.cfg.Approval.Reason != "off", s.cfg.Approval.Reason == "required"
}

// CleanReason gives a reason for joining as it is kept: one line, without
// characters that nobody sees; empty where nobody is asked for one. It fails with
// InvalidParam, naming param, for one that is too long.
func (s *Service) CleanReason(text, param string) (string, error) {
	if asks, _ := s.AsksReason(); !asks {
		return "", nil
	}
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.C, r) || r == utf8.RuneError:
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) > MaxReason {
		return "", errcode.InvalidParam.New("The reason may have at most %d characters.", MaxReason).With("param", param)
	}
	return text, nil
}

// LacksReason reports whether a new account is to wait for approval without the
// reason for joining that everybody has to give. One that a registration token
// vouches for needs none.
func (s *Service) LacksReason(a Account) bool {
	_, required := s.AsksReason()
	return required && a.Pending() && a.Signup.Reason == ""
}
