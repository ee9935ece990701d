package qr_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/narthex-matrix/narthex/signin/qr"
)

func TestCreate2024(t *testing.T) {
	ok := `{"url":"https://rendezvous.example.org/abc"}`
	for name, c := range map[string]struct {
		fault func(http.ResponseWriter)
		check func(error) bool
	}{
		"another server":  {answer(201, ok, "ETag", `"a"`), is(nil)},
		"200 for 201":     {answer(200, ok, "ETag", `"a"`), is(nil)},
		"unquoted tag":    {answer(201, ok, "ETag", `VmbxF13QDusTgOCt8aoa0d2PQcnBOXeIxEqhw5aQ03o=`), is(nil)},
		"no tag":          {answer(201, ok), is(qr.ErrETagMissing)},
		"no URL":          {answer(201, `{}`, "ETag", `"a"`), isAnswer(201)},
		"relative URL":    {answer(201, `{"url":"/abc"}`, "ETag", `"a"`), isAnswer(201)},
		"insecure URL":    {answer(201, `{"url":"http://example.org/abc"}`, "ETag", `"a"`), isAnswer(201)},
		"not JSON":        {answer(201, `https://example.org/`, "ETag", `"a"`), isAnswer(201)},
		"forbidden":       {matrix(403, "M_FORBIDDEN"), isMatrix(403, "M_FORBIDDEN")},
		"307 to insecure": {answer(307, "", "Location", "http://example.org/abc"), notNil},
		"302":             {answer(302, "", "Location", path2024), notNil},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, place2024)
			p.fault = answers("POST", c.fault)
			if _, err := qr.Create2024(t.Context(), p.URL, p.options(nil)); !c.check(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCreateFollowsADelegation2024(t *testing.T) {
	p := newPlace(t, place2024)
	home := newPlace(t, func(*meetingPlace) http.Handler {
		return http.RedirectHandler(p.URL+path2024, http.StatusTemporaryRedirect)
	})
	m := must(qr.Create2024(t.Context(), home.URL, home.options(nil)))(t)
	send(t, m, "x")
	if p.content() != "x" {
		t.Error("the message is not at the server that the homeserver delegates to")
	}
	circle := newPlace(t, func(*meetingPlace) http.Handler {
		return http.RedirectHandler(path2024, http.StatusTemporaryRedirect)
	})
	if _, err := qr.Create2024(t.Context(), circle.URL, circle.options(nil)); err == nil || len(circle.requests()) > 5 {
		t.Errorf("a circle: %v after %d requests", err, len(circle.requests()))
	}
}

func TestCreateTriesTheStablePath2024(t *testing.T) {
	p := newPlace(t, place2024)
	var paths []string
	p.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if paths = append(paths, r.URL.Path); r.URL.Path != "/_matrix/client/v1/rendezvous" {
			return false
		}
		answer(201, `{"url":"https://example.org/a"}`, "ETag", `"a"`)(w)
		return true
	}
	if must(qr.Create2024(t.Context(), p.URL, p.options(nil)))(t); len(paths) != 1 {
		t.Errorf("asked %v", paths)
	}
	none := newPlace(t, func(*meetingPlace) http.Handler { return http.NotFoundHandler() })
	if _, err := qr.Create2024(t.Context(), none.URL, none.options(nil)); !errors.Is(err, qr.ErrNoRendezvous) {
		t.Errorf("a server without sessions: %v", err)
	}
	paths = nil
	stable := newPlace(t, func(*meetingPlace) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /_matrix/client/v1/rendezvous", func(w http.ResponseWriter, r *http.Request) {
			answer(201, `{"url":"https://example.org/a"}`, "ETag", `"a"`)(w)
		})
		return mux
	})
	must(qr.Create2024(t.Context(), stable.URL, stable.options(nil)))(t)
}

func TestAddressesAreChecked2024(t *testing.T) {
	for _, address := range []string{"", "example.org", "http://example.org", "https://user@example.org", "ftp://localhost"} {
		var bad *qr.PayloadError
		if _, err := qr.Create2024(t.Context(), address, qr.RendezvousOptions{}); !errors.As(err, &bad) {
			t.Errorf("Create2024(%q): %v", address, err)
		}
		if _, err := qr.Open2024(t.Context(), address, qr.RendezvousOptions{}); !errors.As(err, &bad) {
			t.Errorf("Open2024(%q): %v", address, err)
		}
	}
}
