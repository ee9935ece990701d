package oauth_test

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/oauth"
)

const (
	devicePath = "/oauth2/device"
	tokenPath  = "/oauth2/token"
	newDevice  = "NEWDEVICE01"
)

func scopeOf(device string) string {
	return "urn:matrix:client:api:* urn:matrix:client:device:" + device
}

// asked is the answer to a device that asks.
type asked struct {
	DeviceCode      string `json:"device_code"`
	UserCode        string `json:"user_code"`
	VerificationURI string `json:"verification_uri"`
	Complete        string `json:"verification_uri_complete"`
	ExpiresIn       int64  `json:"expires_in"`
	Interval        int64  `json:"interval"`
}

func ask(t *testing.T, srv *apitest.Server, clientID, device string) asked {
	t.Helper()
	r := srv.Anyone().Do(t, "POST", devicePath, url.Values{"client_id": {clientID}, "scope": {scopeOf(device)}}).OK(t, nil)
	return decode[asked](t, r)
}

func poll(t *testing.T, srv *apitest.Server, clientID, deviceCode string) *apitest.Response {
	t.Helper()
	return srv.Anyone().Do(t, "POST", tokenPath, url.Values{"grant_type": {deviceGrantType}, "client_id": {clientID}, "device_code": {deviceCode}})
}

// granted is what the token endpoint answers.
type granted struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	RefreshToken string `json:"refresh_token"`
	Scope        string `json:"scope"`
}

// decide answers a device on behalf of a person, as the page does.
func decide(t *testing.T, srv *apitest.Server, userID id.UserID, userCode string, allow bool) (d oauth.Decision) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) (err error) {
		if allow {
			d, err = srv.App.OAuth.ApproveDevice(tx, userID, userCode)
		} else {
			d, err = srv.App.OAuth.DenyDevice(tx, userID, userCode)
		}
		return err
	})
	return d
}

