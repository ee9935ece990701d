package config

import (
	"math"
	"strings"
	"testing"
)

func TestCheckAccepts(t *testing.T) {
	same(t, Default().Check(), "")
	for name, change := range map[string]func(*Config){
		"names": func(c *Config) { c.ServerName = "Matrix-1.example.org:8448"; c.WellKnown.Server = "192.0.2.1" },
		"IPv6":  func(c *Config) { c.ServerName = "[2001:db8::1]:8448" },
		"URLs": func(c *Config) {
			c.PublicURL = "https://example.org/matrix/"
			c.Support.Page = "http://example.org/?a=b#c"
		},
		"listen":   func(c *Config) { c.Listen = []string{":8008", "0.0.0.0:0", "0.0.0.0:0", "[::]:80", "host.example:80"} },
		"dev":      func(c *Config) { c.Dev = true; c.Listen = []string{"localhost:1", "[::1]:1", "127.9.9.9:1"} },
		"postgres": func(c *Config) { c.Database = "postgres:///db?host=/run/x&dbname=db&password=p" },
		"sqlite":   func(c *Config) { c.Database = "/var/lib/narthex/host.db" },
		"proxies":  func(c *Config) { c.TrustedProxies = []string{"10.0.0.0/8", "::1/128"} },
		"support": func(c *Config) {
			c.Support.AdminContactEmail = "a@b.example"
			c.Support.AdminContactMatrixID = "@a:b.example:1"
		},
		"terms":   func(c *Config) { c.Registration.Terms.URL = "https://example.org/terms" },
		"version": func(c *Config) { c.Rooms.DefaultVersion = "1" },
		"mail": func(c *Config) {
			c.Mail.From = "Example <a@b.example>"
			c.Mail.SMTP = SMTP{Host: "mail.example", TLS: "implicit", Username: "u", Password: "p"}
		},
		"mail on this machine": func(c *Config) {
			c.Mail.From = "a@b.example"
			c.Mail.SMTP = SMTP{Host: "::1", Port: 2525, TLS: "none", Username: "u", Password: "p"}
		},
		"a webhook": func(c *Config) {
			c.SMS.Webhook = SMSWebhook{URL: "http://127.0.0.1:9/sms", Secret: "s"}
			c.SMS.Countries = []string{"DE"}
			c.SMS.Prices = []string{"DE=0.08"}
		},
		"Twilio": func(c *Config) { c.SMS.Twilio.AccountSID, c.SMS.Twilio.AuthToken, c.SMS.Twilio.From = "AC1", "t", "+1" },
		"an identity service": func(c *Config) {
			c.Identity.Terms = []string{"terms 1.0 en https://example.org/en Terms of Service", "terms 1.0 fr https://example.org/fr Conditions"}
			c.Identity.AllowedServers, c.Identity.WebClient = []string{"example.org:8448"}, "https://app.example.org"
			c.Outbound.AllowedNetworks = []string{"10.0.0.0/8"}
		},
		"third-party ids": func(c *Config) {
			c.Threepid.NextLinkHosts = []string{"app.example.org", "localhost:8080"}
			c.Threepid.AllowedAddresses = []string{"*@example.org", "+49*"}
			c.Threepid.TrustedIdentityServers = []string{"id.example.org"}
		},
		"required addresses": func(c *Config) {
			c.Registration.RequiredThreepids = []string{"email", "msisdn"}
			c.Mail.From, c.Mail.SMTP.Host = "a@b.example", "mail.example"
			c.SMS.Webhook = SMSWebhook{URL: "https://a.example", Secret: "s"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := Default()
			change(&c)
			same(t, c.Check(), "")
		})
	}
}

func TestCheckRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"no server name", func(c *Config) { c.ServerName = "" }, `server_name: "" is empty; write a host name such as example.org`},
		{"a URL as server name", func(c *Config) { c.ServerName = "https://a.example" }, `server_name: "https://a.example" has a scheme; write the host name alone, such as example.org`},
		{"a path in the server name", func(c *Config) { c.ServerName = "a.example/" }, `server_name: "a.example/" has a path; write the host name alone, such as example.org`},
		{"an underscore in the server name", func(c *Config) { c.ServerName = "a_b" }, `server_name: "a_b" is not a host name; use letters, digits, dots and hyphens, or an address (IPv6 in brackets)`},
		{"IPv6 without brackets", func(c *Config) { c.ServerName = "2001:db8::1" }, `server_name: "2001:db8::1" is not a host name; use letters, digits, dots and hyphens, or an address (IPv6 in brackets)`},
		{"IPv4 in brackets", func(c *Config) { c.ServerName = "[192.0.2.1]" }, `server_name: "[192.0.2.1]" is not a host name; use letters, digits, dots and hyphens, or an address (IPv6 in brackets)`},
		{"a port alone", func(c *Config) { c.ServerName = ":80" }, `server_name: ":80" is not a host name; use letters, digits, dots and hyphens, or an address (IPv6 in brackets)`},
		{"a port too large", func(c *Config) { c.ServerName = "a:65536" }, `server_name: "a:65536" has a port that is not a number from 1 to 65535`},
		{"an empty port", func(c *Config) { c.WellKnown.Server = "a:" }, `well_known.server: "a:" has a port that is not a number from 1 to 65535`},
		{"a long server name", func(c *Config) { c.ServerName = strings.Repeat("a", 231) }, `server_name: "` + strings.Repeat("a", 231) + `" is longer than 230 characters`},
		{"no data", func(c *Config) { c.Data = "" }, `data: name a folder for what the server keeps`},

		{"a public URL without a scheme", func(c *Config) { c.PublicURL = "a.example" }, `public_url: "a.example" is not a web address such as https://example.org`},
		{"a public URL of another scheme", func(c *Config) { c.PublicURL = "ftp://a.example" }, `public_url: "ftp://a.example" is not a web address such as https://example.org`},
		{"a public URL without a host", func(c *Config) { c.PublicURL = "https://:80" }, `public_url: "https://:80" is not a web address such as https://example.org`},
		{"a public URL with a query", func(c *Config) { c.PublicURL = "https://a.example/?" }, `public_url: "https://a.example/?" has a query; end it before the ?`},
		{"a base URL with a fragment", func(c *Config) { c.WellKnown.ClientBaseURL = "https://a.example/#" }, `well_known.client_base_url: "https://a.example/#" has a fragment; end it before the #`},
		{"a password in a URL", func(c *Config) { c.PublicURL = "https://a:hunter2@a.example" }, `public_url: leave the user name and password out of the address`},
		{"terms that are no URL", func(c *Config) { c.Registration.Terms.URL = "terms.html" }, `registration.terms.url: "terms.html" is not a web address such as https://example.org`},
		{"terms without a name and version", func(c *Config) { c.Registration.Terms = Terms{URL: "https://a.example"} },
			"registration.terms.name: the terms need a name that people see\nregistration.terms.version: the terms need a version, such as 1.0"},

		{"no listener", func(c *Config) { c.Listen = nil }, `listen: give at least one address, such as 127.0.0.1:8008`},
		{"a listener without a port", func(c *Config) { c.Listen = []string{"127.0.0.1"} }, `listen: "127.0.0.1" is not an address such as 127.0.0.1:8008 or [::1]:8008`},
		{"a listener with a named port", func(c *Config) { c.Listen = []string{"127.0.0.1:http"} }, `listen: "127.0.0.1:http" has a port that is not a number from 0 to 65535`},
		{"a listener with an odd host", func(c *Config) { c.Listen = []string{"a b:1"} }, `listen: "a b:1" has a host that is neither an IP address nor a host name`},
		{"a listener twice", func(c *Config) { c.Listen = []string{":1", ":1"} }, `listen: ":1" is listed twice`},
		{"metrics on a listener", func(c *Config) { c.Metrics.Listen = "127.0.0.1:8008" }, `metrics.listen: "127.0.0.1:8008" is listed twice`},
		{"--dev for everywhere", func(c *Config) { c.Dev = true; c.Listen = []string{":8008"} }, `listen: ":8008" can be reached from other machines, which --dev does not allow; use 127.0.0.1`},
		{"--dev for a network", func(c *Config) { c.Dev = true; c.Metrics.Listen = "192.0.2.1:1" }, `metrics.listen: "192.0.2.1:1" can be reached from other machines, which --dev does not allow; use 127.0.0.1`},
		{"--dev for a name", func(c *Config) { c.Dev = true; c.Listen = []string{"localhost.example:1"} }, `listen: "localhost.example:1" can be reached from other machines, which --dev does not allow; use 127.0.0.1`},
		{"a proxy without a mask", func(c *Config) { c.TrustedProxies = []string{"192.0.2.7"} }, `trusted_proxies: "192.0.2.7" is not a network such as 10.0.0.0/8 or, for one address, 192.0.2.7/32`},
		{"a denied network without a mask", func(c *Config) { c.Rendezvous.DeniedNetworks = []string{"192.0.2.7"} }, `rendezvous.denied_networks: "192.0.2.7" is not a network such as 10.0.0.0/8 or, for one address, 192.0.2.7/32`},

		{"another database", func(c *Config) { c.Database = "mysql://u:hunter2@h/d" }, `database: a URL has to begin with postgres://; for SQLite give the path of a file alone`},
		{"a database URL that is none", func(c *Config) { c.Database = "postgres://u:hun%ter2@h/d" }, `database: the URL cannot be read; write special characters in its password as %XX`},
		{"a list of settings as database", func(c *Config) { c.Database = "host=h password=hunter2" }, `database: give PostgreSQL as a URL, such as postgres://user@host/name`},

		{"an unknown level", func(c *Config) { c.Log.Level = "loud" }, `log.level: expected one of debug, info, warn, error, got "loud"`},
		{"an unknown room version", func(c *Config) { c.Rooms.DefaultVersion = "13" }, `rooms.default_version: expected one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, got "13"`},
		{"an empty room version", func(c *Config) { c.Rooms.DefaultVersion = "" }, `rooms.default_version: expected one of 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, got ""`},
		{"a token that is never valid", func(c *Config) { c.Login.AccessTokenLifetime = 0 }, `login.access_token_lifetime: 0 is out of range; it has to be from 1s to 87600h`},
		{"a login token for days", func(c *Config) { c.Login.LoginTokenLifetime = 25 * hour }, `login.login_token_lifetime: 25h is out of range; it has to be from 1s to 24h`},
		{"no hashing", func(c *Config) { c.Login.Password.MaxConcurrentHashes = 0 }, `login.password.max_concurrent_hashes: 0 is out of range; it has to be from 1 to 1024`},
		{"passwords of any length", func(c *Config) { c.Login.Password.MinLength = 0 }, `login.password.min_length: 0 is out of range; it has to be from 1 to 512`},
		{"approval in the past", func(c *Config) { c.Approval.PendingTTL = -hour }, `approval.pending_ttl: -1h is in the past; write 0 for never`},
		{"an OAuth token that is never valid", func(c *Config) { c.OAuth.AccessTokenLifetime = 0 }, `oauth.access_token_lifetime: 0 is out of range; it has to be from 1s to 24h`},
		{"no time to approve", func(c *Config) { c.OAuth.DeviceCodeLifetime = 59 * minute / 60 }, `oauth.device_code_lifetime: 59s is out of range; it has to be from 1m to 1h`},
		{"a meeting for hours", func(c *Config) { c.Rendezvous.Lifetime = 2 * hour }, `rendezvous.lifetime: 2h is out of range; it has to be from 30s to 10m`},
		{"a message without room", func(c *Config) { c.Rendezvous.MaxPayload = 4095 }, `rendezvous.max_payload: 4095 is out of range; it has to be from 4096 to 102400`},
		{"a meeting by an unknown mode", func(c *Config) { c.Rendezvous.Mode = "closed" }, `rendezvous.mode: expected one of off, authenticated, open, got "closed"`},
		{"a meeting elsewhere", func(c *Config) { c.Rendezvous.DelegateTo = "example.org" }, `rendezvous.delegate_to: "example.org" is not a web address such as https://example.org`},
		{"no connections", func(c *Config) { c.Limits.MaxConnections = 0 }, `limits.max_connections: 0 is out of range; it has to be from 1 to 1000000`},
		{"requests at once without end", func(c *Config) { c.Limits.Concurrency = 10_001 }, `limits.concurrency: 10001 is out of range; it has to be from 0 to 10000`},
		{"a queue of less than nothing", func(c *Config) { c.Limits.Queue = -1 }, `limits.queue: -1 is out of range; it has to be from 0 to 1000000`},
		{"no time to wait", func(c *Config) { c.Limits.QueueTimeout = 0 }, `limits.queue_timeout: 0 is out of range; it has to be from 1s to 1m`},
		{"a queue of a room without end", func(c *Config) { c.Limits.RoomQueue = 10_001 }, `limits.room_queue: 10001 is out of range; it has to be from 0 to 10000`},
		{"no devices", func(c *Config) { c.RateLimits.Devices = 0 }, `rate_limits.devices: 0 is out of range; it has to be from 1 to 10000`},
		{"addresses without requests", func(c *Config) { c.RateLimits.Address.Burst = 0 }, `rate_limits.address.burst: 0 is out of range; it has to be from 1 to 1000000`},
		{"no requests", func(c *Config) { c.RateLimits.Login.PerSecond = 0 }, `rate_limits.login.per_second: 0 is out of range; it has to be above 0 and at most 1000000`},
		{"not a number", func(c *Config) { c.RateLimits.Cheap.PerSecond = math.NaN() }, `rate_limits.cheap.per_second: NaN is out of range; it has to be above 0 and at most 1000000`},
		{"no burst", func(c *Config) { c.RateLimits.Expensive.Burst = -1 }, `rate_limits.expensive.burst: -1 is out of range; it has to be from 1 to 1000000`},

		{"a mail address with a name", func(c *Config) { c.Support.AdminContactEmail = "A <a@b.example>" }, `support.admin_contact_email: "A <a@b.example>" is not a mail address such as admin@example.org`},
		{"a user without a server", func(c *Config) { c.Support.AdminContactMatrixID = "@a" }, `support.admin_contact_matrix_id: "@a" is not a Matrix user such as @admin:example.org`},
		{"a user without a name", func(c *Config) { c.Support.AdminContactMatrixID = "@:a" }, `support.admin_contact_matrix_id: "@:a" is not a Matrix user such as @admin:example.org`},

		{"mail without a sender", func(c *Config) { c.Mail.SMTP.Host = "mail.example" }, `mail.from: mails need a sender, such as narthex@example.org`},
		{"a sender that is none", func(c *Config) { c.Mail.From = "a" }, `mail.from: "a" is not a mail address such as narthex@example.org or "Example <narthex@example.org>"`},
		{"a sender of two lines", func(c *Config) { c.Mail.From = "a@b.example\r\n <a@b.example>" }, `mail.from: "a@b.example\r\n <a@b.example>" is not a mail address such as narthex@example.org or "Example <narthex@example.org>"`},
		{"a mail server with its port", func(c *Config) { c.Mail.From, c.Mail.SMTP.Host = "a@b.example", "b.example:25" }, `mail.smtp.host: "b.example:25" is not a host name; the port belongs into mail.smtp.port`},
		{"a mail port too large", func(c *Config) { c.Mail.SMTP.Port = 65536 }, `mail.smtp.port: 65536 is out of range; it has to be from 1 to 65535`},
		{"a mail password alone", func(c *Config) {
			c.Mail.From, c.Mail.SMTP = "a@b.example", SMTP{Host: "b.example", TLS: "starttls", Password: "hunter2"}
		}, `mail.smtp.username: there is a password, but no user name`},
		{"a mail user alone", func(c *Config) {
			c.Mail.From, c.Mail.SMTP = "a@b.example", SMTP{Host: "b.example", TLS: "starttls", Username: "u"}
		}, `mail.smtp.password: there is a user name, but no password; give it here or name its file in mail.smtp.password_file`},
		{"a mail password for all to read", func(c *Config) {
			c.Mail.From, c.Mail.SMTP = "a@b.example", SMTP{Host: "b.example", TLS: "none", Username: "u", Password: "hunter2"}
		}, `mail.smtp.tls: none would send the password of mail.smtp.username unencrypted to another machine; use starttls or implicit`},

		{"two gateways", func(c *Config) {
			c.SMS.Webhook = SMSWebhook{URL: "https://a.example", Secret: "s"}
			c.SMS.Twilio.AccountSID, c.SMS.Twilio.AuthToken, c.SMS.Twilio.From = "AC1", "t", "+1"
		}, `sms.twilio.account_sid: sms.webhook.url is set too; use one of the two gateways`},
		{"an unencrypted gateway", func(c *Config) { c.SMS.Webhook = SMSWebhook{URL: "http://a.example", Secret: "s"} }, `sms.webhook.url: "http://a.example" would send codes unencrypted to another machine; use an https:// address`},
		{"a gateway that is none", func(c *Config) { c.SMS.Webhook = SMSWebhook{URL: "a.example", Secret: "s"} }, `sms.webhook.url: "a.example" is not a web address such as https://example.org`},
		{"a gateway without a secret", func(c *Config) { c.SMS.Webhook.URL = "https://a.example" }, `sms.webhook.secret: the gateway needs a secret to know that messages come from this server`},
		{"Twilio by name alone", func(c *Config) { c.SMS.Twilio.AccountSID = "AC/1" },
			`sms.twilio.account_sid: "AC/1" is not an account id: it has letters and digits alone` + "\n" +
				`sms.twilio.auth_token: the account needs its token; give it here or name its file in sms.twilio.auth_token_file` + "\n" +
				`sms.twilio.from: give the number or the name that messages come from, such as +12025550123`},
		{"a country in words", func(c *Config) { c.SMS.Countries = []string{"Germany"} }, `sms.countries: "Germany" is not a country code of two capital letters, such as DE`},
		{"a price without a country", func(c *Config) { c.SMS.Prices = []string{"0.08"} }, `sms.prices: "0.08" is not a country and its price, such as DE=0.08`},
		{"a price below nothing", func(c *Config) { c.SMS.Prices = []string{"DE=-1"} }, `sms.prices: "DE=-1" is not a country and its price, such as DE=0.08`},
		{"a cap that is no number", func(c *Config) { c.SMS.Limits.Spend = math.NaN() }, `sms.limits.spend: NaN is out of range; it has to be from 0 to 1000000`},
		{"no messages", func(c *Config) { c.SMS.Limits.PerNumber = 0 }, `sms.limits.per_number: 0 is out of range; it has to be from 1 to 1000`},

		{"a code for days", func(c *Config) { c.Threepid.CodeLifetime = 2 * hour }, `threepid.code_lifetime: 2h is out of range; it has to be from 1m to 1h`},
		{"a link for weeks", func(c *Config) { c.Threepid.TokenLifetime = 25 * hour }, `threepid.token_lifetime: 25h is out of range; it has to be from 1m to 24h`},
		{"a URL as host", func(c *Config) { c.Threepid.NextLinkHosts = []string{"https://a.example"} }, `threepid.next_link_hosts: "https://a.example" has a scheme; write the host name alone, such as example.org`},
		{"a URL as identity server", func(c *Config) { c.Threepid.TrustedIdentityServers = []string{"https://a.example"} }, `threepid.trusted_identity_servers: "https://a.example" has a scheme; write the host name alone, such as example.org`},
		{"a required address of no kind", func(c *Config) { c.Registration.RequiredThreepids = []string{"mail"} }, `registration.required_threepids: "mail" is neither email nor msisdn`},
		{"required mail without a server", func(c *Config) { c.Registration.RequiredThreepids = []string{"email"} }, `registration.required_threepids: email takes a mail server: set mail.smtp.host`},
		{"required phone without a gateway", func(c *Config) { c.Registration.RequiredThreepids = []string{"msisdn"} }, `registration.required_threepids: msisdn takes a gateway for text messages: set sms.webhook.url or sms.twilio.account_sid`},
		{"an optional address of no kind", func(c *Config) { c.Registration.OptionalThreepids = []string{"mail"} }, `registration.optional_threepids: "mail" is neither email nor msisdn`},
		{"optional phone without a gateway", func(c *Config) { c.Registration.OptionalThreepids = []string{"msisdn"} }, `registration.optional_threepids: msisdn takes a gateway for text messages: set sms.webhook.url or sms.twilio.account_sid`},
		{"an address that is both", func(c *Config) {
			c.Dev, c.Registration.RequiredThreepids, c.Registration.OptionalThreepids = true, []string{"email"}, []string{"email"}
		}, `registration.optional_threepids: email is in registration.required_threepids, too; take it out of one of them`},
		{"a pattern of nothing", func(c *Config) { c.Threepid.AllowedAddresses = []string{"example.org"} }, `threepid.allowed_addresses: "example.org" is neither a pattern for mail addresses such as *@example.org nor one for numbers such as +49*`},

		{"terms without a name", func(c *Config) { c.Identity.Terms = []string{"terms 1.0 en https://example.org"} }, `identity.terms: "terms 1.0 en https://example.org" is not an id, a version, a language, an address and a name, such as: terms_of_service 1.0 en https://example.org/terms-1.0-en Terms of Service`},
		{"terms without an address", func(c *Config) { c.Identity.Terms = []string{"terms 1.0 en example.org T"} }, `identity.terms: "terms 1.0 en example.org T" has an address that is none: "example.org" is not a web address such as https://example.org`},
		{"terms in no language", func(c *Config) { c.Identity.Terms = []string{"terms 1.0 version https://a.example T"} }, `identity.terms: "terms 1.0 version https://a.example T" has the language "version"; write a code such as en`},
		{"terms of two versions", func(c *Config) {
			c.Identity.Terms = []string{"terms 1.0 en https://a.example T", "terms 1.1 fr https://a.example T"}
		}, `identity.terms: "terms 1.1 fr https://a.example T" has another version than the entry before it with the same id; give each language of a document the same version`},
		{"a pepper for seconds", func(c *Config) { c.Identity.PepperLifetime = minute }, `identity.pepper_lifetime: 1m is out of range; it has to be from 1h to 8760h`},
		{"a server with a path", func(c *Config) { c.Identity.AllowedServers = []string{"a/b"} }, `identity.allowed_servers: "a/b" has a path; write the host name alone, such as example.org`},
		{"a client without a scheme", func(c *Config) { c.Identity.WebClient = "app.example.org" }, `identity.web_client: "app.example.org" is not a web address such as https://example.org`},
		{"an address as network", func(c *Config) { c.Outbound.AllowedNetworks = []string{"10.0.0.1"} }, `outbound.allowed_networks: "10.0.0.1" is not a network such as 10.0.0.0/8 or, for one address, 192.0.2.7/32`},

		{"all findings at once", func(c *Config) { c.ServerName = ""; c.Listen = nil; c.Proposals = "" },
			`proposals: expected one of unstable, stable, got ""` + "\n" +
				`server_name: "" is empty; write a host name such as example.org` + "\n" +
				`listen: give at least one address, such as 127.0.0.1:8008`},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Default()
			test.change(&c)
			same(t, c.Check(), test.want)
		})
	}
}
