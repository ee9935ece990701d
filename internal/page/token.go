package page

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"

	"github.com/narthex-matrix/narthex/internal/secret"
)

// FormToken is the token in the forms of one browser. It is made from two cookies
// that other sites can neither read nor set: visit, which every browser gets with
// its first form, and session, which is empty while nobody is signed in. So a form
// is void as soon as somebody signs in or out in the same browser, and nobody
// agrees in another one's name to what they were shown.
//
// The token does not tell the cookies. No visit, no token: it is then empty.
func FormToken(visit, session string) string {
	if visit == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(visit))
	mac.Write([]byte("form\x00" + session))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// IsFormToken reports, in constant time, whether a token belongs to the cookies.
func IsFormToken(token, visit, session string) bool {
	return visit != "" && secret.Equal(token, FormToken(visit, session))
}
