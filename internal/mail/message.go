package mail

import (
	"errors"
	"fmt"
	netmail "net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
	"golang.org/x/net/idna"
)

// longestAddress is what fits between the angle brackets of SMTP (RFC 5321,
// 4.5.3.1.3).
const longestAddress = 254

// written is a mail as it stands in the outbox.
type written struct {
	id       string
	address  string
	template string
	subject  string
	text     string
	html     string
	created  time.Time
	expires  time.Time
	unsure   int64
}

// domains maps names as programs do that look them up (RFC 5895), and holds that
// each part fits into DNS.
var domains = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// errAddress is returned for what is no mail address.
var errAddress = errors.New("this is not a mail address such as alice@example.org")

// parseAddress checks an address without a name, and writes its domain in ASCII
// (RFC 5891). What it returns holds neither spaces nor control characters.
func parseAddress(text string) (string, error) {
	if len(text) > longestAddress || !utf8.ValidString(text) || strings.ContainsFunc(text, isOdd) || strings.Contains(text, " ") {
		return "", errAddress
	}
	parsed, err := netmail.ParseAddress(text)
	if err != nil || parsed.Name != "" || parsed.Address != text {
		return "", errAddress
	}
	at := strings.LastIndexByte(text, '@')
	domain, err := domains.ToASCII(text[at+1:])
	if err != nil || domain == "" || len(domain)+at+1 > longestAddress {
		return "", errAddress
	}
	return text[:at+1] + domain, nil
}

// isOdd reports whether a character is one that nobody sees: a control character,
// one that turns the direction of writing, or none at all (Unicode's category C).
func isOdd(r rune) bool {
	return unicode.Is(unicode.C, r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
}

// plain makes one line of a text: what isOdd or a space becomes one space.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if isOdd(r) {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}

// cut shortens a text to n characters.
func cut(text string, n int) string {
	if utf8.RuneCountInString(text) <= n {
		return text
	}
	return string([]rune(text)[:n-1]) + "…"
}

// sender is who mails come from, as in mail.from.
type sender struct {
	name    string
	address string
	domain  string // of Message-IDs
}

func parseSender(from, serverName string) (sender, error) {
	s := sender{domain: hostOf(serverName)}
	parsed, err := netmail.ParseAddress(from)
	if err != nil {
		return s, fmt.Errorf("mail.from: %w", errAddress)
	}
	if s.address, err = parseAddress(parsed.Address); err != nil {
		return s, fmt.Errorf("mail.from: %w", err)
	}
	s.name = plain(parsed.Name)
	return s, nil
}

// hostOf is the host of a server name, without the port.
func hostOf(serverName string) string {
	if i := strings.LastIndexByte(serverName, ':'); i > strings.LastIndexByte(serverName, ']') {
		return serverName[:i]
	}
	return serverName
}

// build makes the mail of what is written. A mail that is sent twice is the same
// both times, so that whoever gets it can drop the second one.
func (s sender) build(w written) (*gomail.Msg, error) {
	to, err := parseAddress(w.address)
	if err != nil {
		return nil, err
	}
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithCharset(gomail.CharsetUTF8), gomail.WithEncoding(gomail.EncodingQP))
	m.SetAddrHeaderFromMailAddress(gomail.HeaderFrom, &netmail.Address{Name: s.name, Address: s.address})
	m.SetAddrHeaderFromMailAddress(gomail.HeaderTo, &netmail.Address{Address: to})
	m.Subject(cut(plain(w.subject), 200))
	m.SetMessageIDWithValue(w.id + "@" + s.domain)
	m.SetDateWithValue(w.created.UTC())
	m.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: nobody's holiday answers it
	m.SetBodyString(gomail.TypeTextPlain, w.text)
	if w.html != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, w.html)
	}
	return m, nil
}

// isASCII reports whether SMTP takes an address as it is.
func isASCII(address string) bool {
	return !strings.ContainsFunc(address, func(r rune) bool { return r >= utf8.RuneSelf })
}
