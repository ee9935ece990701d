package httpapi_test

import (
	"net/url"
	"testing"
)

// FuzzForm sends forms of any bytes. What reaches the handler was there once, in
// UTF-8, and everything else is refused as a malformed request.
func FuzzForm(f *testing.F) {
	for _, body := range []string{"grant_type=x&client_id=known", "grant_type=x&grant_type=y", "%zz=1", "grant_type=%ff", "a=1;b=2", "=&=", "grant_type=x%00", "&&&&"} {
		f.Add(body)
	}
	s := replies()
	f.Fuzz(func(t *testing.T, body string) {
		r := send(s, "/token", body)
		switch r.StatusCode {
		case 200:
			values, err := url.ParseQuery(body)
			if err != nil || len(values["grant_type"]) != 1 || values.Get("client_id") != "known" {
				t.Errorf("%q was taken", body)
			}
		case 400, 401, 413:
		default:
			t.Errorf("%q: %d", body, r.StatusCode)
		}
	})
}
