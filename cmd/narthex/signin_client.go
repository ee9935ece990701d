package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/crosssigning"
	"github.com/narthex-matrix/narthex/signin/secretstorage"
)

// matrixClient asks the client-server API on behalf of a device.
type matrixClient struct {
	base string
	http *http.Client // adds the token
}

const (
	requestTime = 30 * time.Second
	answerLimit = 8 << 20 // the keys of a user with many devices
)

// newHTTP is a client with a time limit over a transport; nil is named.
func newHTTP(transport http.RoundTripper) *http.Client {
	if transport == nil {
		transport = named{}
	}
	return &http.Client{Timeout: requestTime, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect must not carry the token elsewhere
	}}
}

// named says which program asks: the homeserver's page shows it to the person who
// is to agree.
type named struct{}

// RoundTrip sends the request with the name.
func (named) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", "narthex/"+version()+" ("+runtime.GOOS+")")
	return http.DefaultTransport.RoundTrip(req)
}

// bearer adds a token that does not change.
type bearer string

// RoundTrip sends the request with the token.
func (b bearer) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", "Bearer "+string(b))
	return named{}.RoundTrip(req)
}

// do sends a request and decodes its answer. It fails with a *signin.MatrixError if
// the server refused, and with a *refusal if the answer wants interactive
// authentication.
func (c *matrixClient) do(ctx context.Context, method, path string, body, into any) error {
	var payload io.Reader = http.NoBody
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, payload)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return refused(req.URL.Redacted(), resp.StatusCode, raw)
	}
	if into == nil {
		return nil
	}
	if keep, ok := into.(*json.RawMessage); ok {
		*keep = raw
		return nil
	}
	if err := json.Unmarshal(raw, into); err != nil {
		return &signin.AnswerError{URL: req.URL.Redacted(), Status: resp.StatusCode, Problem: "is not the JSON that was expected"}
	}
	return nil
}

// interactive is a 401 that wants interactive authentication.
type interactive struct {
	session string
	flows   [][]string
}

func (i *interactive) Error() string {
	return fmt.Sprintf("the homeserver wants to know again who asks, by one of %q", i.flows)
}

func refused(address string, status int, raw []byte) error {
	var answer struct {
		Code       string `json:"errcode"`
		Message    string `json:"error"`
		SoftLogout bool   `json:"soft_logout"`
		Session    string `json:"session"`
		Flows      []struct {
			Stages []string `json:"stages"`
		} `json:"flows"`
	}
	err := json.Unmarshal(raw, &answer)
	if err == nil && status == http.StatusUnauthorized && len(answer.Flows) > 0 && answer.Code == "" {
		i := &interactive{session: answer.Session}
		for _, f := range answer.Flows {
			i.flows = append(i.flows, f.Stages)
		}
		return i
	}
	if err != nil || answer.Code == "" {
		return &signin.AnswerError{URL: address, Status: status, Problem: "is not a Matrix error"}
	}
	return &signin.MatrixError{Code: answer.Code, Message: answer.Message, Status: status, SoftLogout: answer.SoftLogout}
}

// isNotFound tells whether the server answered that there is no such thing.
func isNotFound(err error) bool {
	var refusal *signin.MatrixError
	return errors.As(err, &refusal) && refusal.Status == http.StatusNotFound
}

// isUnserved tells whether the server does not have the endpoint.
func isUnserved(err error) bool {
	var refusal *signin.MatrixError
	return errors.As(err, &refusal) && refusal.Code == "M_UNRECOGNIZED"
}

type passwordLogin struct {
	Type        string         `json:"type"`
	Identifier  userIdentifier `json:"identifier"`
	Password    string         `json:"password"`
	Session     string         `json:"session,omitempty"`
	DisplayName string         `json:"initial_device_display_name,omitempty"`
}

type userIdentifier struct {
	Type string `json:"type"`
	User string `json:"user"`
}

func byPassword(user, password string) passwordLogin {
	return passwordLogin{Type: "m.login.password", Identifier: userIdentifier{"m.id.user", user}, Password: password}
}

// loginAnswer is who was signed in.
type loginAnswer struct {
	UserID      string `json:"user_id"`
	DeviceID    string `json:"device_id"`
	AccessToken string `json:"access_token"`
}

