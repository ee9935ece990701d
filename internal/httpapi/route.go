package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// Auth is who may call a route.
type Auth string

// The kinds of callers.
const (
	Anyone   Auth = "anyone"   // no token is looked at
	Optional Auth = "optional" // a token is checked if there is one
	User     Auth = "user"     // a valid access token
	Admin    Auth = "admin"    // the access token of a server administrator
	// IdentityUser is the access token of the identity service, which is no token of
	// the homeserver, nor the other way round.
	IdentityUser Auth = "identity"
)

// Class is the rate limit that a route counts against. The key is user and device
// where there is a token, and the address otherwise.
type Class string

// The classes of rate limits.
const (
	Unlimited    Class = "unlimited" // static answers and the long poll
	Cheap        Class = "cheap"
	Sending      Class = "sending"
	Login        Class = "login"
	Registration Class = "registration"
	Validation   Class = "validation"
	Expensive    Class = "expensive"
)

// Route is one endpoint: one row in a feature's routes.go.
type Route struct {
	Method string
	Path   string // as the specification spells it
	Op     string // the specification's operationId
	Auth   Auth
	Class  Class
	// Aliases are further paths for the same operation.
	Aliases []string
	// Codes are those that the route can answer beyond the ones implied by its
	// kind of caller, its class and its parameters.
	Codes []*errcode.Code
	// MaxBody is the largest body, in bytes.
	MaxBody int64
	// ForGuests, ForSuspended and ForLocked admit guests, suspended and locked
	// accounts.
	ForGuests, ForSuspended, ForLocked bool
	// BeforeTerms admits users of the identity service who have not accepted its
	// terms.
	BeforeTerms bool
	// OwnLimit says that the handler takes the request from the budget of the class
	// itself, by [Call.Spend], and words the refusal.
	OwnLimit bool

	// SignsIn says that the route is part of signing in, whatever its class: while there
	// is too much to do, it waits where sign-ins wait, and is not refused before them.
	SignsIn bool

	// MayWait says that the route is one of long polls.
	MayWait bool

	// Errors is how errors are answered.
	Errors ErrorForm

	// Request and Response are nil where the handler reads or writes for itself.
	Request, Response reflect.Type
	plan              *plan
	malformed         string // what an OAuth endpoint calls a request that cannot be read
	handle            func(ctx context.Context, call *Call, r *http.Request) (any, error)
}

// ErrorForm is how a route answers errors.
type ErrorForm string

// The forms of errors.
const (
	MatrixErrors ErrorForm = ""      // errcode and error
	OAuthErrors  ErrorForm = "oauth" // error and error_description (RFC 6749 section 5.2)
	PageErrors   ErrorForm = "page"  // a page for the person
	BothErrors   ErrorForm = "both"  // a page or those of Matrix, by what the sender prefers
	// IdentityErrors are those of Matrix as the identity service spells them; see
	// [Route.Identity].
	IdentityErrors ErrorForm = "identity"
)

// DefaultMaxBody is the limit of a body unless the route says otherwise: one
// event of the largest size, with room for white space and escapes.
const DefaultMaxBody = 128 << 10

// JSON makes a route that takes and gives JSON. The pattern is "METHOD /path".
//
// Every exported field of Req has one of the tags path:"name", query:"name",
// json:"name" or body:"*" (the whole body as raw JSON); the option "required"
// (query:"dir,required", or a tag required:"true" beside json) refuses a request
// without it. A field whose type has UnmarshalText checks itself.
func JSON[Req, Resp any](pattern, op string, auth Auth, class Class, h func(context.Context, *Call, Req) (Resp, error)) Route {
	route := newRoute(pattern, op, auth, class)
	p := planFor(reflect.TypeFor[Req](), route.Method)
	route.Request, route.Response, route.plan = reflect.TypeFor[Req](), reflect.TypeFor[Resp](), p
	route.handle = func(ctx context.Context, call *Call, r *http.Request) (any, error) {
		var req Req
		if err := p.bind(r, call.maxBody, reflect.ValueOf(&req).Elem()); err != nil {
			return nil, err
		}
		return h(ctx, call, req)
	}
	return route
}

