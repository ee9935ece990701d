package apitest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// Case is one request and the answer that it must get.
type Case struct {
	Name string
	As   *Client
	Do   string // the method
	Path string
	Body any // see Client.Do
	// Status is the status of success; 0 with Want nil means 200.
	Status int
	// Want is the failure: its status, errcode and members in the server's forms.
	Want *errcode.Code
	// Has and HasNot are texts that the body must, and must not, contain.
	Has, HasNot []string
}

// Run runs cases one after the other, each as a subtest.
func Run(t *testing.T, cases []Case) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Helper()
			r := c.As.Do(t, c.Do, c.Path, c.Body)
			if status := cmp.Or(c.Status, http.StatusOK); c.Want != nil {
				r.Fails(t, c.As.Server, c.Want)
			} else if r.Status != status {
				t.Errorf("%s %s: got %d %s, want %d", c.Do, c.Path, r.Status, r.Body, status)
			}
			for _, text := range c.Has {
				if !strings.Contains(string(r.Body), text) {
					t.Errorf("%s %s: the body %s does not contain %s", c.Do, c.Path, r.Body, text)
				}
			}
			for _, text := range c.HasNot {
				if strings.Contains(string(r.Body), text) {
					t.Errorf("%s %s: the body %s contains %s", c.Do, c.Path, r.Body, text)
				}
			}
		})
	}
}

// OK fails the test unless the request succeeded, and decodes the body into v,
// unless v is nil.
func (r *Response) OK(t testing.TB, v any) *Response {
	t.Helper()
	if r.Status != 200 {
		t.Fatalf("got %d %s, want 200", r.Status, r.Body)
	}
	if v != nil {
		if err := json.Unmarshal(r.Body, v); err != nil {
			t.Fatalf("%v in %s", err, r.Body)
		}
	}
	return r
}

// Fails fails the test unless the answer is the failure, in the wire form that the
// server is configured for: status, errcode, the members of the form, and no
// member of another form. An endpoint of OAuth 2.0 answers in the form of that, and
// of a page the status is compared.
func (r *Response) Fails(t testing.TB, s *Server, want *errcode.Code) *Response {
	t.Helper()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") {
		if r.Status != want.Status {
			t.Errorf("got a page with %d %s, want %d %s", r.Status, r.Body, want.Status, want.Key)
		}
		return r
	}
	var body map[string]any
	if json.Unmarshal(r.Body, &body) == nil && body["errcode"] == nil && body["error"] != nil && r.Header.Get("Pragma") == "no-cache" {
		return r.failsOAuth(t, want, body)
	}
	forms := s.App.Forms()
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatalf("got %d %q, want %s", r.Status, r.Body, want.Key)
	}
	if r.Status != want.Status {
		t.Errorf("got %d %s, want %d %s", r.Status, r.Body, want.Status, want.Key)
		return r
	}
	expected := map[string]any{}
	for _, m := range forms.Members(want.New("")) {
		expected[m.Name] = m.Value
	}
	if want.Name != "" {
		if text, _ := body["error"].(string); text == "" {
			t.Errorf("%s has no text", r.Body)
		}
		delete(expected, "error")
	}
	for name, value := range expected {
		if body[name] != value {
			t.Errorf("got %s, want %s with %s = %v", r.Body, want.Key, name, value)
		}
	}
	const field = "org.matrix.msc3848.unstable.errcode"
	if _, wanted := expected[field]; !wanted && body[field] != nil {
		t.Errorf("got %s, want %s without %s", r.Body, want.Key, field)
	}
	return r
}

// failsOAuth compares an error in the form of RFC 6749. A malformed request has one
// of two names, by the endpoint.
func (r *Response) failsOAuth(t testing.TB, want *errcode.Code, body map[string]any) *Response {
	t.Helper()
	names := []string{want.OAuth}
	if want.OAuth == "" {
		names = []string{"invalid_request", "invalid_client_metadata"}
	}
	name, _ := body["error"].(string)
	if text, _ := body["error_description"].(string); r.Status != want.Status || !slices.Contains(names, name) || text == "" || len(body) != 2 {
		t.Errorf("got %d %s, want %d %s", r.Status, r.Body, want.Status, want.Key)
	}
	return r
}

// Escape makes a text one segment of a path.
func Escape[S ~string](s S) string { return url.PathEscape(string(s)) }
