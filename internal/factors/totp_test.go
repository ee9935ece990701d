package factors

import (
	"math"
	"testing"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"pgregory.net/rapid"
)

// TestCodes holds the vectors of RFC 6238, appendix B, of which the last six digits
// are those of a code with six.
func TestCodes(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if got := codeOf(secret, at/stepSeconds); got != want {
			t.Errorf("at %d: got %s, want %s", at, got, want)
		}
	}
}

// TestCodesAsAnotherLibraryMakesThem compares with an implementation that is not ours.
func TestCodesAsAnotherLibraryMakesThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := NewCodeSecret()
		at := time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "at"), 0)
		want, err := totp.GenerateCodeCustom(secret, at, totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := base32Text.DecodeString(secret)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := matches(raw, want, at); !ok {
			t.Errorf("%s is wrong at %s", want, at)
		}
	})
}

func TestCodesOfOtherTimes(t *testing.T) {
	secret := []byte("12345678901234567890")
	now := time.Unix(1111111111, 0)
	at := now.Unix() / stepSeconds
	for away, want := range map[int64]bool{-3: false, -2: false, -1: true, 0: true, 1: true, 2: false} {
		step, ok := matches(secret, codeOf(secret, at+away), now)
		if ok != want || (ok && step != at+away) {
			t.Errorf("%d steps away: got %v %d", away, ok, step-at)
		}
	}
	for _, code := range []string{"", "0", "05047", "0504710", "05047a", "abcdef", "-50471", "０５０４７１"} {
		if _, ok := matches(secret, code, now); ok {
			t.Errorf("%q is right", code)
		}
	}
	if _, ok := matches(secret, " 050 471 ", now); !ok {
		t.Error("the spaces that apps show are not taken")
	}
}

// TestOddsOfGuessing computes what guesses.go promises: a day touches two windows at
// most, and each guess hits one of the codes that are good at that moment.
func TestOddsOfGuessing(t *testing.T) {
	good := float64(1+2*drift) / math.Pow10(codeDigits)
	windows := math.Ceil(24/guessWindow.Hours()) + 1
	if odds := 1 - math.Pow(1-good, windows*maxWrong); odds >= 1e-4 {
		t.Errorf("a guesser is right within a day with a probability of %g", odds)
	}
	if bits := math.Log2(float64(len(recoveryLetters))) * recoveryLength; bits < 80 {
		t.Errorf("a recovery code has %.0f bits", bits)
	}
}

func TestSeal(t *testing.T) {
	key, other := make([]byte, keyBytes), make([]byte, keyBytes)
	other[0] = 1
	sealed, err := seal(key, "@alice:example.org", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := unseal(key, "@alice:example.org", sealed); err != nil || string(plain) != "secret" {
		t.Errorf("got %q %v", plain, err)
	}
	if _, err := unseal(key, "@bob:example.org", sealed); err == nil {
		t.Error("it can be read as somebody else's")
	}
	if _, err := unseal(other, "@alice:example.org", sealed); err == nil {
		t.Error("it can be read with another key")
	}
	if _, err := unseal(key, "@alice:example.org", sealed[:5]); err == nil {
		t.Error("a part of it can be read")
	}
}

func TestRecoveryCodesAsPeopleTypeThem(t *testing.T) {
	want := string(hashRecovery("0123-4567-89ab-cdef"))
	for _, typed := range []string{"0123456789abcdef", " 0123 4567 89AB CDEF ", "O1l3-4567-89ab-cdef", "o123-4567-89AB-cdef"} {
		same := string(hashRecovery(typed)) == want
		if same != (typed != "O1l3-4567-89ab-cdef") {
			t.Errorf("%q: same is %v", typed, same)
		}
	}
	for text, want := range map[string]string{"": "Passkey", " \n ": "Passkey", " Blue \t key ": "Blue key"} {
		if got := NameOf(text); got != want {
			t.Errorf("%q is called %q", text, got)
		}
	}
}