func (c *matrixClient) login(ctx context.Context, l passwordLogin) (in loginAnswer, err error) {
	err = c.do(ctx, http.MethodPost, "/_matrix/client/v3/login", l, &in)
	if err == nil && (in.UserID == "" || in.DeviceID == "" || in.AccessToken == "") {
		err = errors.New("the homeserver's answer to the sign-in lacks the user, the device or the token")
	}
	return in, err
}

func (c *matrixClient) logout(ctx context.Context) error {
	return c.do(ctx, http.MethodPost, "/_matrix/client/v3/logout", struct{}{}, nil)
}

type owner struct {
	UserID   string `json:"user_id"`
	DeviceID string `json:"device_id"`
}

func (c *matrixClient) whoami(ctx context.Context) (o owner, err error) {
	return o, c.do(ctx, http.MethodGet, "/_matrix/client/v3/account/whoami", nil, &o)
}

// knownDevice is a device in the user's list.
type knownDevice struct {
	ID   string `json:"device_id"`
	Name string `json:"display_name"`
}

func (c *matrixClient) devices(ctx context.Context) ([]knownDevice, error) {
	var list struct {
		Devices []knownDevice `json:"devices"`
	}
	err := c.do(ctx, http.MethodGet, "/_matrix/client/v3/devices", nil, &list)
	return list.Devices, err
}

// deviceExists asks for one device of the user. Only the answer that there is none
// counts as none.
func (c *matrixClient) deviceExists(ctx context.Context, id string) (bool, error) {
	err := c.do(ctx, http.MethodGet, "/_matrix/client/v3/devices/"+url.PathEscape(id), nil, nil)
	if isNotFound(err) && !isUnserved(err) {
		return false, nil
	}
	return err == nil, err
}

// published asks what the server shows of a user's keys.
func (c *matrixClient) published(ctx context.Context, userID string) (crosssigning.Published, error) {
	var raw json.RawMessage
	err := c.do(ctx, http.MethodPost, "/_matrix/client/v3/keys/query", map[string]any{"device_keys": map[string][]string{userID: {}}}, &raw)
	if err != nil {
		return crosssigning.Published{}, err
	}
	return crosssigning.ParsePublished(raw, userID)
}

func (c *matrixClient) uploadKeys(ctx context.Context, up crosssigning.KeysUpload) error {
	return c.do(ctx, http.MethodPost, "/_matrix/client/v3/keys/upload", up, nil)
}

// uploadIdentity publishes cross-signing keys. A server wants the password for
// that if there are others.
func (c *matrixClient) uploadIdentity(ctx context.Context, up crosssigning.IdentityUpload, user, password string) error {
	const path = "/_matrix/client/v3/keys/device_signing/upload"
	err := c.do(ctx, http.MethodPost, path, up, nil)
	var again *interactive
	if !errors.As(err, &again) || password == "" {
		return err
	}
	proof := byPassword(user, password)
	proof.Session = again.session
	return c.do(ctx, http.MethodPost, path, struct {
		crosssigning.IdentityUpload
		Auth passwordLogin `json:"auth"`
	}{up, proof}, nil)
}

func accountDataPath(userID, kind string) string {
	return "/_matrix/client/v3/user/" + url.PathEscape(userID) + "/account_data/" + url.PathEscape(kind)
}

func (c *matrixClient) putAccountData(ctx context.Context, userID, kind string, content any) error {
	return c.do(ctx, http.MethodPut, accountDataPath(userID, kind), content, nil)
}

func (c *matrixClient) accountData(ctx context.Context, userID, kind string, into any) error {
	return c.do(ctx, http.MethodGet, accountDataPath(userID, kind), nil, into)
}

// backup asks for the newest version of the key backup; nil if there is none.
func (c *matrixClient) backup(ctx context.Context) (*secretstorage.BackupVersion, error) {
	v := &secretstorage.BackupVersion{}
	err := c.do(ctx, http.MethodGet, "/_matrix/client/v3/room_keys/version", nil, v)
	if isNotFound(err) {
		return nil, nil
	}
	return v, err
}

// createBackup begins a version of the key backup and gives its name.
func (c *matrixClient) createBackup(ctx context.Context, v secretstorage.BackupVersion) (string, error) {
	var made struct {
		Version string `json:"version"`
	}
	err := c.do(ctx, http.MethodPost, "/_matrix/client/v3/room_keys/version", v, &made)
	return made.Version, err
}
