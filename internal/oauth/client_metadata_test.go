package oauth

import (
	"errors"
	"strings"
	"testing"
	"unicode"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestClientName(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "",
		"Element Web":                    "Element Web",
		"  a \t\r\n b\u2028c\u0085d ":    "a b c d",
		"\u202eevil\u202c":               "evil",
		"\u2066a\u2069\u200e\u200f":      "a",
		"El\u200b\u200c\u200d\u2060ment": "Elment",
		"\ufeffa\u00ad\u034f\u115f":      "a",
		"\u3164\u2800\uffa0":             "",
		"a\x00\x1b[31mb\x7f":             "a[31mb",
		"\ue000a\U000e0041":              "a",
		"Élément ❤️ 日本":                  "Élément ❤️ 日本",
		"<b>&amp;":                       "<b>&amp;",
	} {
		if got, problem := clientName(text); got != want || problem != "" {
			t.Errorf("%q: got %q, %q, want %q", text, got, problem, want)
		}
	}
	if got, problem := clientName(strings.Repeat("日", 100)); len(got) != 300 || problem != "" {
		t.Errorf("100 characters: got %q, %q", got, problem)
	}
	if got, problem := clientName(strings.Repeat("日", 101)); got != "" || problem == "" {
		t.Errorf("101 characters: got %q, %q", got, problem)
	}
}

func TestLanguage(t *testing.T) {
	for text, want := range map[string]bool{
		"fr": true, "en-GB": true, "zh-Hant-TW": true, "x-1": true, "": false, "-": false, "fr-": false, "f_r": false, "ninechars": false,
		"é": false, "fr#x": false, "a" + strings.Repeat("-b", 17): true, "a" + strings.Repeat("-b", 18): false,
	} {
		if got := isLanguage(text); got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}

func FuzzClientMetadata(f *testing.F) {
	for _, seed := range []string{
		`{"client_uri":"https://example.com/","redirect_uris":["https://example.com/cb"]}`,
		`{"client_uri":"https://example.com/","client_name#fr":"É\u202e","tos_uri#de":"https://a.example.com","application_type":"native","redirect_uris":["com.example:/","http://localhost/"]}`,
		`{"client_uri":"https://example.com","grant_types":["urn:ietf:params:oauth:grant-type:device_code"],"x":[1]}`,
		`{"redirect_uris":"x"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var asked clientMetadata
		if canonicaljson.Strict(body, canonicaljson.Limits{}) != nil || json.Unmarshal(body, &asked) != nil {
			return
		}
		kept, err := asked.registered(false)
		if err != nil {
			if !errors.Is(err, errcode.InvalidClientMetadata) && !errors.Is(err, errcode.InvalidRedirectURI) {
				t.Errorf("%s: %v", body, err)
			}
			return
		}
		clientID, stored, err := kept.id()
		if err != nil {
			t.Fatal(err)
		}
		if strings.ContainsFunc(kept.Name, unicode.IsControl) {
			t.Errorf("the name %q is kept", kept.Name)
		}
		var again clientMetadata
		if err := json.Unmarshal(stored, &again); err != nil {
			t.Fatalf("%v in %s", err, stored)
		}
		if again, err = again.registered(false); err != nil {
			t.Fatalf("%s is registered, and then refused: %v", stored, err)
		}
		if other, _, _ := again.id(); other != clientID {
			t.Errorf("%s is registered as %s, and then as %s", body, clientID, other)
		}
		if client, err := readClient(clientID, stored); err != nil || client.URI != kept.URI || client.Name == "" {
			t.Errorf("%s is read as %+v, %v", stored, client, err)
		}
	})
}
