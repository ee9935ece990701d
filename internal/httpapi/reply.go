package httpapi

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// Reply is an answer that is not JSON of a typed response: a page, a redirect, a
// payload of bytes.
type Reply struct {
	Status int         // 200 if zero
	Header http.Header // these replace the ones that the adapter sets
	Body   []byte
}

// Redirect is the reply that sends a browser to another address, by GET.
func Redirect(to string) Reply {
	return Reply{Status: http.StatusSeeOther, Header: http.Header{"Location": {to}}}
}

// Form makes a route of an OAuth 2.0 endpoint: a form in, by fields with the tag
// form:"name" or form:"name,required", JSON out, and errors as RFC 6749 section
// 5.2 has them. No answer may be stored.
func Form[Req, Resp any](pattern, op string, class Class, h func(context.Context, *Call, Req) (Resp, error)) Route {
	return JSON(pattern, op, Anyone, class, h).OAuth("invalid_request")
}

// OAuth gives a route the errors of OAuth 2.0. A request that cannot be read is
// called by the name given.
func (r Route) OAuth(malformed string) Route {
	r.Errors, r.malformed = OAuthErrors, malformed
	return r
}

// TakesForm reports whether the route reads a form.
func (r Route) TakesForm() bool { return r.plan.hasForm }

// OAuthName is how a route of OAuth 2.0 spells a code.
func (r Route) OAuthName(c *errcode.Code) string {
	return errcode.OAuthMembers(c.New(""), r.malformed)[0].Value.(string)
}

// Page makes a route that answers a person's browser: fields as for [JSON] and
// [Form], and errors as a page. Its answers are never stored, framed or read by
// other sites, and a form that another site sends is refused.
func Page[Req any](pattern, op string, class Class, h func(context.Context, *Call, Req) (Reply, error)) Route {
	route := newRoute(pattern, op, Anyone, class)
	p := planFor(reflect.TypeFor[Req](), route.Method)
	route.Errors, route.Request, route.plan = PageErrors, reflect.TypeFor[Req](), p
	route.handle = func(ctx context.Context, call *Call, r *http.Request) (any, error) {
		if r.Method != http.MethodGet && fromAnotherSite(r) {
			return nil, errcode.Forbidden.New("This form was sent by another website. Open the page here and try again.")
		}
		call.cookies = r.Cookies()
		var req Req
		if err := p.bind(r, call.maxBody, reflect.ValueOf(&req).Elem()); err != nil {
			return nil, err
		}
		return h(ctx, call, req)
	}
	if route.Method != http.MethodGet {
		route.Codes = append(route.Codes, errcode.Forbidden)
	}
	return route
}

// Raw makes a route whose handler reads the request and writes the answer itself,
// because they are not JSON. Errors are those of Matrix.
func Raw(pattern, op string, auth Auth, class Class, h func(context.Context, *Call, *http.Request) (Reply, error)) Route {
	route := newRoute(pattern, op, auth, class)
	route.handle = func(ctx context.Context, call *Call, r *http.Request) (any, error) { return h(ctx, call, r) }
	return route
}

// Bind reads a JSON body strictly into a struct with json tags, as a [JSON] route
// would, for handlers of [Raw].
func Bind[Req any](r *http.Request, limit int64) (req Req, err error) {
	key := planned{reflect.TypeFor[Req](), r.Method == http.MethodGet}
	p, ok := plans.Load(key)
	if !ok {
		p, _ = plans.LoadOrStore(key, planFor(key.request, r.Method))
	}
	err = p.(*plan).bind(r, limit, reflect.ValueOf(&req).Elem())
	return req, err
}

// plans are those that Bind has worked out, a *plan for each planned.
var plans sync.Map

// planned is what a plan depends on: a request by GET has no body.
type planned struct {
	request reflect.Type
	get     bool
}

// fromAnotherSite reports whether a browser says that a page of another site made
// it send the request. Where a browser says nothing, the token in the form has to
// do: with "Referrer-Policy: no-referrer" even our own pages send "Origin: null".
func fromAnotherSite(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return false
	case "":
		origin := r.Header.Get("Origin")
		_, host, _ := strings.Cut(origin, "://")
		return origin != "" && origin != "null" && !strings.EqualFold(host, r.Host)
	}
	return true
}

func (s *Server) reply(w http.ResponseWriter, route *Route, call *Call, reply Reply) {
	if reply.Status == 0 {
		reply.Status = http.StatusOK
	}
	if route.Errors == PageErrors {
		header := htmlHeader()
		for name, values := range reply.Header {
			header[http.CanonicalHeaderKey(name)] = values
		}
		reply.Header = header
	}
	s.writeReply(w, reply)
	s.observe(route, call, reply.Status, nil)
}

func (s *Server) writeReply(w http.ResponseWriter, reply Reply) {
	h := w.Header()
	if reply.Header.Get("Content-Security-Policy") != "" {
		for name := range h { // pages are for no other origin
			if strings.HasPrefix(name, "Access-Control-") {
				h.Del(name)
			}
		}
	}
	for name, values := range reply.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	if reply.Status != http.StatusNotModified && reply.Status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(reply.Body)))
	}
	w.WriteHeader(reply.Status)
	_, _ = w.Write(reply.Body) // the client may have gone
}

// ContentSecurityPolicy is what the pages may load and where their forms may lead:
// to this server, and to further origins, since Chromium applies it to the
// redirect that answers a form.
func ContentSecurityPolicy(formTargets ...string) string {
	return "default-src 'none'; style-src 'self'; img-src 'self'; form-action " + strings.Join(append([]string{"'self'"}, formTargets...), " ") +
		"; frame-ancestors 'none'; base-uri 'none'"
}

// htmlHeader is what every page is sent with.
func htmlHeader() http.Header {
	h := http.Header{}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", ContentSecurityPolicy())
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	noStore(h)
	return h
}

func noStore(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
}

func errorForm(route *Route, r *http.Request) ErrorForm {
	switch {
	case route == nil:
		return MatrixErrors
	case route.Errors != BothErrors:
		return route.Errors
	case PrefersPage(r):
		return PageErrors
	}
	return MatrixErrors
}
