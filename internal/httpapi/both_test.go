package httpapi_test

import (
	"net/http/httptest"
	"testing"

	"github.com/narthex-matrix/narthex/internal/httpapi"
)

func TestPrefersPage(t *testing.T) {
	for _, c := range []struct {
		accept    string
		get, post bool
	}{
		{"", true, false},
		{"*/*", true, false},
		{"text/html", true, true},
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", true, true}, // Firefox
		{"application/json", false, false},
		{"application/json, text/plain, */*", false, false}, // axios
		{"text/html;q=0.5, application/json", false, false},
		{"application/json;q=0.5, text/html;q=0.6", true, true},
		{"application/json, text/html", true, false},
		{"application/json;q=x, ;;, text/html;q=0", true, false},
	} {
		for method, want := range map[string]bool{"GET": c.get, "POST": c.post} {
			r := httptest.NewRequest(method, "/", nil)
			r.Header.Set("Accept", c.accept)
			if got := httpapi.PrefersPage(r); got != want {
				t.Errorf("%s with %q: got %v", method, c.accept, got)
			}
		}
	}
}
