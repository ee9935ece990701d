package web

import (
	"context"
	"net/http"
	"strings"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/factors"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/oauth"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/profile"
	"github.com/narthex-matrix/narthex/internal/secret"
	"github.com/narthex-matrix/narthex/internal/upstream"
	"github.com/narthex-matrix/narthex/internal/validation"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

// Deps are what the service stands on.
type Deps struct {
	DB        *db.DB
	Config    config.Config
	Accounts  *accounts.Service
	Factors   *factors.Service
	OAuth     *oauth.Service
	Profile   *profile.Service
	Passwords *secret.Passwords
	Visitors  *visitor.Service
	Upstream  *upstream.Service
	// Validation asks whether addresses are people's own.
	Validation *validation.Service
}

// Service answers the pages.
type Service struct {
	db        *db.DB
	cfg       config.Config
	accounts  *accounts.Service
	factors   *factors.Service
	oauth     *oauth.Service
	profile   *profile.Service
	passwords *secret.Passwords
	visitors  *visitor.Service
	upstream  *upstream.Service

	validation *validation.Service
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{
		db: d.DB, cfg: d.Config, accounts: d.Accounts, factors: d.Factors, oauth: d.OAuth, profile: d.Profile, passwords: d.Passwords,
		visitors: d.Visitors, upstream: d.Upstream, validation: d.Validation,
	}
}

// ErrorPage writes the page that tells a person of an error.
func (s *Service) ErrorPage(call *httpapi.Call, e *errcode.Error) []byte {
	f := page.Failure{Status: e.Code.Status, Text: e.Text}
	if f.Ours() {
		f.RequestID = call.RequestID()
	}
	body, err := page.Render(page.Frame{Server: s.cfg.ServerName, Now: call.Now}, f)
	if err != nil {
		call.Log.Error("the page of an error", "err", err)
		return []byte(e.Text)
	}
	return body
}

type assetRequest struct {
	Name string `path:"name"`
}

// asset answers a file whose name changes with its content.
func asset(_ context.Context, _ *httpapi.Call, req assetRequest) (httpapi.Reply, error) {
	a, ok := page.FindAsset(req.Name)
	if !ok {
		return httpapi.Reply{}, errcode.NotFound.New("This server has no such file.")
	}
	return httpapi.Reply{Body: a.Body, Header: http.Header{
		"Content-Type":  {a.ContentType},
		"Cache-Control": {"public, max-age=31536000, immutable"},
		"Pragma":        nil,
	}}, nil
}

// shown is a client as the pages show it.
func shown(c oauth.Client) page.Client {
	return page.Client{Name: c.Name, URI: c.URI, Policy: c.PolicyURI, Terms: c.TosURI}
}

// ShownDevice is a device as the pages show it.
func ShownDevice(d accounts.Device, c oauth.Client) page.Device {
	out := page.Device{
		ID: string(d.DeviceID), SignedIn: d.Created, Seen: d.LastSeen, SeenIP: d.LastSeenIP, UserAgent: d.LastSeenUserAgent,
	}
	if d.DisplayName != nil {
		out.Name = *d.DisplayName
	}
	if c.ID != "" {
		client := shown(c)
		out.Client = &client
	}
	return out
}

// sendingTo is the policy of a page whose form leads, by a redirect, to the target: an
// origin, or a scheme. A policy cannot name an IPv6 address, and then names its scheme.
func sendingTo(target string) string {
	if scheme, _, isIPv6 := strings.Cut(target, "//["); isIPv6 {
		target = scheme
	}
	return httpapi.ContentSecurityPolicy(target)
}