func TestDeviceAuthorization(t *testing.T) {
	srv := apitest.New(t)
	clientID, _ := registered(t, srv, element())
	deviceless := element()
	deviceless["grant_types"] = []any{"authorization_code", "refresh_token"}
	other, _ := registered(t, srv, deviceless)

	t.Run("OA-2 OA-12 OA-13 OA-14 OA-15 a device gets its codes", func(t *testing.T) {
		r := srv.Anyone().Do(t, "POST", devicePath, url.Values{"client_id": {clientID}, "scope": {scopeOf(newDevice)}}).OK(t, nil)
		a := decode[asked](t, r)
		if !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`).MatchString(a.UserCode) || len(a.DeviceCode) < 43-6 {
			t.Errorf("codes %s", r.Body)
		}
		if !strings.HasSuffix(a.VerificationURI, "/link") || a.Complete != a.VerificationURI+"?user_code="+a.UserCode || a.ExpiresIn != 1200 || a.Interval != 5 {
			t.Errorf("got %s", r.Body)
		}
		if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Pragma") != "no-cache" {
			t.Error(r.Header)
		}
	})
	form := func(pairs ...string) url.Values {
		v := url.Values{"client_id": {clientID}, "scope": {scopeOf(newDevice)}}
		for i := 0; i < len(pairs); i += 2 {
			v.Del(pairs[i])
			if pairs[i+1] != "" {
				v.Set(pairs[i], pairs[i+1])
			}
		}
		return v
	}
	apitest.Run(t, []apitest.Case{
		{Name: "OA-3 no client", As: srv.Anyone(), Do: "POST", Path: devicePath, Body: form("client_id", ""), Want: errcode.InvalidClient},
		{Name: "OA-3 an unknown client", As: srv.Anyone(), Do: "POST", Path: devicePath, Body: form("client_id", "unknown"), Want: errcode.InvalidClient},
		{Name: "OA-4 a client without the grant", As: srv.Anyone(), Do: "POST", Path: devicePath, Body: form("client_id", other), Want: errcode.UnauthorizedClient},
		{Name: "OA-5 no scope", As: srv.Anyone(), Do: "POST", Path: devicePath, Body: form("scope", ""), Want: errcode.MissingParam},
		{Name: "OA-5 JSON", As: srv.Anyone(), Do: "POST", Path: devicePath, Body: object{"client_id": clientID}, Want: errcode.InvalidParam},
		{Name: "OA-5 twice the same", As: srv.Anyone(), Do: "POST", Path: devicePath, Body: url.Values{"client_id": {clientID, clientID}}, Want: errcode.InvalidParam},
		{Name: "OA-6 OA-11 no device", As: srv.Anyone(), Do: "POST", Path: devicePath, Body: form("scope", "urn:matrix:client:api:*"), Want: errcode.InvalidScope},
		{Name: "OA-6 OA-9 a short device id", As: srv.Anyone(), Do: "POST", Path: devicePath, Body: form("scope", scopeOf("SHORT")), Want: errcode.InvalidScope},
		{Name: "OA-8 the older namespace", As: srv.Anyone(), Do: "POST", Path: devicePath,
			Body: form("scope", "openid urn:matrix:org.matrix.msc2967.client:api:* urn:matrix:org.matrix.msc2967.client:device:ZD6N/abc+def=")},
	})
}

// TestOA7_DevicesThatAskAreLimited also holds that nobody's place is taken away.
func TestOA7_DevicesThatAskAreLimited(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) {
		c.Dev = false
		fast := config.Rate{PerSecond: 1000, Burst: 1000}
		c.RateLimits = config.RateLimits{Enabled: true, Cheap: fast, Sending: fast, Login: fast, Registration: fast, Validation: fast, Expensive: fast}
	})
	clientID, _ := registered(t, srv, element())
	first := ask(t, srv, clientID, newDevice)
	for i := range 9 {
		ask(t, srv, clientID, fmt.Sprintf("%s%d", newDevice, i))
	}
	r := srv.Anyone().Do(t, "POST", devicePath, url.Values{"client_id": {clientID}, "scope": {scopeOf(newDevice)}}).Fails(t, srv, errcode.LimitExceeded)
	if r.Header.Get("Retry-After") == "" || !strings.Contains(string(r.Body), `"slow_down"`) {
		t.Errorf("got %s %v", r.Body, r.Header)
	}
	poll(t, srv, clientID, first.DeviceCode).Fails(t, srv, errcode.AuthorizationPending)
	srv.Advance(20 * time.Minute) // they run out
	ask(t, srv, clientID, newDevice)
}

func TestDeviceGrant(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	clientID, _ := registered(t, srv, element())
	native := element()
	native["client_name"] = "Another"
	otherID, _ := registered(t, srv, native)

	t.Run("OA-24 OA-26 OA-28 OA-29 allowed", func(t *testing.T) {
		a := ask(t, srv, clientID, newDevice)
		device := "/_matrix/client/v3/devices/" + newDevice
		poll(t, srv, clientID, a.DeviceCode).Fails(t, srv, errcode.AuthorizationPending)
		alice.Do(t, "GET", device, nil).Fails(t, srv, errcode.NotFound)
		if d := decide(t, srv, alice.UserID, a.UserCode, true); d != oauth.Allowed {
			t.Fatal(d)
		}
		alice.Do(t, "GET", device, nil).Fails(t, srv, errcode.NotFound)
		r := poll(t, srv, clientID, a.DeviceCode).OK(t, nil) // at once: beats slow_down
		g := decode[granted](t, r)
		if g.TokenType != "Bearer" || g.ExpiresIn != 300 || g.RefreshToken == "" || g.Scope != scopeOf(newDevice) {
			t.Errorf("got %s", r.Body)
		}
		if r.Header.Get("Cache-Control") != "no-store" {
			t.Error(r.Header)
		}
		alice.Do(t, "GET", device, nil).OK(t, nil)
		me := decode[session](t, as(srv, g.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil))
		if me.UserID != alice.UserID || me.DeviceID != newDevice {
			t.Errorf("got %+v", me)
		}
		t.Run("OA-21 exchanged again", func(t *testing.T) {
			poll(t, srv, clientID, a.DeviceCode).Fails(t, srv, errcode.InvalidGrant)
			as(srv, g.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil)
		})
		t.Run("OA-40 decided again", func(t *testing.T) {
			if d := decide(t, srv, alice.UserID, a.UserCode, false); d != oauth.Allowed {
				t.Error(d)
			}
		})
	})
	t.Run("OA-23 denied", func(t *testing.T) {
		a := ask(t, srv, clientID, "DENIEDDEVICE")
		if d := decide(t, srv, alice.UserID, strings.ToLower(a.UserCode), false); d != oauth.Denied {
			t.Error(d)
		}
		poll(t, srv, clientID, a.DeviceCode).Fails(t, srv, errcode.AccessDenied)
		if d := decide(t, srv, alice.UserID, a.UserCode, true); d != oauth.Denied {
			t.Error(d)
		}
		alice.Do(t, "GET", "/_matrix/client/v3/devices/DENIEDDEVICE", nil).Fails(t, srv, errcode.NotFound)
	})
	t.Run("OA-25 too often", func(t *testing.T) {
		a := ask(t, srv, clientID, newDevice)
		poll(t, srv, clientID, a.DeviceCode).Fails(t, srv, errcode.AuthorizationPending)
		srv.Advance(4 * time.Second) // a second early is no harm
		poll(t, srv, clientID, a.DeviceCode).Fails(t, srv, errcode.AuthorizationPending)
		srv.Advance(3 * time.Second)
		poll(t, srv, clientID, a.DeviceCode).Fails(t, srv, errcode.SlowDown)
		srv.Advance(6 * time.Second) // enough before, but not any more
		poll(t, srv, clientID, a.DeviceCode).Fails(t, srv, errcode.SlowDown)
		srv.Advance(15 * time.Second)
		poll(t, srv, clientID, a.DeviceCode).Fails(t, srv, errcode.AuthorizationPending)
	})
	t.Run("OA-22 run out, though allowed", func(t *testing.T) {
		a, undecided := ask(t, srv, clientID, newDevice), ask(t, srv, clientID, newDevice)
		decide(t, srv, alice.UserID, a.UserCode, true)
		srv.Advance(20 * time.Minute)
		poll(t, srv, clientID, a.DeviceCode).Fails(t, srv, errcode.ExpiredDeviceCode)
		poll(t, srv, clientID, undecided.DeviceCode).Fails(t, srv, errcode.ExpiredDeviceCode)
		srv.Advance(2 * time.Hour)
		srv.RunJobs(t)
		poll(t, srv, clientID, a.DeviceCode).Fails(t, srv, errcode.InvalidGrant)
	})
	a := ask(t, srv, clientID, newDevice)
	deviceless := element()
	deviceless["grant_types"] = []any{"authorization_code", "refresh_token"}
	without, _ := registered(t, srv, deviceless)
	form := func(pairs ...string) url.Values {
		v := url.Values{"grant_type": {deviceGrantType}, "client_id": {clientID}, "device_code": {a.DeviceCode}}
		for i := 0; i < len(pairs); i += 2 {
			v.Set(pairs[i], pairs[i+1])
		}
		return v
	}
	apitest.Run(t, []apitest.Case{
		{Name: "OA-17 unknown grant", As: srv.Anyone(), Do: "POST", Path: tokenPath, Body: form("grant_type", "password"), Want: errcode.UnsupportedGrantType},
		{Name: "OA-17 no grant", As: srv.Anyone(), Do: "POST", Path: tokenPath, Body: url.Values{}, Want: errcode.MissingParam},
		{Name: "OA-17 no device code", As: srv.Anyone(), Do: "POST", Path: tokenPath, Body: form("device_code", ""), Want: errcode.InvalidRequest},
		{Name: "OA-18 unknown client", As: srv.Anyone(), Do: "POST", Path: tokenPath, Body: form("client_id", "x"), Want: errcode.InvalidClient},
		{Name: "OA-19 grant not registered", As: srv.Anyone(), Do: "POST", Path: tokenPath, Body: form("client_id", without), Want: errcode.UnauthorizedClient},
		{Name: "OA-20 unknown device code", As: srv.Anyone(), Do: "POST", Path: tokenPath, Body: form("device_code", "nxt_d_x"), Want: errcode.InvalidGrant},
		{Name: "OA-20 another client's", As: srv.Anyone(), Do: "POST", Path: tokenPath, Body: form("client_id", otherID), Want: errcode.InvalidGrant},
	})
}

func TestOA27_AnAccountThatMayNotSignInGetsNoTokens(t *testing.T) {
	for name, spoil := range map[string]func(t *testing.T, srv *apitest.Server, userID id.UserID){
		"locked": func(t *testing.T, srv *apitest.Server, userID id.UserID) {
			write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.SetLocked(tx, userID, true, "test") })
		},
		"deactivated": func(t *testing.T, srv *apitest.Server, userID id.UserID) {
			write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.Deactivate(tx, userID, "test", false) })
		},
		"A-33 awaiting approval": func(t *testing.T, srv *apitest.Server, userID id.UserID) {
			write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.Unapprove(tx, userID, "test", false) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			srv := apitest.New(t, func(c *config.Config) { c.Approval.Enabled, c.Approval.RequiredForNewAccounts = true, true })
			alice := srv.User(t, "alice")
			clientID, _ := registered(t, srv, element())
			before, after := ask(t, srv, clientID, newDevice), ask(t, srv, clientID, newDevice)
			decide(t, srv, alice.UserID, before.UserCode, true)
			spoil(t, srv, alice.UserID)
			if d := decide(t, srv, alice.UserID, after.UserCode, true); d != oauth.Denied {
				t.Error("decided", d)
			}
			for _, a := range []asked{before, after} {
				r := poll(t, srv, clientID, a.DeviceCode).Fails(t, srv, errcode.AccessDenied)
				if strings.Contains(string(r.Body), "errcode") || !strings.Contains(string(r.Body), "The account ") {
					t.Errorf("got %s", r.Body)
				}
			}
		})
	}
}

func TestOA31_ADeviceIsReplaced(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	bob := srv.User(t, "bob") // has a device with the same id, which is unrelated
	clientID, _ := registered(t, srv, element())
	old := srv.Device(t, alice.UserID, newDevice)
	bobs := srv.Device(t, bob.UserID, newDevice)

	a := ask(t, srv, clientID, newDevice)
	call := callOf()
	found, err := srv.App.OAuth.FindDeviceRequest(t.Context(), call, alice.UserID, a.UserCode)
	if err != nil || found.Replaces == nil || found.Replaces.DeviceID != newDevice || found.Client.Name != "Element" || found.IP == "" {
		t.Errorf("got %+v, %v", found, err)
	}
	decide(t, srv, alice.UserID, a.UserCode, true)
	old.Do(t, "GET", whoamiPath, nil).OK(t, nil)
	g := decode[granted](t, poll(t, srv, clientID, a.DeviceCode).OK(t, nil))
	old.Do(t, "GET", whoamiPath, nil).Fails(t, srv, errcode.UnknownToken)
	bobs.Do(t, "GET", whoamiPath, nil).OK(t, nil)
	as(srv, g.AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil)
	t.Run("and by the legacy login", func(t *testing.T) {
		r := login(t, srv, with(passwordLogin("alice", apitest.Password), object{"device_id": newDevice})).OK(t, nil)
		as(srv, g.AccessToken).Do(t, "GET", whoamiPath, nil).Fails(t, srv, errcode.UnknownToken)
		srv.Anyone().Do(t, "POST", tokenPath, url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {g.RefreshToken}}).
			Fails(t, srv, errcode.InvalidGrant)
		as(srv, decode[session](t, r).AccessToken).Do(t, "GET", whoamiPath, nil).OK(t, nil)
	})
}

func TestOA42_OneAnswerForEveryCodeThatIsNotGood(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	clientID, _ := registered(t, srv, element())
	used, expired := ask(t, srv, clientID, newDevice), ask(t, srv, clientID, newDevice)
	decide(t, srv, bob.UserID, used.UserCode, true)
	srv.Advance(20 * time.Minute)
	texts := map[string]bool{}
	for _, code := range []string{"BBBB-BBBB", "", "ä", used.UserCode, expired.UserCode} {
		_, err := srv.App.OAuth.FindDeviceRequest(t.Context(), callOf(), alice.UserID, code)
		if code != used.UserCode && !isCode(err, errcode.NotFound) {
			t.Errorf("%q: %v", code, err)
		}
		texts[err.Error()] = true
	}
	if len(texts) != 1 {
		t.Errorf("got %v", texts)
	}
}

// TestK11_AtOnceACodeIsExchangedOnce polls through two servers at once.
func TestK11_AtOnceACodeIsExchangedOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	clientID, _ := registered(t, srv, element())
	a := ask(t, srv, clientID, newDevice)
	decide(t, srv, alice.UserID, a.UserCode, true)
	second := apitest.Over(t, srv.App.Config.Database)
	var wait sync.WaitGroup
	var mu sync.Mutex
	sets := 0
	for i := range 8 {
		wait.Go(func() {
			on := srv
			if i%2 == 0 {
				on = second
			}
			r := poll(t, on, clientID, a.DeviceCode)
			mu.Lock()
			defer mu.Unlock()
			if r.Status == 200 {
				sets++
			}
		})
	}
	wait.Wait()
	if sets != 1 {
		t.Errorf("%d sets of tokens", sets)
	}
}
