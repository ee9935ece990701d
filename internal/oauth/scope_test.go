package oauth

import (
	"errors"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

const (
	apiScope    = "urn:matrix:client:api:*"
	phoneScope  = "urn:matrix:client:device:ABCDEFGHIJ"
	oldAPIScope = "urn:matrix:org.matrix.msc2967.client:api:*"
	oldPhone    = "urn:matrix:org.matrix.msc2967.client:device:ABCDEFGHIJ"
)

func TestScope(t *testing.T) {
	for _, test := range []struct{ name, text, device, granted string }{
		{"OA-8 the specification's", apiScope + " " + phoneScope, "ABCDEFGHIJ", apiScope + " " + phoneScope},
		{"OA-8 in another order", phoneScope + " " + apiScope, "ABCDEFGHIJ", apiScope + " " + phoneScope},
		{"OA-8 the proposal's", oldAPIScope + " " + oldPhone, "ABCDEFGHIJ", oldAPIScope + " " + oldPhone},
		{"OA-8 said twice", apiScope + " " + apiScope + " " + phoneScope, "ABCDEFGHIJ", apiScope + " " + phoneScope},
		{"OA-8 spaces around", " " + apiScope + "  " + phoneScope + " ", "ABCDEFGHIJ", apiScope + " " + phoneScope},
		{"OA-8 mixed", apiScope + " " + oldPhone, "", ""},
		{"OA-8 mixed, the other way", oldPhone + " openid " + apiScope, "", ""},
		{"OA-9 a key in base64", oldAPIScope + " " + oldScopes("device:ZD6Nq/+bA1"), "ZD6Nq/+bA1", oldAPIScope + " " + oldScopes("device:ZD6Nq/+bA1")},
		{"OA-9 every character", apiScope + " urn:matrix:client:device:aZ09-._~!$&'()*+,;=:@/", "aZ09-._~!$&'()*+,;=:@/", apiScope + " urn:matrix:client:device:aZ09-._~!$&'()*+,;=:@/"},
		{"OA-9 the longest", apiScope + " urn:matrix:client:device:" + strings.Repeat("x", 255), strings.Repeat("x", 255), apiScope + " urn:matrix:client:device:" + strings.Repeat("x", 255)},
		{"OA-9 too long", apiScope + " urn:matrix:client:device:" + strings.Repeat("x", 256), "", ""},
		{"OA-9 too short", apiScope + " urn:matrix:client:device:ABCDEFGHI", "", ""},
		{"OA-9 none at all", apiScope + " urn:matrix:client:device:", "", ""},
		{"OA-9 another character", apiScope + " urn:matrix:client:device:ABCDEFGHI%", "", ""},
		{"OA-9 a line break", apiScope + " urn:matrix:client:device:ABCDEFGHIJ\n", "", ""},
		{"OA-9 a letter beyond ASCII", apiScope + " urn:matrix:client:device:ABCDEFGHIJé", "", ""},
		{"OA-9 not UTF-8", apiScope + " urn:matrix:client:device:ABCDEFGHIJ\xff", "", ""},
		{"OA-10 openid", "openid " + apiScope + " " + phoneScope, "ABCDEFGHIJ", apiScope + " " + phoneScope},
		{"OA-10 openid alone", "openid", "", ""},
		{"OA-10 another one", apiScope + " " + phoneScope + " email", "", ""},
		{"OA-10 another one in the namespace", "urn:matrix:client:api:read:* " + phoneScope, "", ""},
		{"OA-10 the namespace alone", "urn:matrix:client: " + apiScope + " " + phoneScope, "", ""},
		{"OA-10 in capitals", strings.ToUpper(apiScope) + " " + phoneScope, "", ""},
		{"OA-11 no device", apiScope, "", ""},
		{"OA-11 two devices", apiScope + " " + phoneScope + " urn:matrix:client:device:KLMNOPQRST", "", ""},
		{"OA-11 one device twice", apiScope + " " + phoneScope + " " + phoneScope, "", ""},
		{"OA-8 no access", phoneScope, "", ""},
		{"OA-8 nothing", "", "", ""},
		{"OA-8 a tab between", apiScope + "\t" + phoneScope, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := parseScope(test.text)
			if test.granted == "" {
				if !errors.Is(err, errcode.InvalidScope) {
					t.Errorf("got %+v, %v, want %s", got, err, errcode.InvalidScope.Key)
				}
				return
			}
			if err != nil || string(got.DeviceID) != test.device || got.Text != test.granted {
				t.Errorf("got %+v, %v, want %s, %s", got, err, test.device, test.granted)
			}
		})
	}
}

func oldScopes(name string) string { return unstableScopes + name }

func FuzzScope(f *testing.F) {
	for _, seed := range []string{apiScope + " " + phoneScope, oldAPIScope + " openid " + oldPhone, phoneScope, "", "  ", apiScope + " urn:matrix:client:device:+/=é\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		scope, err := parseScope(text)
		if err != nil {
			if !errors.Is(err, errcode.InvalidScope) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		again, err := parseScope(scope.Text)
		if err != nil || again != scope {
			t.Errorf("%q is granted as %+v, which is read as %+v, %v", text, scope, again, err)
		}
		if n := len(scope.DeviceID); n < 10 || n > 255 || !strings.Contains(text, string(scope.DeviceID)) {
			t.Errorf("%q names the device %q", text, scope.DeviceID)
		}
	})
}
