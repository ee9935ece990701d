package validation

import (
	"strings"
	"unicode"

	"github.com/nyaruka/phonenumbers"
)

// Number is a phone number.
type Number struct {
	// MSISDN is the canonical form: E.164, digits without the + (TP-29).
	MSISDN string
	// International is for people, such as "+44 20 7946 0018".
	International string
	// Country is the region of ISO 3166-1, such as "GB"; empty for numbers of no
	// country.
	Country string
}

// maxPhone is how many bytes a phone number may be typed with.
const maxPhone = 64

// ParsePhone reads a phone number as people of a country write it (ISO 3166-1, two
// letters), or in the international form with a +, for which the country may be
// empty. It takes every number that can exist by the plan of its country, in use or
// not: plans change, and the gateway has the last word. Its errors are sentences for
// the person who typed it.
func ParsePhone(country, number string) (Number, error) {
	number = strings.TrimSpace(number)
	if number == "" || len(number) > maxPhone {
		return Number{}, badAddress("The phone number is empty, or longer than 64 bytes.")
	}
	if strings.ContainsFunc(number, func(r rune) bool { return !isDialled(r) }) {
		return Number{}, badAddress("The phone number has something in it besides digits, spaces and the usual signs.")
	}
	country = strings.ToUpper(country)
	if !phonenumbers.GetSupportedRegions()[country] {
		if country != "" {
			return Number{}, badAddress("The country is not one of the two-letter codes, such as GB.")
		}
		if !strings.HasPrefix(number, "+") && !strings.HasPrefix(number, "＋") {
			return Number{}, badAddress("Without a country, the phone number has to begin with a + and the number of the country.")
		}
	}
	parsed, err := phonenumbers.Parse(number, country)
	if err != nil || !phonenumbers.IsPossibleNumber(parsed) {
		return Number{}, badAddress("There can be no such phone number. Check the digits and the country.")
	}
	canonical := phonenumbers.Format(parsed, phonenumbers.E164)
	// In some plans zeros in front belong to the number or not, by how it is written. One
	// that its canonical form does not lead back to would be two addresses.
	if again, err := phonenumbers.Parse(canonical, ""); err != nil || phonenumbers.Format(again, phonenumbers.E164) != canonical {
		return Number{}, badAddress("There can be no such phone number. Check the digits and the country.")
	}
	region := phonenumbers.GetRegionCodeForNumber(parsed)
	if !phonenumbers.GetSupportedRegions()[region] { // "001" is the whole world, "ZZ" nowhere
		region = ""
	}
	return Number{
		MSISDN:        strings.TrimPrefix(canonical, "+"),
		International: phonenumbers.Format(parsed, phonenumbers.INTERNATIONAL),
		Country:       region,
	}, nil
}

// isDialled reports whether people write the character in phone numbers. Letters are
// none: there is no telling a vanity number from a slip, or from an extension.
func isDialled(r rune) bool {
	return unicode.IsDigit(r) || strings.ContainsRune("+＋ -‐‑‒–()./\u00a0", r)
}
