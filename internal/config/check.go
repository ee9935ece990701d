package config

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"reflect"
	"strings"
)

// Check reports every value that the server could not or should not run with,
// joined into one error with a line for each, or nil. A line begins with the
// key. Values of secrets and of database URLs are not repeated.
func (c Config) Check() error {
	var f findings
	f.choices(c)
	f.names(c)
	f.listeners(c)
	f.database(c)
	f.links(c)
	f.registration(c)
	f.login(c)
	f.notices(c)
	f.oauth(c)
	f.rates(c)
	f.limits(c)
	f.support(c)
	f.mail(c)
	f.sms(c)
	f.threepid(c)
	f.identity(c)
	f.sso(c)
	return errors.Join(f...)
}

// findings collects what Check has to say.
type findings []error

func (f *findings) add(key, format string, args ...any) {
	*f = append(*f, fmt.Errorf(key+": "+format, args...))
}

// choices repeats what Load has checked for the file, for values from flags.
func (f *findings) choices(c Config) { f.choicesOf("", fields, reflect.ValueOf(c)) }

func (f *findings) choicesOf(prefix string, fields []field, group reflect.Value) {
	for _, field := range fields {
		if text := group.FieldByIndex(field.index); field.oneOf != nil && !field.allows(text.String()) {
			f.add(prefix+field.name, "%w", field.refuse(fmt.Sprintf("%q", text)))
		}
	}
}

func (f *findings) names(c Config) {
	if problem := serverNameProblem(c.ServerName); problem != "" {
		f.add("server_name", "%q %s", c.ServerName, problem)
	}
	if c.WellKnown.Server != "" {
		if problem := serverNameProblem(c.WellKnown.Server); problem != "" {
			f.add("well_known.server", "%q %s", c.WellKnown.Server, problem)
		}
	}
	if c.Data == "" {
		f.add("data", "name a folder for what the server keeps")
	}
}

func (f *findings) database(c Config) {
	scheme, _, isURL := strings.Cut(c.Database, "://")
	switch {
	case isURL && scheme != "postgres" && scheme != "postgresql":
		f.add("database", "a URL has to begin with postgres://; for SQLite give the path of a file alone")
	case isURL && redactURL(c.Database) == redacted:
		f.add("database", "the URL cannot be read; write special characters in its password as %%XX")
	case !isURL && (strings.Contains(c.Database, "host=") || strings.Contains(c.Database, "dbname=")):
		f.add("database", "give PostgreSQL as a URL, such as postgres://user@host/name")
	}
}

func (f *findings) links(c Config) {
	for _, link := range []struct{ key, text string }{
		{"public_url", c.PublicURL},
		{"well_known.client_base_url", c.WellKnown.ClientBaseURL},
	} {
		if problem := baseURLProblem(link.text); link.text != "" && problem != "" {
			f.add(link.key, "%s", problem)
		}
	}
	for _, link := range []struct{ key, text string }{
		{"registration.terms.url", c.Registration.Terms.URL},
		{"rendezvous.delegate_to", c.Rendezvous.DelegateTo},
		{"support.page", c.Support.Page},
	} {
		if _, problem := webURL(link.text); link.text != "" && problem != "" {
			f.add(link.key, "%s", problem)
		}
	}
	f.networks("trusted_proxies", c.TrustedProxies)
	f.networks("rendezvous.denied_networks", c.Rendezvous.DeniedNetworks)
}

func (f *findings) networks(key string, list []string) {
	for _, network := range list {
		if _, err := netip.ParsePrefix(network); err != nil {
			f.add(key, "%q is not a network such as 10.0.0.0/8 or, for one address, 192.0.2.7/32", network)
		}
	}
}

func (f *findings) registration(c Config) {
	terms := c.Registration.Terms
	if terms.URL == "" {
		return
	}
	if terms.Name == "" {
		f.add("registration.terms.name", "the terms need a name that people see")
	}
	if terms.Version == "" {
		f.add("registration.terms.version", "the terms need a version, such as 1.0")
	}
}

func (f *findings) login(c Config) {
	second := minute / 60
	f.within("login.access_token_lifetime", c.Login.AccessTokenLifetime, second, 10*365*24*hour)
	f.within("login.login_token_lifetime", c.Login.LoginTokenLifetime, second, 24*hour)
	f.between("login.password.max_concurrent_hashes", c.Login.Password.MaxConcurrentHashes, 1, 1024)
	f.between("login.password.min_length", c.Login.Password.MinLength, 1, 512)
	if c.Approval.PendingTTL < 0 {
		f.add("approval.pending_ttl", "%s is in the past; write 0 for never", c.Approval.PendingTTL)
	}
}

func (f *findings) oauth(c Config) {
	second := minute / 60
	f.within("oauth.access_token_lifetime", c.OAuth.AccessTokenLifetime, second, 24*hour)
	f.within("oauth.device_code_lifetime", c.OAuth.DeviceCodeLifetime, minute, hour)
	f.within("rendezvous.lifetime", c.Rendezvous.Lifetime, minute/2, 10*minute)
	f.between("rendezvous.max_payload", c.Rendezvous.MaxPayload, 4<<10, 100<<10)
}

func (f *findings) rates(c Config) {
	f.between("rate_limits.devices", c.RateLimits.Devices, 1, 10_000)
	for _, class := range []struct {
		name string
		rate Rate
	}{
		{"cheap", c.RateLimits.Cheap}, {"sending", c.RateLimits.Sending}, {"login", c.RateLimits.Login},
		{"registration", c.RateLimits.Registration}, {"validation", c.RateLimits.Validation}, {"expensive", c.RateLimits.Expensive},
		{"address", c.RateLimits.Address},
	} {
		key := "rate_limits." + class.name
		if perSecond := class.rate.PerSecond; !(perSecond > 0 && perSecond <= 1e6) { // so that NaN is refused
			f.add(key+".per_second", "%v is out of range; it has to be above 0 and at most 1000000", perSecond)
		}
		f.between(key+".burst", class.rate.Burst, 1, 1_000_000)
	}
}

func (f *findings) support(c Config) {
	if address := c.Support.AdminContactEmail; address != "" {
		if parsed, err := mail.ParseAddress(address); err != nil || parsed.Address != address {
			f.add("support.admin_contact_email", "%q is not a mail address such as admin@example.org", address)
		}
	}
	if user := c.Support.AdminContactMatrixID; user != "" {
		local, server, _ := strings.Cut(user, ":")
		if len(local) < 2 || local[0] != '@' || serverNameProblem(server) != "" {
			f.add("support.admin_contact_matrix_id", "%q is not a Matrix user such as @admin:example.org", user)
		}
	}
}

func (f *findings) between(key string, value, least, most int) {
	if value < least || value > most {
		f.add(key, "%d is out of range; it has to be from %d to %d", value, least, most)
	}
}

func (f *findings) within(key string, value, least, most Duration) {
	if value < least || value > most {
		f.add(key, "%s is out of range; it has to be from %s to %s", value, least, most)
	}
}
