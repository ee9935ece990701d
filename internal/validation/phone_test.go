package validation_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/validation"
)

func TestTP29_PhoneNumbers(t *testing.T) {
	british := validation.Number{MSISDN: "442079460018", International: "+44 20 7946 0018", Country: "GB"}
	for _, c := range []struct {
		country, number string
		want            validation.Number
	}{
		{"GB", "020 7946 0018", british},
		{"gb", "(020) 7946-0018", british},
		{"GB", "+442079460018", british},
		{"DE", "+44 20 7946 0018", british}, // the number says where it is
		{"", "+44 (0)20 7946 0018", british},
		{"GB", "0044 20 7946 0018", british},
		{"US", "011 44 20 7946 0018", british},
		{"GB", "０２０ ７９４６ ００１８", british}, // full width
		{"GB", "٠٢٠ ٧٩٤٦ ٠٠١٨", british},
		{"US", "1 800 555 2067", validation.Number{MSISDN: "18005552067", International: "+1 800-555-2067", Country: "US"}},
		{"US", "202-555-0143", validation.Number{MSISDN: "12025550143", International: "+1 202-555-0143", Country: "US"}},
		{"IT", "06 1234 5678", validation.Number{MSISDN: "390612345678", International: "+39 06 1234 5678", Country: "IT"}}, // the zero stays
		{"", "+800 1234 5678", validation.Number{MSISDN: "80012345678", International: "+800 1234 5678", Country: ""}},
	} {
		got, err := validation.ParsePhone(c.country, c.number)
		if err != nil || got != c.want {
			t.Errorf("%s %q: got %+v, %v; want %+v", c.country, c.number, got, err, c.want)
		}
	}
}

func TestTP44_WhatIsNoPhoneNumber(t *testing.T) {
	for _, c := range [][2]string{
		{"GB", ""}, {"GB", " "}, {"GB", "1"}, {"GB", "020"}, {"", "020 7946 0018"}, {"XX", "020 7946 0018"}, {"GBR", "020 7946 0018"}, {"44", "020 7946 0018"},
		{"", "+"}, {"", "+0"}, {"", "+999 123 456 789"}, {"", "+44 20 7946 0018 0018 0018"}, {"US", "1-800-FLOWERS"}, {"GB", "020 7946 0018 ext. 3"}, {"GB", "020 7946 0018;ext=3"},
		{"GB", "020 7946 0018x3"}, {"GB", "tel:+442079460018"}, {"GB", "020 7946\r\n0018"}, {"GB", "020\x007946 0018"}, {"GB", "020 7946 0018#3"}, {"GB", "*#06#"},
		{"GB", strings.Repeat("1", 65)}, {"GB", "020 7946 00\xff8"}, {"", "+44;phone-context=x"}, {"AX", "0000000"},
	} {
		if got, err := validation.ParsePhone(c[0], c[1]); err == nil || got.MSISDN != "" || !strings.HasSuffix(err.Error(), ".") {
			t.Errorf("%s %q: got %+v, %v", c[0], c[1], got, err)
		}
	}
}

// FuzzParsePhone holds that a canonical number is 4 to 15 digits, and stable.
func FuzzParsePhone(f *testing.F) {
	for _, seed := range [][2]string{{"GB", "020 7946 0018"}, {"", "+442079460018"}, {"US", "1 800 555 2067"}, {"IT", "06 1234 5678"}, {"AR", "0343 15 555 1212"}, {"MX", "044 55 1234 5678"}, {"AX", "0000000"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, country, text string) {
		got, err := validation.ParsePhone(country, text)
		if err != nil {
			return
		}
		if len(got.MSISDN) > 15 || len(got.MSISDN) < 4 || strings.Trim(got.MSISDN, "0123456789") != "" || len(got.Country)%2 != 0 {
			t.Errorf("%s %q gives %+v", country, text, got)
		}
		if again, err := validation.ParsePhone("", "+"+got.MSISDN); err != nil || again.MSISDN != got.MSISDN {
			t.Errorf("%s %q gives %+v, and that %+v, %v", country, text, got, again, err)
		}
	})
}
