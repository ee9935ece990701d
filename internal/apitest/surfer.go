package apitest

import (
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// Surfer is a person's browser without a window: it keeps cookies, and follows no
// redirect by itself.
type Surfer struct {
	srv    *Server
	Client *http.Client
	// Token is the one in the forms of the last page.
	Token string
	// Header is sent with each request.
	Header http.Header
}

// Seen is an answer that a Surfer got.
type Seen struct {
	Status   int
	Header   http.Header
	Text     string // without tags, and with white space folded
	HTML     string
	Location string
}

// Surf opens a browser that has been nowhere yet.
func Surf(t testing.TB, srv *Server) *Surfer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &Surfer{srv: srv, Header: http.Header{}, Client: &http.Client{
		Jar: jar, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

var (
	tokenField = regexp.MustCompile(`name="form_token" value="([^"]*)"`)
	anyTag     = regexp.MustCompile(`<[^>]*>`)
)

// Do sends a request; a body is that of a form.
func (s *Surfer) Do(t testing.TB, method, path string, body io.Reader) Seen {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.srv.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, values := range s.Header {
		req.Header[name] = values
	}
	resp, err := s.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := Seen{Status: resp.StatusCode, Header: resp.Header, HTML: string(raw), Location: resp.Header.Get("Location")}
	out.Text = strings.Join(strings.Fields(html.UnescapeString(anyTag.ReplaceAllString(out.HTML, ""))), " ")
	if m := tokenField.FindStringSubmatch(out.HTML); m != nil {
		s.Token = m[1]
	}
	return out
}

// Get asks for a page.
func (s *Surfer) Get(t testing.TB, path string) Seen {
	t.Helper()
	return s.Do(t, "GET", path, nil)
}

// Post sends a form with the token of the last page, unless it has one.
func (s *Surfer) Post(t testing.TB, path string, form url.Values) Seen {
	t.Helper()
	sent := url.Values{"form_token": {s.Token}}
	for name, values := range form {
		sent[name] = values
	}
	return s.Do(t, "POST", path, strings.NewReader(sent.Encode()))
}

// SignIn signs in as the user, whose password is that of apitest.
func (s *Surfer) SignIn(t testing.TB, username string) *Surfer {
	t.Helper()
	s.Get(t, "/login")
	s.Post(t, "/login", url.Values{"username": {username}, "password": {Password}}).Goes(t, "/account")
	s.Get(t, "/account/password") // for the token of the new session
	return s
}

// Shows fails the test unless the answer has the status and the texts.
func (v Seen) Shows(t testing.TB, status int, texts ...string) Seen {
	t.Helper()
	if v.Status != status {
		t.Errorf("got %d, want %d:\n%s", v.Status, status, v.Text)
	}
	for _, text := range texts {
		if !strings.Contains(v.Text, text) {
			t.Errorf("the page does not say %q:\n%s", text, v.Text)
		}
	}
	return v
}

// Goes fails the test unless the answer sends the browser to the address.
func (v Seen) Goes(t testing.TB, to string) Seen {
	t.Helper()
	if v.Status != http.StatusSeeOther || v.Location != to {
		t.Errorf("got %d to %q, want 303 to %q:\n%s", v.Status, v.Location, to, v.Text)
	}
	return v
}

// Without fails the test if the page has any of the texts.
func (v Seen) Without(t testing.TB, texts ...string) Seen {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(v.HTML, text) {
			t.Errorf("the page has %q:\n%s", text, v.HTML)
		}
	}
	return v
}