func newRoute(pattern, op string, auth Auth, class Class) Route {
	method, path, ok := strings.Cut(pattern, " ")
	if !ok || !strings.HasPrefix(path, "/") {
		panic("httpapi: pattern " + pattern) // an init-time table
	}
	return Route{Method: method, Path: path, Op: op, Auth: auth, Class: class, MaxBody: DefaultMaxBody, plan: &plan{whole: -1}}
}

// Fails declares codes that the route can answer.
func (r Route) Fails(codes ...*errcode.Code) Route {
	r.Codes = slices.Concat(r.Codes, codes)
	return r
}

// Also serves the operation under further paths.
func (r Route) Also(paths ...string) Route {
	r.Aliases = slices.Concat(r.Aliases, paths)
	return r
}

// Body sets the largest body, in bytes.
func (r Route) Body(limit int64) Route {
	r.MaxBody = limit
	return r
}

// Guests admits guests.
func (r Route) Guests() Route {
	r.ForGuests = true
	return r
}

// Suspended admits suspended accounts: for what only reads, and for leaving,
// signing out and the like (client-server API, Account suspension).
func (r Route) Suspended() Route {
	r.ForSuspended = true
	return r
}

// Locked admits locked accounts: for signing out (client-server API, Account
// locking).
func (r Route) Locked() Route {
	r.ForLocked = true
	return r
}

// SelfLimited leaves it to the handler to ask for the budget of the class, at its
// own time and with its own words for a refusal.
func (r Route) SelfLimited() Route {
	r.OwnLimit = true
	return r
}

// SigningIn marks a route that people need to sign in.
func (r Route) SigningIn() Route {
	r.SignsIn = true
	return r
}

// Waits marks a route of long polls: one that begins while there is too much to do is
// not refused.
func (r Route) Waits() Route {
	r.MayWait = true
	return r
}

// Paths lists every path under which the operation is served. Each v3 path is
// also served as r0, which older clients use for everything.
func (r Route) Paths() []string {
	paths := []string{r.Path}
	if rest, ok := strings.CutPrefix(r.Path, "/_matrix/client/v3/"); ok {
		paths = append(paths, "/_matrix/client/r0/"+rest)
	}
	return append(paths, r.Aliases...)
}

// Implied gives the codes that follow from the route's kind of caller, its class
// and its parameters.
func (r Route) Implied() []*errcode.Code {
	codes := []*errcode.Code{errcode.Unknown, errcode.Overloaded, errcode.StorageUnavailable}
	if r.Auth == User || r.Auth == Admin {
		codes = append(codes, errcode.MissingToken)
	}
	if r.Auth == IdentityUser {
		codes = append(codes, errcode.IdentityUnauthorized)
		if !r.BeforeTerms {
			codes = append(codes, errcode.TermsNotSigned)
		}
	}
	if r.Auth != Anyone && r.Auth != IdentityUser {
		codes = append(codes, errcode.UnknownToken, errcode.ExpiredToken)
		if !r.ForLocked {
			codes = append(codes, errcode.UserLocked)
		}
		if !r.ForSuspended {
			codes = append(codes, errcode.UserSuspended)
		}
		if !r.ForGuests {
			codes = append(codes, errcode.GuestAccessForbidden)
		}
	}
	if r.Auth == Admin {
		codes = append(codes, errcode.Forbidden)
	}
	if r.Class != Unlimited && !r.OwnLimit {
		codes = append(codes, errcode.LimitExceeded)
	}
	codes = append(codes, r.plan.codes()...)
	if r.Errors == IdentityErrors {
		codes = asIdentity(codes)
	}
	return codes
}

// Declares reports whether the route may answer the code. Any text in a body may
// hold what cannot be stored, and is then an invalid parameter.
func (r Route) Declares(c *errcode.Code) bool {
	if c == errcode.InvalidParam && r.plan.hasBody {
		return true
	}
	return slices.Contains(r.Codes, c) || slices.Contains(r.Implied(), c)
}

// String names the route for listings and logs.
func (r Route) String() string { return fmt.Sprintf("%s %s (%s)", r.Method, r.Path, r.Op) }
