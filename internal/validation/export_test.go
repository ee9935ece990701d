package validation

import "github.com/narthex-matrix/narthex/internal/db"

// The limits, for the tests that compute with them.
const (
	CodesOfAddress   = codesOfAddress
	CodesOfNetwork   = codesOfNetwork
	CodesOfEverybody = codesOfEverybody
	SendsOfAddress   = sendsOfAddress
	SendsOfNetwork   = sendsOfNetwork
	WrongCodes       = wrongCodes
	WrongTokens      = wrongTokens
)

// Token is what the message of a session said.
func Token(tx *db.Tx, sid, clientSecret string) (string, error) {
	v, err := db.One(tx, scanSession, `SELECT `+sessionColumns+` FROM validation_sessions WHERE sid = $1`, sid)
	return v.token(clientSecret), err
}

// Spell is the way in which tokens are made of numbers.
func Spell(number []byte, n int, alphabet string) string { return spell(number, n, alphabet) }

// WithSID is what becomes of a next_link.
func WithSID(link, sid string) string { return withSID(link, sid) }

// Open opens a session without a message.
func (s *Service) Open(tx *db.Tx, req Request) (sid string, err error) {
	v := s.newSession(tx.Now, req)
	return v.sid, insertSession(tx, v)
}
