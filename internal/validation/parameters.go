package validation

import (
	"cmp"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

const (
	maxOpaque   = 255  // characters of a sid or client_secret
	maxToken    = 255  // code points
	maxNextLink = 2048 // bytes
)

func invalid(name, reason string) error {
	return errcode.InvalidParam.New("The parameter %q is not valid: %s.", name, reason).With("param", name)
}

// isOpaque reports whether a text has the form of a sid or client_secret
// (Client-server API, Opaque identifiers): 1 to 255 of [0-9a-zA-Z.=_-].
func isOpaque(text string) bool {
	return text != "" && len(text) <= maxOpaque && strings.Trim(text, letters+".=_-") == ""
}

// CheckSecret fails with InvalidParam for a client_secret that is not 1 to 255
// characters of [0-9a-zA-Z.=_-].
func CheckSecret(clientSecret string) error { return checkOpaque("client_secret", clientSecret) }

func checkOpaque(name, text string) error {
	if !isOpaque(text) {
		return invalid(name, "it must be 1 to 255 of the characters 0-9 a-z A-Z . = _ -")
	}
	return nil
}

// CheckNextLink fails with InvalidParam for a next_link that a browser may not be
// sent to: anything but an absolute address by http or https, of a host of
// threepid.next_link_hosts (TP-37). The empty text is none, and is allowed.
func (s *Service) CheckNextLink(link string) error {
	if link == "" {
		return nil
	}
	if len(link) > maxNextLink {
		return invalid("next_link", "it is longer than 2048 bytes")
	}
	// Browsers read a backslash as a slash, and skip control characters.
	if strings.ContainsFunc(link, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }) {
		return invalid("next_link", "it must be an address in printable ASCII, without spaces and backslashes")
	}
	u, err := url.Parse(link)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" || u.User != nil {
		return invalid("next_link", "it must be an absolute address that begins with https:// or http://, without a user name")
	}
	if !slices.Contains(s.nextLinkHosts(), hostOf(u)) {
		return invalid("next_link", "this server sends nobody to that host")
	}
	return nil
}

// nextLinkHosts are the hosts that a next_link may have.
func (s *Service) nextLinkHosts() []string {
	if hosts := s.cfg.Threepid.NextLinkHosts; len(hosts) > 0 {
		out := make([]string, len(hosts))
		for i, h := range hosts {
			out[i] = strings.ToLower(h)
		}
		return out
	}
	own, err := url.Parse(s.cfg.BaseURL())
	if err != nil {
		return nil
	}
	return []string{hostOf(own)}
}

// hostOf gives the host of an address in lower case, with its port unless that is
// the usual one.
func hostOf(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if port == "" || (u.Scheme == "https" && port == "443") || (u.Scheme == "http" && port == "80") {
		if strings.Contains(host, ":") {
			return "[" + host + "]"
		}
		return host
	}
	return net.JoinHostPort(host, port)
}

// withSID gives the next_link with the session's id, for clients that learn it only
// now (TP-38).
func withSID(link, sid string) string {
	if link == "" {
		return ""
	}
	link, fragment, cut := strings.Cut(link, "#")
	separator := "?"
	if strings.Contains(link, "?") {
		separator = "&"
	}
	link += separator + "sid=" + url.QueryEscape(sid)
	if cut {
		link += "#" + fragment
	}
	return link
}

// Submission is what submitToken takes.
type Submission struct {
	Purpose      Purpose
	Medium       Medium
	SID          string
	ClientSecret string
	Token        string
}

// The parameters are pointers, or raw, to tell an empty one from none.
type submissionQuery struct {
	SID          *string `query:"sid"`
	ClientSecret *string `query:"client_secret"`
	Token        *string `query:"token"`
}

type submissionForm struct {
	SID          *string `form:"sid"`
	ClientSecret *string `form:"client_secret"`
	Token        *string `form:"token"`
}

type submissionBody struct {
	SID          jsontext.Value `json:"sid"`
	ClientSecret jsontext.Value `json:"client_secret"`
	Token        jsontext.Value `json:"token"`
}

// readSubmission takes the parameters from the query of a GET, and from the body of
// anything else: JSON, or a form if the request says that it is one (TP-1, TP-7 to
// TP-9).
func readSubmission(r *http.Request, limit int64) (in Submission, err error) {
	switch {
	case r.Method == http.MethodGet:
		req, err := httpapi.Bind[submissionQuery](r, limit)
		if err != nil {
			return in, err
		}
		in.SID, in.ClientSecret, in.Token, err = present(req.SID, req.ClientSecret, req.Token)
		return in, cmp.Or(err, in.check())
	case isForm(r):
		req, err := httpapi.Bind[submissionForm](r, limit)
		if err != nil {
			return in, err
		}
		in.SID, in.ClientSecret, in.Token, err = present(req.SID, req.ClientSecret, req.Token)
		return in, cmp.Or(err, in.check())
	}
	req, err := httpapi.Bind[submissionBody](r, limit)
	if err != nil {
		return in, err
	}
	sid, err1 := text("sid", req.SID)
	clientSecret, err2 := text("client_secret", req.ClientSecret)
	token, err3 := text("token", req.Token)
	in.SID, in.ClientSecret, in.Token, err = present(sid, clientSecret, token)
	return in, cmp.Or(err, err1, err2, err3, in.check())
}

// present fails with MissingParams if one of the parameters is not there.
func present(sid, clientSecret, token *string) (string, string, string, error) {
	for i, p := range []*string{sid, clientSecret, token} {
		if p == nil {
			name := []string{"sid", "client_secret", "token"}[i]
			return "", "", "", errcode.MissingParams.New("The parameter %q is missing.", name).With("param", name)
		}
	}
	return *sid, *clientSecret, *token, nil
}

// text gives a string of JSON, or nil for nothing at all. With the error for what is
// no string it gives an empty one, which is there.
func text(name string, raw jsontext.Value) (*string, error) {
	var s string
	if len(raw) == 0 {
		return nil, nil
	}
	if raw.Kind() != '"' || json.Unmarshal(raw, &s) != nil {
		return &s, invalid(name, "it must be a string")
	}
	return &s, nil
}

// check fails with InvalidParam for what can be no session's (TP-9).
func (in Submission) check() error {
	if err := checkOpaque("sid", in.SID); err != nil {
		return err
	}
	if err := CheckSecret(in.ClientSecret); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(in.Token); n == 0 || n > maxToken {
		return invalid("token", "it must have 1 to 255 characters")
	}
	return nil
}

func isForm(r *http.Request) bool {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && media == "application/x-www-form-urlencoded"
}
