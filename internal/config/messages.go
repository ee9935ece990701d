package config

import (
	"net/mail"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Mail holds the keys mail.*.
type Mail struct {
	From      string `key:"from"` // "Name <address>", or the address alone
	SMTP      SMTP   `key:"smtp"`
	Templates string `key:"templates"` // empty: the ones inside the program
}

// SMTP holds the keys mail.smtp.*.
type SMTP struct {
	Host     string `key:"host"` // empty: no mail is sent
	Port     int    `key:"port"` // zero: as TLS says
	TLS      string `key:"tls" oneof:"starttls,implicit,none"`
	Username string `key:"username"` // empty: without authentication
	Password string `key:"password" secret:"true"`
}

// SMS holds the keys sms.*. Of the two gateways at most one is set.
type SMS struct {
	Webhook   SMSWebhook `key:"webhook"`
	Twilio    Twilio     `key:"twilio"`
	Countries []string   `key:"countries"` // empty: none
	Price     float64    `key:"price"`
	Prices    []string   `key:"prices"` // "DE=0.08"
	Limits    SMSLimits  `key:"limits"`
}

// SMSWebhook holds the keys sms.webhook.*.
type SMSWebhook struct {
	URL    string `key:"url"` // empty: not used
	Secret string `key:"secret" secret:"true"`
}

// Twilio holds the keys sms.twilio.*.
type Twilio struct {
	AccountSID string `key:"account_sid"` // empty: not used
	AuthToken  string `key:"auth_token" secret:"true"`
	From       string `key:"from"`
	URL        string `key:"url"`
}

// SMSLimits holds the keys sms.limits.*: what the last 24 hours may hold.
type SMSLimits struct {
	PerNumber  int     `key:"per_number"`
	PerCountry int     `key:"per_country"`
	PerDay     int     `key:"per_day"`
	Spend      float64 `key:"spend"` // in the unit of the prices
}

// Threepid holds the keys threepid.*.
type Threepid struct {
	TokenLifetime    Duration `key:"token_lifetime"`
	CodeLifetime     Duration `key:"code_lifetime"`
	HideExistence    bool     `key:"hide_existence"`
	NextLinkHosts    []string `key:"next_link_hosts"`
	AllowedAddresses []string `key:"allowed_addresses"` // empty: all
	AllowChanges     bool     `key:"allow_changes"`
	// TrustedIdentityServers are the ones that a client may name.
	TrustedIdentityServers []string `key:"trusted_identity_servers"`
}

func defaultMail() Mail { return Mail{SMTP: SMTP{TLS: "starttls"}} }

func defaultSMS() SMS {
	return SMS{
		Twilio:    Twilio{URL: "https://api.twilio.com"},
		Countries: []string{}, Prices: []string{}, Price: 0.1,
		Limits: SMSLimits{PerNumber: 5, PerCountry: 200, PerDay: 500, Spend: 20},
	}
}

func defaultThreepid() Threepid {
	return Threepid{
		TokenLifetime: hour, CodeLifetime: 15 * minute, NextLinkHosts: []string{}, AllowedAddresses: []string{},
		AllowChanges: true, TrustedIdentityServers: []string{},
	}
}

// Address returns the host and port of the mail server. Without mail.smtp.port
// that is the port which RFC 8314 and RFC 6409 give to this kind of connection.
func (s SMTP) Address() (host string, port int) {
	switch {
	case s.Port != 0:
		return s.Host, s.Port
	case s.TLS == "implicit":
		return s.Host, 465
	case s.TLS == "none":
		return s.Host, 25
	}
	return s.Host, 587
}

// PriceOf returns what a message to the country, such as DE, counts against
// sms.limits.spend.
func (s SMS) PriceOf(country string) float64 {
	for _, entry := range s.Prices {
		if name, text, _ := strings.Cut(entry, "="); name == country {
			if price, err := strconv.ParseFloat(text, 64); err == nil {
				return price
			}
		}
	}
	return s.Price
}

func (f *findings) mail(c Config) {
	smtp := c.Mail.SMTP
	if c.Mail.From != "" {
		if _, err := mail.ParseAddress(c.Mail.From); err != nil || strings.ContainsAny(c.Mail.From, "\r\n") {
			f.add("mail.from", `%q is not a mail address such as narthex@example.org or "Example <narthex@example.org>"`, c.Mail.From)
		}
	} else if smtp.Host != "" {
		f.add("mail.from", "mails need a sender, such as narthex@example.org")
	}
	if smtp.Port != 0 {
		f.between("mail.smtp.port", smtp.Port, 1, 65535)
	}
	if smtp.Host == "" {
		return
	}
	if !isHost(smtp.Host) && !isIPv6(smtp.Host) {
		f.add("mail.smtp.host", "%q is not a host name; the port belongs into mail.smtp.port", smtp.Host)
	}
	switch {
	case smtp.Username == "" && smtp.Password != "":
		f.add("mail.smtp.username", "there is a password, but no user name")
	case smtp.Username != "" && smtp.Password == "":
		f.add("mail.smtp.password", "there is a user name, but no password; give it here or name its file in mail.smtp.password_file")
	case smtp.Username != "" && smtp.TLS == "none" && !isLoopback(smtp.Host):
		f.add("mail.smtp.tls", "none would send the password of mail.smtp.username unencrypted to another machine; use starttls or implicit")
	}
}

func isIPv6(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Is6() && ip.Zone() == ""
}

func (f *findings) sms(c Config) {
	s := c.SMS
	if s.Webhook.URL != "" && s.Twilio.AccountSID != "" {
		f.add("sms.twilio.account_sid", "sms.webhook.url is set too; use one of the two gateways")
	}
	if s.Webhook.URL != "" {
		f.gateway("sms.webhook.url", s.Webhook.URL)
		if s.Webhook.Secret == "" {
			f.add("sms.webhook.secret", "the gateway needs a secret to know that messages come from this server")
		}
	}
	if s.Twilio.AccountSID != "" {
		f.gateway("sms.twilio.url", s.Twilio.URL)
		if strings.ContainsFunc(s.Twilio.AccountSID, func(r rune) bool { return !isAlphanumeric(r) }) {
			f.add("sms.twilio.account_sid", "%q is not an account id: it has letters and digits alone", s.Twilio.AccountSID)
		}
		if s.Twilio.AuthToken == "" {
			f.add("sms.twilio.auth_token", "the account needs its token; give it here or name its file in sms.twilio.auth_token_file")
		}
		if s.Twilio.From == "" {
			f.add("sms.twilio.from", "give the number or the name that messages come from, such as +12025550123")
		}
	}
	f.countries(s)
	f.between("sms.limits.per_number", s.Limits.PerNumber, 1, 1000)
	f.between("sms.limits.per_country", s.Limits.PerCountry, 1, 1_000_000)
	f.between("sms.limits.per_day", s.Limits.PerDay, 1, 1_000_000)
	f.price("sms.price", s.Price)
	f.price("sms.limits.spend", s.Limits.Spend)
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z' && r < 0x80
}

// gateway checks an address that texts and codes are sent to.
func (f *findings) gateway(key, text string) {
	u, problem := webURL(text)
	switch {
	case problem != "":
		f.add(key, "%s", problem)
	case u.Scheme != "https" && !isLoopback(u.Hostname()):
		f.add(key, "%q would send codes unencrypted to another machine; use an https:// address", text)
	}
}

func (f *findings) countries(s SMS) {
	for _, country := range s.Countries {
		if !isCountry(country) {
			f.add("sms.countries", "%q is not a country code of two capital letters, such as DE", country)
		}
	}
	for _, entry := range s.Prices {
		country, text, _ := strings.Cut(entry, "=")
		price, err := strconv.ParseFloat(text, 64)
		if !isCountry(country) || err != nil || !isPrice(price) {
			f.add("sms.prices", "%q is not a country and its price, such as DE=0.08", entry)
		}
	}
}

func isCountry(text string) bool {
	return len(text) == 2 && 'A' <= text[0] && text[0] <= 'Z' && 'A' <= text[1] && text[1] <= 'Z'
}

func isPrice(price float64) bool { return price >= 0 && price <= 1e6 } // so that NaN is refused

func (f *findings) price(key string, price float64) {
	if !isPrice(price) {
		f.add(key, "%v is out of range; it has to be from 0 to 1000000", price)
	}
}

func (f *findings) threepid(c Config) {
	t := c.Threepid
	f.within("threepid.token_lifetime", t.TokenLifetime, minute, 24*hour)
	f.within("threepid.code_lifetime", t.CodeLifetime, minute, hour)
	for _, host := range t.NextLinkHosts {
		if problem := serverNameProblem(host); problem != "" {
			f.add("threepid.next_link_hosts", "%q %s", host, problem)
		}
	}
	for _, host := range t.TrustedIdentityServers {
		if problem := serverNameProblem(host); problem != "" {
			f.add("threepid.trusted_identity_servers", "%q %s", host, problem)
		}
	}
	f.validatable(c, "registration.required_threepids", c.Registration.RequiredThreepids)
	f.validatable(c, "registration.optional_threepids", c.Registration.OptionalThreepids)
	for _, medium := range c.Registration.OptionalThreepids {
		if slices.Contains(c.Registration.RequiredThreepids, medium) {
			f.add("registration.optional_threepids", "%s is in registration.required_threepids, too; take it out of one of them", medium)
		}
	}
	for _, pattern := range t.AllowedAddresses {
		if !strings.Contains(pattern, "@") && !strings.HasPrefix(pattern, "+") {
			f.add("threepid.allowed_addresses", "%q is neither a pattern for mail addresses such as *@example.org nor one for numbers such as +49*", pattern)
		}
	}
}

// validatable checks that the addresses which a registration asks for can be
// validated.
func (f *findings) validatable(c Config, key string, media []string) {
	for _, medium := range media {
		switch {
		case medium != "email" && medium != "msisdn":
			f.add(key, "%q is neither email nor msisdn", medium)
		case medium == "email" && !c.SendsMail():
			f.add(key, "email takes a mail server: set mail.smtp.host")
		case medium == "msisdn" && !c.SendsText():
			f.add(key, "msisdn takes a gateway for text messages: set sms.webhook.url or sms.twilio.account_sid")
		}
	}
}

// SendsMail reports whether the server can send mails. With --dev it writes them
// into the log.
func (c Config) SendsMail() bool { return c.Mail.SMTP.Host != "" || c.Dev }

// SendsText reports whether the server can send text messages. With --dev it writes
// them into the log.
func (c Config) SendsText() bool {
	return c.SMS.Webhook.URL != "" || c.SMS.Twilio.AccountSID != "" || c.Dev
}
