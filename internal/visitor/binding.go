package visitor

import (
	"crypto/hmac"
	"crypto/sha256"
)

// Key is a secret of this browser for one use. No other site and no other browser can
// learn it, and it tells nothing of the cookie that it is made from. It lasts until the
// browser is closed.
func (v *Visitor) Key(use string) []byte {
	mac := hmac.New(sha256.New, []byte(v.visit))
	mac.Write([]byte("key\x00" + use))
	return mac.Sum(nil)
}
