package validation_test

import (
	netmail "net/mail"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/validation"
)

func TestTP29_MailAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"alice@example.org":                   "alice@example.org",
		"  Alice@EXAMPLE.org\t\n":             "alice@example.org",
		"ALICE+Tag.x@Example.Org.":            "alice+tag.x@example.org",
		"o'neill/x=y!#$%&*?^_`{|}~@a.example": "o'neill/x=y!#$%&*?^_`{|}~@a.example",
		"ÄNNE@BÜCHER.example":                 "änne@xn--bcher-kva.example",
		"a\u0308nne@bu\u0308cher.example":     "änne@xn--bcher-kva.example", // composed and decomposed
		"straße@example.org":                  "strasse@example.org",
		"ΣΊΣΥΦΟΣ@example.org":                 "σίσυφοσ@example.org",
		"\u212Aelvin@example.org":             "kelvin@example.org", // the sign of the unit
		"用户@例子.广告":                            "用户@xn--fsqu00a.xn--4rr70v",
		"alice@xn--bcher-kva.example":         "alice@xn--bcher-kva.example",
		"alice@faß.example":                   "alice@xn--fa-hia.example", // IDNA 2008, not 2003
		"alice@example\u3002org":              "alice@example.org",        // an ideographic full stop
		strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + ".example": strings.Repeat("a", 64) + "@" + strings.Repeat("b", 63) + ".example",
	} {
		got, err := validation.ParseEmail(text)
		if err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", text, got, err, want)
		}
		if again, err := validation.ParseEmail(got); err != nil || again != got {
			t.Errorf("%q is not stable: %q, %v", got, again, err)
		}
	}
}

func TestTP29_WhatIsNoMailAddress(t *testing.T) {
	for _, text := range []string{
		"", " ", "@", "alice", "alice@", "@example.org", "alice@example", "alice@localhost", "alice@192.0.2.1", "alice@[192.0.2.1]", "alice@[IPv6:::1]",
		"alice@@example.org", "alice@bob@example.org", `"alice"@example.org`, `"a b"@example.org`, "a b@example.org", "alice@exa mple.org",
		".alice@example.org", "alice.@example.org", "a..b@example.org", "alice@.example.org", "alice@example..org", "alice@-example.org", "alice@exam_ple.org",
		"Alice <alice@example.org>", "<alice@example.org>", "alice@example.org,bob@example.org", "alice@example.org;bob@example.org", "alice(comment)@example.org",
		"alice@example.org\r\nBcc: bob@example.org", "alice\r\n@example.org", "alice\x00@example.org", "alice\x7f@example.org", "a\u200bb@example.org", "a\u202eb@example.org",
		"a\u00a0b@example.org", "al\xffice@example.org", "alice@exam\u202eple.org", "alice@example.org?bcc=bob", "alice@example.org:25", `alice\@example.org`,
		strings.Repeat("a", 65) + "@example.org", "a@" + strings.Repeat("b", 64) + ".example", "a@" + strings.Repeat("b.", 130) + "example",
		strings.Repeat("\u0149", 32) + "@example.org", // folding makes it longer
		strings.Repeat("a@", 1<<20),
	} {
		if got, err := validation.ParseEmail(text); err == nil || got != "" || !strings.HasSuffix(err.Error(), ".") {
			t.Errorf("%.80q: got %q, %v", text, got, err)
		}
	}
}

// FuzzParseEmail holds that a canonical address is stable, can stand in a header, and
// is one address for those who read mail addresses elsewhere.
func FuzzParseEmail(f *testing.F) {
	for _, seed := range []string{"alice@example.org", " A@B.C ", "ÄNNE@BÜCHER.example", "\u0130@\u0130.example", "ὈΔΥΣΣΕΎΣ@x.example", "ᾳ\u0345@x.example", "ŉ@x.y", "a@xn--a.example", "a@b.\u0660"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := validation.ParseEmail(text)
		if err != nil {
			return
		}
		if again, err := validation.ParseEmail(got); err != nil || again != got {
			t.Errorf("%q gives %q, and that %q, %v", text, got, again, err)
		}
		if upper, err := validation.ParseEmail(strings.ToUpper(got)); err == nil && upper != got && strings.ToLower(strings.ToUpper(got)) == got {
			t.Errorf("%q in capitals gives %q", got, upper)
		}
		parsed, err := netmail.ParseAddress(got)
		if err != nil || parsed.Address != got || parsed.Name != "" {
			t.Errorf("%q is read as %+v, %v", got, parsed, err)
		}
		if len(got) > 254 || strings.ContainsAny(got, "\r\n\x00 <>\",;:\\()[]") {
			t.Errorf("%q", got)
		}
	})
}
