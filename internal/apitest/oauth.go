package apitest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"testing"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// OAuthDevice signs a user in on a device by OAuth 2.0, with the device grant. The
// id has at least ten characters. The client's token does not run out.
func (s *Server) OAuthDevice(t testing.TB, userID id.UserID, deviceID id.DeviceID) *Client {
	t.Helper()
	const grant = "urn:ietf:params:oauth:grant-type:device_code"
	var client struct {
		ID string `json:"client_id"`
	}
	r := s.Anyone().Do(t, "POST", "/oauth2/register", Object{
		"client_name": "Test", "client_uri": "https://client.example.org/", "token_endpoint_auth_method": "none",
		"grant_types": []string{grant, "refresh_token"}, "application_type": "native",
	})
	if err := json.Unmarshal(r.Body, &client); err != nil || client.ID == "" {
		t.Fatalf("registering a client: %d %s", r.Status, r.Body)
	}
	var asked struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	s.form(t, "/oauth2/device", url.Values{"client_id": {client.ID},
		"scope": {"urn:matrix:client:api:* urn:matrix:client:device:" + string(deviceID)}}).OK(t, &asked)
	s.Write(t, func(tx *db.Tx) error {
		_, err := s.App.OAuth.ApproveDevice(tx, userID, asked.UserCode)
		return err
	})
	s.form(t, "/oauth2/token", url.Values{"client_id": {client.ID}, "grant_type": {grant}, "device_code": {asked.DeviceCode}}).OK(t, nil)
	c := &Client{Server: s, UserID: userID, DeviceID: deviceID}
	s.Write(t, func(tx *db.Tx) (err error) {
		c.Token, err = s.App.OAuth.IssueToken(tx, userID, deviceID, 0)
		return err
	})
	return c
}

// form posts a form.
func (s *Server) form(t testing.TB, path string, values url.Values) *Response {
	t.Helper()
	resp, err := http.PostForm(s.URL+path, values)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: raw}
}
