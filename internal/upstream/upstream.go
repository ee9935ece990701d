package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"text/template"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// CallbackPath is where providers send browsers back to, with the provider's ID after
// it.
const CallbackPath = "/sso/callback/"

// Deps are what the service stands on.
type Deps struct {
	DB        *db.DB
	Accounts  *accounts.Service
	Providers Directory
}

// Service sends people to providers and takes them back.
type Service struct {
	db        *db.DB
	accounts  *accounts.Service
	providers Directory
}

// provider is one of the configuration, with what was discovered about it.
type provider struct {
	config.Provider
	icon     Icon
	needs    []config.Requirement
	texts    map[string]*template.Template // of claims, by what they give
	callback string
	client   *http.Client

	mu         sync.Mutex // of the two below
	discovered *discovered
	until      time.Time
}

// Icon is the picture of a provider.
type Icon struct {
	Body        []byte
	ContentType string
}

// Provider is what pages show of a provider.
type Provider struct {
	ID, Name string
	Icon     bool // whether it has one
	// Registers reports whether somebody without an account gets one.
	Registers bool
}

// Directory holds the providers of a configuration.
type Directory []*provider

// Load reads the providers of the configuration, which has been checked. The client
// reaches them: one of package outbound, which follows no redirects. It asks none of
// them anything. It fails if a template or an icon cannot be read.
func Load(cfg config.Config, client *http.Client) (Directory, error) {
	var all Directory
	for _, entry := range cfg.SSO.Providers {
		p := &provider{
			Provider: entry, needs: entry.Requirements(), client: client, callback: cfg.BaseURL() + CallbackPath + entry.ID,
			texts: map[string]*template.Template{},
		}
		for name, text := range map[string]string{"localpart": entry.Localpart, "displayname": entry.DisplayName, "email": entry.Email} {
			t, err := config.ClaimTemplate(text)
			if err != nil {
				return nil, fmt.Errorf("the %s of provider %s: %w", name, entry.ID, err)
			}
			p.texts[name] = t
		}
		if entry.Icon != "" {
			body, err := os.ReadFile(entry.Icon)
			if err != nil {
				return nil, fmt.Errorf("the icon of provider %s: %w", entry.ID, err)
			}
			p.icon = Icon{Body: body, ContentType: config.IconTypes[strings.ToLower(filepath.Ext(entry.Icon))]}
		}
		all = append(all, p)
	}
	return all, nil
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, accounts: d.Accounts, providers: d.Providers}
}

// Providers are those of the configuration, in its order.
func (s *Service) Providers() []Provider {
	shown := make([]Provider, len(s.providers))
	for i, p := range s.providers {
		shown[i] = Provider{ID: p.ID, Name: p.Name, Icon: p.icon.Body != nil, Registers: p.AllowRegistration}
	}
	return shown
}

// Provider gives one by its ID.
func (s *Service) Provider(providerID string) (Provider, bool) {
	for _, p := range s.Providers() {
		if p.ID == providerID {
			return p, true
		}
	}
	return Provider{}, false
}

// Icon gives the picture of a provider that has one.
func (s *Service) Icon(providerID string) (Icon, bool) {
	p := s.find(providerID)
	if p == nil || p.icon.Body == nil {
		return Icon{}, false
	}
	return p.icon, true
}

func (s *Service) find(providerID string) *provider {
	for _, p := range s.providers {
		if p.ID == providerID {
			return p
		}
	}
	return nil
}

// A Failure is why somebody does not sign in by a provider, in words for them.
type Failure struct {
	Status int // of HTTP
	Text   string
	// Next is where the person was going, if that is known.
	Next string
	// Cause is for the log; nil if the person's own doing.
	Cause error
}

// Error gives the words.
func (f *Failure) Error() string { return f.Text }

// Unwrap gives the cause.
func (f *Failure) Unwrap() error { return f.Cause }

// refused is a failure that is nobody's fault but the person's, or the provider's will.
func refused(format string, args ...any) *Failure {
	return &Failure{Status: http.StatusForbidden, Text: fmt.Sprintf(format, args...)}
}

// broken is a failure of the provider, of the way to it, or of how it is set up here.
func (p *provider) broken(cause error) *Failure {
	f := &Failure{Status: http.StatusBadGateway, Cause: cause}
	var netErr interface{ Timeout() bool }
	switch {
	case errors.As(cause, &netErr) && netErr.Timeout(), errors.Is(cause, context.DeadlineExceeded):
		f.Text = fmt.Sprintf("%s does not answer. Try again later, or sign in in another way.", p.Name)
	default:
		f.Text = fmt.Sprintf("Signing in with %s does not work at this moment. Try again later, or sign in in another way. "+
			"If it stays like this, tell the administrator of this server.", p.Name)
	}
	return f
}

const sweepEvery = 5 * time.Minute

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{
		{Kind: "upstream.sweep", Work: s.sweep, Every: sweepEvery},
		{Kind: "upstream.forget", Work: s.forget}, // of a deactivated account
	}
}

// sweep forgets who did not come back, or went away before an account was made.
func (s *Service) sweep(ctx context.Context, _ jobs.Job) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Later(`DELETE FROM upstream_logins WHERE expires_ts <= $1`, tx.Now.UnixMilli()); err != nil {
			return err
		}
		if err := tx.Later(`DELETE FROM upstream_logouts WHERE expires_ts <= $1`, tx.Now.UnixMilli()); err != nil {
			return err
		}
		return tx.Later(`DELETE FROM upstream_enrolments WHERE expires_ts <= $1`, tx.Now.UnixMilli())
	})
}
