package signin_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/signin"
)

// TestBeginningASignInWaitsForABusyServer holds that a server's "try again in …" is
// followed, within limits, and reported otherwise.
func TestBeginningASignInWaitsForABusyServer(t *testing.T) {
	for _, c := range []struct {
		name   string
		busy   int    // answers before it has time
		after  string // Retry-After
		waits  int
		starts bool
	}{
		{"not busy", 0, "", 0, true},
		{"busy once", 1, "3", 1, true},
		{"busy for good", 9, "3", 2, false},
		{"busy for long", 9, "3000", 0, false},
		{"does not say for how long", 9, "", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			asked := 0
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if asked++; asked > c.busy {
					_, _ = w.Write([]byte(`{"device_code":"d","user_code":"u","verification_uri":"http://127.0.0.1/link","expires_in":60}`))
					return
				}
				if c.after != "" {
					w.Header().Set("Retry-After", c.after)
				}
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = w.Write([]byte(`{"error":"slow_down"}`))
			}))
			defer srv.Close()
			waited := 0
			client := &signin.Client{Wait: func(context.Context, time.Duration) error { waited++; return nil }}
			home := client.HomeserverForTest(srv.URL)
			_, err := home.StartDevice(t.Context(), "client", signin.Scope("ABCDEFGHIJ"))
			var refused *signin.OAuthError
			if (err == nil) != c.starts || waited != c.waits || (!c.starts && (!errors.As(err, &refused) || refused.Code != "slow_down")) {
				t.Errorf("%v after %d waits", err, waited)
			}
		})
	}
}
