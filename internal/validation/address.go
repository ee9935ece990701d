package validation

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// The largest addresses: RFC 5321 section 4.5.3.1 and its erratum 1690, in bytes.
const (
	maxEmail     = 254
	maxLocalPart = 64
)

// domains turns a domain into its ASCII form (RFC 5891), and refuses what has none.
var domains = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.CheckJoiners(true), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// ErrMedium is returned for an address of a kind that is neither mail nor phone.
var ErrMedium = errors.New("an address of an unknown medium")

// ParseAddress gives the canonical form of an address of a medium, a phone number with
// its country, with or without a +. It fails with ErrMedium, and else as ParseEmail and
// ParsePhone do.
func ParseAddress(medium Medium, address string) (string, error) {
	switch medium {
	case Email:
		return ParseEmail(address)
	case Phone:
		number, err := ParsePhone("", "+"+strings.TrimPrefix(address, "+"))
		return number.MSISDN, err
	}
	return "", ErrMedium
}

// ParseEmail gives the canonical form of a mail address (TP-29): without the space
// around it, case-folded, the domain in its ASCII form. Equal forms are one address.
// Its errors are sentences for the person who typed it.
//
// Of the grammar of RFC 5321 it leaves out quoted local parts and addresses in
// place of domains, which nobody has and which serve to smuggle.
func ParseEmail(text string) (string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return "", badAddress("The mail address is empty.")
	}
	if len(text) > maxEmail {
		return "", badAddress("The mail address is longer than 254 bytes.")
	}
	if !utf8.ValidString(text) {
		return "", badAddress("The mail address is not UTF-8.")
	}
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return "", badAddress("A mail address has an @, such as alice@example.org.")
	}
	local, err := canonicalLocalPart(text[:at])
	if err != nil {
		return "", err
	}
	domain, err := canonicalDomain(text[at+1:])
	if err != nil {
		return "", err
	}
	if len(local)+1+len(domain) > maxEmail {
		return "", badAddress("The mail address is longer than 254 bytes.")
	}
	return local + "@" + domain, nil
}

func canonicalLocalPart(text string) (string, error) {
	folded := fold(text)
	if folded == "" || len(folded) > maxLocalPart {
		return "", badAddress("The part of the mail address before the @ must have 1 to 64 bytes.")
	}
	for _, r := range folded {
		if !isLocal(r) {
			return "", badAddress("The part of the mail address before the @ has a character that cannot be there.")
		}
	}
	if strings.HasPrefix(folded, ".") || strings.HasSuffix(folded, ".") || strings.Contains(folded, "..") {
		return "", badAddress("A dot in a mail address stands between two other characters.")
	}
	return folded, nil
}

// isLocal reports whether a character may be in a local part: "atext" of RFC 5322,
// the dot, and what RFC 6531 adds, without spaces and invisible characters.
func isLocal(r rune) bool {
	if r < utf8.RuneSelf {
		return r > ' ' && r < 0x7f && !strings.ContainsRune("()<>[]:;@\\,\"", r)
	}
	return unicode.IsGraphic(r) && !unicode.IsSpace(r) && r != utf8.RuneError
}

// fold gives the form in which differences of case and composition are gone. It is
// stable: folding twice is folding once.
func fold(text string) string {
	for range 4 {
		next := norm.NFC.String(cases.Fold().String(text))
		if next == text {
			break
		}
		text = next
	}
	return text
}

func canonicalDomain(text string) (string, error) {
	domain, err := domains.ToASCII(strings.TrimSuffix(text, "."))
	if err != nil || domain == "" || strings.ContainsAny(domain, "@:[]") {
		return "", badAddress("The part of the mail address after the @ is not the name of a domain.")
	}
	last := domain[strings.LastIndexByte(domain, '.')+1:]
	if len(last) == len(domain) || strings.Trim(last, "0123456789") == "" {
		return "", badAddress("The part of the mail address after the @ is not a whole domain, such as example.org.")
	}
	return domain, nil
}

// badAddress is why a text is not an address: a sentence.
type badAddress string

func (e badAddress) Error() string { return string(e) }
