package doctor

import (
	"net"
	"strconv"
	"strings"

	"github.com/narthex-matrix/narthex/internal/mail"
)

const howToSend = "docs/operating/mail-and-sms.md tells how to change that."

// messages looks at what the server sends to people outside of Matrix.
func (p Patient) messages(r *report) {
	c := p.Config
	host, port := c.Mail.SMTP.Address()
	switch {
	case host == "":
		r.good("No mail is sent: no mail server is configured, and nobody can register or choose a new password by mail. " + howToSend)
	case c.Mail.SMTP.TLS == "none" && !isLoopback(host):
		r.warn("Mails go to "+net.JoinHostPort(host, strconv.Itoa(port))+" without encryption: the links in them can be read on the way.",
			"Set mail.smtp.tls to starttls or implicit.")
	default:
		r.good("Mails go to %s. To try it: narthex mail test ADDRESS.", net.JoinHostPort(host, strconv.Itoa(port)))
	}
	if c.Mail.Templates != "" {
		if _, err := mail.LoadTemplates(c); err != nil {
			r.fault(err.Error(), "Mend the file; narthex mail templates FOLDER writes the original.")
		} else {
			r.good("The texts of mails in %s can be used.", c.Mail.Templates)
		}
	}
	if c.SMS.Webhook.URL == "" && c.SMS.Twilio.AccountSID == "" {
		r.good("No text messages are sent: no gateway is configured. " + howToSend)
		return
	}
	switch {
	case len(c.SMS.Countries) == 0:
		r.warn("A gateway for text messages is configured, and no country that they may go to.", "List the countries of your users in sms.countries.")
	case c.SMS.Limits.Spend == 0:
		r.warn("A gateway for text messages is configured, and nothing may be spent.", "Set sms.limits.spend to what a day may cost.")
	default:
		r.good("Text messages go to %s, for at most %v a day.", strings.Join(c.SMS.Countries, ", "), c.SMS.Limits.Spend)
	}
}
