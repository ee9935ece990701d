package rendezvous_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// endpoint is a method on a path; the paths of sessions end in "/x".
type endpoint struct{ method, path string }

var (
	etagEndpoints   = []endpoint{{"POST", unstableETag}, {"GET", unstableETag + "/x"}, {"PUT", unstableETag + "/x"}, {"DELETE", unstableETag + "/x"}}
	jsonEndpoints   = []endpoint{{"GET", unstableJSON}, {"POST", unstableJSON}, {"GET", unstableJSON + "/x"}, {"PUT", unstableJSON + "/x"}, {"DELETE", unstableJSON + "/x"}}
	stableEndpoints = []endpoint{{"GET", stable}, {"POST", stable}, {"GET", stable + "/x"}, {"PUT", stable + "/x"}, {"DELETE", stable + "/x"}}
)

func absent(t *testing.T, srv *apitest.Server, endpoints ...endpoint) {
	t.Helper()
	for _, e := range endpoints {
		var body any
		if e.method != "GET" {
			body = object{"data": "", "sequence_token": ""}
		}
		fails(t, srv.Anyone(), e.method, e.path, body, errcode.Unrecognized)
	}
}

func TestRZ1_Z21_Off(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) { c.Rendezvous.Enabled = false })
	absent(t, srv, etagEndpoints...)
	absent(t, srv, jsonEndpoints...)
	absent(t, srv, stableEndpoints...)
	absent(t, srv, endpoint{"PATCH", unstableETag})
}

func TestZ21_OffForTheSecondGeneration(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) { c.Rendezvous.Mode = "off" })
	absent(t, srv, jsonEndpoints...)
	absent(t, srv, stableEndpoints...)
	for _, at := range []string{unstableETag, stable} {
		session, etag := created(t, srv, at, "first")
		put(t, srv, session, etag, "second")
	}
}

func TestDRZ3_StablePathsOff(t *testing.T) {
	srv := apitest.New(t, open, func(c *config.Config) { c.Rendezvous.StablePaths = false })
	absent(t, srv, stableEndpoints...)
	created(t, srv, unstableETag, "")
	makeMailbox(t, srv.Anyone(), unstableJSON, "")
}

func TestDRZ1_OneStablePathForBoth(t *testing.T) {
	srv := apitest.New(t, open)
	anyone := srv.Anyone()
	apitest.Run(t, []apitest.Case{
		{Name: "text", As: with(anyone, "Content-Type", "text/plain"), Do: "POST", Path: stable, Body: `{"data":""}`, Status: 201, Has: []string{`"url"`}},
		{Name: "JSON", As: with(anyone, "Content-Type", "application/json; charset=utf-8"), Do: "POST", Path: stable, Body: `{"data":""}`, Has: []string{`"id"`}},
		{Name: "another type", As: with(anyone, "Content-Type", "application/octet-stream"), Do: "POST", Path: stable, Body: `{"data":""}`, Want: errcode.InvalidParam},
		{Name: "no type", As: with(anyone, "Content-Type", ""), Do: "POST", Path: stable, Body: `{"data":""}`, Want: errcode.MissingParam},
		{Name: "a bad token", As: &apitest.Client{Server: srv, Token: "nobody's"}, Do: "POST", Path: stable, Body: `{"data":""}`, Want: errcode.UnknownToken},
	})
}

func TestRZ2_Delegation(t *testing.T) {
	const target = "https://rendezvous.example.org/create?x=1"
	srv := apitest.New(t, open, func(c *config.Config) { c.Rendezvous.DelegateTo = target })
	for name, r := range map[string]*apitest.Response{
		"unstable":    plain(srv).Do(t, "POST", unstableETag, "x"),
		"stable":      plain(srv).Do(t, "POST", stable, ""),
		"before RZ-6": plain(srv).Do(t, "POST", unstableETag, make([]byte, 20_000)),
		"before RZ-8": with(plain(srv), "Content-Type", "x").Do(t, "POST", unstableETag, "x"),
	} {
		status(t, r, 307)
		if r.Header.Get("Location") != target || r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Access-Control-Expose-Headers") == "" || len(r.Body) > 0 {
			t.Errorf("%s: %v %s", name, r.Header, r.Body)
		}
	}
	makeMailbox(t, srv.Anyone(), stable, "") // which is never delegated
	fails(t, srv.Anyone(), "GET", unstableETag+"/x", nil, errcode.NotFound)
}

// TestVersions holds that clients offer it where it is, by the flag they know.
func TestVersions(t *testing.T) {
	const path = "/_matrix/client/versions"
	flag := []string{`"org.matrix.msc4108":true`}
	off := apitest.New(t, func(c *config.Config) { c.Rendezvous.Enabled = false })
	apitest.Run(t, []apitest.Case{
		{Name: "on", As: apitest.New(t).Anyone(), Do: "GET", Path: path, Has: flag, HasNot: []string{"msc4388"}},
		{Name: "off", As: off.Anyone(), Do: "GET", Path: path, HasNot: []string{"msc4108"}},
		{Name: "elsewhere", As: apitest.New(t, func(c *config.Config) { c.Rendezvous.DelegateTo = "https://example.org" }).Anyone(), Do: "GET", Path: path, Has: flag},
	})
}

func TestRZ3_Z25_DeniedNetworks(t *testing.T) {
	srv := apitest.New(t, open, func(c *config.Config) {
		c.Rendezvous.DeniedNetworks = []string{"192.0.2.0/24", "127.0.0.0/8", "::1/128"}
	})
	fails(t, plain(srv), "POST", unstableETag, "", errcode.Forbidden)
	fails(t, plain(srv), "POST", stable, "", errcode.Forbidden)
	for _, path := range []string{unstableJSON, stable} {
		fails(t, srv.Anyone(), "GET", path, nil, errcode.Forbidden)
		fails(t, srv.Anyone(), "POST", path, object{"data": ""}, errcode.Forbidden)
	}
	elsewhere := apitest.New(t, open, func(c *config.Config) { c.Rendezvous.DeniedNetworks = []string{"192.0.2.0/24"} })
	created(t, elsewhere, unstableETag, "")
	makeMailbox(t, elsewhere.Anyone(), unstableJSON, "")
}
