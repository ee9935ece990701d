package identityserver

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/event"
)

// Deps are what the service stands on.
type Deps struct {
	Config config.Config
	// Signer signs the requests that the homeserver makes in its own name.
	Signer event.Signer
	// Client is the one of package outbound.
	Client *http.Client
	// Home answers requests to the identity service in this process.
	Home http.Handler
}

// Service makes requests to identity servers.
type Service struct {
	signer  event.Signer
	trusted []string // host names, with a port where it is not 443
	own     []string // the trusted ones that are this very server
	client  *http.Client
}

// New makes the service.
func New(d Deps) *Service {
	s := &Service{signer: d.Signer, trusted: d.Config.Threepid.TrustedIdentityServers}
	if d.Config.Identity.Enabled {
		s.own = ownNames(d.Config)
	}
	client := *d.Client
	client.Transport = transport{own: s.own, home: d.Home, next: d.Client.Transport}
	s.client = &client
	return s
}

// ownNames are what clients may call the identity service in this process: the
// server's name, and the host of the address by which /.well-known/matrix/client
// leads to it.
func ownNames(cfg config.Config) []string {
	names := []string{cfg.ServerName}
	if u, err := url.Parse(cfg.BaseURL()); err == nil && u.Host != "" && u.Host != cfg.ServerName {
		names = append(names, u.Host)
	}
	return names
}

// Trusts reports whether this server works with an identity server, which is named
// as clients name it in id_server: a host name, with a port where it is not 443.
func (s *Service) Trusts(server string) bool {
	return slices.Contains(s.own, server) || slices.Contains(s.trusted, server)
}
