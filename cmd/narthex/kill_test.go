package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// rounds is how often a server is killed in a test.
const rounds = 12

// token sends a form to the token endpoint. With deadly, the server is killed as
// soon as the request has been sent.
func (p *process) token(form url.Values, deadly bool) (status int, answer map[string]any, err error) {
	ctx := context.Background()
	if deadly {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: func(httptrace.WroteRequestInfo) { p.kill() }})
	}
	req, err := http.NewRequestWithContext(ctx, "POST", p.url+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return resp.StatusCode, answer, err
}

// inside opens the database of a server that does not run, in this process.
func inside(t *testing.T, data string, f func(a *app.App)) {
	t.Helper()
	insideOf(t, data, "", f)
}

// insideOf is inside for another database than the one in the folder of data.
func insideOf(t *testing.T, data, database string, f func(a *app.App)) {
	t.Helper()
	cfg := config.Default()
	cfg.Data, cfg.Database, cfg.Dev, cfg.ServerName = data, database, true, "localhost"
	a, err := app.Open(t.Context(), cfg, app.Seams{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	f(a)
}

func within(t *testing.T, a *app.App, f func(tx *db.Tx) error) {
	t.Helper()
	if err := a.DB.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

const (
	killUser    = id.UserID("@alice:localhost")
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
)

// registerClient registers a client that signs in by the device grant.
func registerClient(t *testing.T, base string) string {
	t.Helper()
	resp, err := http.Post(base+"/oauth2/register", "application/json", strings.NewReader(
		`{"client_name":"Test","client_uri":"https://client.example.org/","token_endpoint_auth_method":"none","application_type":"native","grant_types":["`+deviceGrant+`","refresh_token"]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var client struct {
		ID string `json:"client_id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&client); err != nil || client.ID == "" {
		t.Fatal(resp.StatusCode, err)
	}
	return client.ID
}

// askDevice begins a device grant.
func askDevice(t *testing.T, base, clientID, device string) (deviceCode, userCode string) {
	t.Helper()
	resp, err := http.PostForm(base+"/oauth2/device", url.Values{"client_id": {clientID}, "scope": {"urn:matrix:client:api:* urn:matrix:client:device:" + device}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var asked struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&asked); err != nil || asked.UserCode == "" {
		t.Fatal(resp.StatusCode, err)
	}
	return asked.DeviceCode, asked.UserCode
}

// allowed gives the codes of devices that a person has let in already.
func allowed(t *testing.T, data string, n int) (clientID string, deviceCodes []string) {
	t.Helper()
	first := spawn(t, data)
	clientID = registerClient(t, first.url)
	var userCodes []string
	for i := range n {
		device, user := askDevice(t, first.url, clientID, deviceName(i))
		deviceCodes, userCodes = append(deviceCodes, device), append(userCodes, user)
	}
	first.end()
	inside(t, data, func(a *app.App) {
		within(t, a, func(tx *db.Tx) error {
			if err := a.Accounts.Insert(tx, accounts.Account{UserID: killUser, PasswordHash: "none"}); err != nil && !errors.Is(err, db.ErrDuplicate) {
				return err
			}
			for _, code := range userCodes {
				if _, err := a.OAuth.ApproveDevice(tx, killUser, code); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return clientID, deviceCodes
}

func deviceName(i int) string { return fmt.Sprintf("KILLEDDEVICE%d", i) }

// TestK10_AKillLeavesOneUsableToken kills the server between a refresh and its
// answer. The client comes back with the token that it knows.
func TestK10_AKillLeavesOneUsableToken(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	clientID, codes := allowed(t, data, 1)
	p := spawn(t, data)
	status, answer, err := p.token(url.Values{"grant_type": {deviceGrant}, "client_id": {clientID}, "device_code": {codes[0]}}, false)
	if err != nil || status != 200 {
		t.Fatal(status, answer, err)
	}
	held := answer["refresh_token"].(string)
	lost := 0
	for range rounds {
		form := url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {held}}
		if _, answer, err = p.token(form, true); err == nil {
			held = answer["refresh_token"].(string) // the answer was faster than the kill
		} else {
			lost++
		}
		p.end()
		p = spawn(t, data)
		form.Set("refresh_token", held)
		if status, answer, err = p.token(form, false); err != nil || status != 200 {
			t.Fatalf("the client is locked out: %d %v %v", status, answer, err)
		}
		held = answer["refresh_token"].(string)
		access := answer["access_token"].(string)
		if status := whoami(t, p.url, access); status != 200 {
			t.Fatalf("the new access token is refused: %d", status)
		}
	}
	p.end()
	if lost == 0 {
		t.Error("no answer was lost: the kills came too late to show anything")
	}
	inside(t, data, func(a *app.App) {
		within(t, a, func(tx *db.Tx) error {
			heads, err := db.Value[int64](tx, `SELECT COUNT(*) FROM refresh_tokens WHERE spent_ts IS NULL`)
			if heads != 1 {
				t.Errorf("%d refresh tokens are good", heads)
			}
			return err
		})
	})
}

func whoami(t *testing.T, base, token string) int {
	t.Helper()
	req, err := http.NewRequest("GET", base+"/_matrix/client/v3/account/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// TestK11_AKillMakesNoCodeGoodTwice kills the server between the exchange of a code
// and its answer. Asked again, the server gives tokens only if it gave none before.
func TestK11_AKillMakesNoCodeGoodTwice(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "data")
	const n = 8
	clientID, codes := allowed(t, data, n)
	answered := make([]int, n)
	for i, code := range codes {
		form := url.Values{"grant_type": {deviceGrant}, "client_id": {clientID}, "device_code": {code}}
		for _, deadly := range []bool{true, false} {
			p := spawn(t, data)
			status, answer, err := p.token(form, deadly)
			p.end()
			if err == nil && status == 200 {
				answered[i]++
			} else if err == nil && answer["error"] != "invalid_grant" {
				t.Errorf("device %d: %v", i, answer)
			}
		}
	}
	for i, times := range answered {
		if times > 1 {
			t.Errorf("device %d was given tokens %d times", i, times)
		}
	}
	inside(t, data, func(a *app.App) {
		within(t, a, func(tx *db.Tx) error {
			for i := range n {
				sets, err := db.Value[int64](tx, `SELECT COUNT(*) FROM access_tokens WHERE user_id = $1 AND device_id = $2`, killUser, deviceName(i))
				if err != nil {
					return err
				}
				if sets != 1 {
					t.Errorf("device %d has %d access tokens", i, sets)
				}
			}
			return nil
		})
	})
}
