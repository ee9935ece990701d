package httpapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Identity is who a request comes from.
type Identity struct {
	UserID   id.UserID
	DeviceID id.DeviceID
	TokenID  int64 // the row of the access token
	// ClientID is the OAuth 2.0 client of the session; empty for one that began by
	// the legacy login.
	ClientID string
	Guest    bool
	Admin    bool
	// Unproved is an administrator who has to have a second factor and has none. The
	// rights of one wait until then: Admin is false.
	Unproved  bool
	Suspended bool
	Locked    bool
	// TermsDue says that there are terms of the identity service that its user has
	// not accepted.
	TermsDue bool
}

// Call is one request on its way through a handler.
type Call struct {
	Identity // zero where the route needs no token and none was sent

	Now       time.Time
	Log       *slog.Logger
	Op        string
	Addr      netip.Addr
	UserAgent string
	// Stopping is closed when the server is about to stop. A handler that waits
	// (long poll) then answers at once with what it has; other work goes on.
	Stopping <-chan struct{}

	maxBody int64
	status  int
	cookies []*http.Cookie
	header  http.Header // of the answer
	limits  *Limiter
	id      requestID
	place   place
	body    body
	polls   bool                        // it is a long poll
	again   func(context.Context) error // looks at the token once more
	wait    *Wait                       // what it waits for

	// Queued is how long a long poll waited for its turn.
	Queued time.Duration
}

// Cookie gives the value of a cookie of the request, "" if there is none.
func (c *Call) Cookie(name string) string {
	for _, cookie := range c.cookies {
		if cookie.Name == name {
			return cookie.Value
		}
	}
	return ""
}

// Network is the part of the caller's address that one customer has: all of an IPv4
// address, 64 bits of an IPv6 one. It is the zero Prefix where there is no address.
func (c *Call) Network() netip.Prefix { return network(c.Addr) }

// SetStatus makes the answer of success another than 200.
func (c *Call) SetStatus(status int) { c.status = status }

// SetHeader sets a header of the answer, be it success or an error.
func (c *Call) SetHeader(name, value string) {
	if c.header == nil {
		c.header = http.Header{}
	}
	c.header.Set(name, value)
}

// Spend takes one request from the caller's budget of a class, or fails with
// LimitExceeded. It is for handlers of routes that are [Route.SelfLimited].
func (c *Call) Spend(class Class) error { return c.limits.allow(class, c) }

// Server answers requests. Its fields are set before the first one.
type Server struct {
	// Now is the clock behind Call.Now.
	Now func() time.Time
	Log *slog.Logger
	// Authenticate says whose token it is, or fails with a code of the catalogue.
	Authenticate func(ctx context.Context, token string, call *Call) (Identity, error)
	// AuthenticateIdentity does so for tokens of the identity service, by which it
	// gives IdentityUnauthorized; nil where there is none.
	AuthenticateIdentity func(ctx context.Context, token string, call *Call) (Identity, error)
	// Forms are the wire forms of the proposals' codes.
	Forms errcode.Forms
	// Limits has the budget of each class; nil switches rate limits off.
	Limits *Limiter
	// Admission bounds what is worked on at once; nil does not.
	Admission *Admission
	// ErrorPage writes the page that tells a person of an error.
	ErrorPage func(call *Call, e *errcode.Error) []byte
	// TrustedProxies may say in X-Forwarded-For whom they speak for.
	TrustedProxies []netip.Prefix
	// Patience is how long a long poll waits before its connection is taken from net/http,
	// so that it needs less memory; 0 leaves it there. Where there is much news, taking
	// costs more than it spares.
	Patience time.Duration
	// Observe, if set, is told of each answer: metrics, and the tests' records.
	Observe func(Answer)

	mux      *http.ServeMux
	routes   []Route
	stopping chan struct{}
	apart    sync.WaitGroup // the connections that are not with net/http
}

// Answer is one answered request. Route is nil where none matched; Code is nil on
// success.
type Answer struct {
	Route  *Route
	Status int
	Code   *errcode.Code
	Took   time.Duration
}

// Handle registers routes. Paths must not clash.
func (s *Server) Handle(routes []Route) {
	s.mux = http.NewServeMux()
	s.routes = routes
	s.stopping = make(chan struct{})
	methods := map[string]map[string]*Route{}
	for i := range routes {
		r := &routes[i]
		for _, path := range r.Paths() {
			if methods[path] == nil {
				table := map[string]*Route{}
				methods[path] = table
				s.mux.HandleFunc(path, func(w http.ResponseWriter, req *http.Request) { s.choose(w, req, table) })
			}
			if methods[path][r.Method] != nil {
				panic("httpapi: two routes for " + r.Method + " " + path) // an init-time table
			}
			methods[path][r.Method] = r
		}
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, req *http.Request) {
		s.refuse(w, req, errcode.Unrecognized.New("This server has no such endpoint."))
	})
}

// Routes lists the routes in the order in which they were registered.
func (s *Server) Routes() []Route { return slices.Clone(s.routes) }

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodOptions:
		cors(w.Header())
		s.write(w, http.StatusOK, []byte("{}"))
	case r.Method == http.MethodConnect || !plain(r.URL):
		// The multiplexer would answer these by a redirect, and a body that is sent
		// again would reach another resource; or it would find another one itself.
		s.refuse(w, r, errcode.Unrecognized.New("This server has no such endpoint. A path may not have empty, . or .. segments; encode them, and every character that URLs encode."))
	default:
		s.mux.ServeHTTP(w, r)
	}
}

// choose finds the route for the method.
func (s *Server) choose(w http.ResponseWriter, r *http.Request, table map[string]*Route) {
	route := table[r.Method]
	if route == nil {
		s.refuseMethod(w, r, table)
		return
	}
	s.serve(w, r, route)
}

func (s *Server) refuseMethod(w http.ResponseWriter, r *http.Request, table map[string]*Route) {
	allow := slices.Sorted(maps.Keys(table))
	w.Header().Set("Allow", strings.Join(append(allow, http.MethodOptions), ", "))
	s.refuse(w, r, errcode.WrongMethod.New("This endpoint has no %s. It has %s.", methodName(r.Method), strings.Join(allow, ", ")))
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, route *Route) {
	call := s.newCall(r)
	call.Op, call.maxBody = route.Op, route.MaxBody
	call.polls = route.MayWait && asksToWait(r.URL.RawQuery)
	if err := s.admit(r, route, call); err != nil {
		s.answer(w, r, route, call, nil, err)
		return
	}
	ctx, wakes := db.HoldWakes(r.Context())
	r = r.WithContext(ctx)
	defer wakes.Release(func() {
		_ = http.NewResponseController(w).Flush() // the client may have gone
	})
	if route.MayWait {
		s.poll(w, r, route, call)
		return
	}
	answer, err := s.run(r, route, call)
	call.place.leave() // a client that reads slowly keeps no place
	s.answer(w, r, route, call, answer, err)
}

// answer writes what a handler gave.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, route *Route, call *Call, answer any, err error) {
	cors(w.Header())
	maps.Copy(w.Header(), call.header)
	if err != nil {
		s.writeError(w, r, route, call, err)
		return
	}
	if reply, ok := answer.(Reply); ok {
		s.reply(w, route, call, reply)
		return
	}
	body, err := marshal(answer)
	if err != nil {
		s.writeError(w, r, route, call, fmt.Errorf("answer of %s: %w", route.Op, err))
		return
	}
	if route.Errors == OAuthErrors {
		noStore(w.Header())
	}
	s.write(w, call.status, body)
	s.observe(route, call, call.status, nil)
}

func (s *Server) newCall(r *http.Request) *Call {
	call := &Call{
		Now: s.Now(), status: http.StatusOK, limits: s.Limits,
		Addr: s.clientAddr(r), UserAgent: r.UserAgent(), Stopping: s.stopping,
	}
	call.Log = slog.New(requestLog{s.Log.Handler(), &call.id})
	return call
}

// run checks in the order: token where the route looks at one, limits of the user or
// else of the address, parameters; then it calls the handler.
func (s *Server) run(r *http.Request, route *Route, call *Call) (answer any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	switch route.Auth {
	case Anyone:
	case IdentityUser:
		err = s.authenticateIdentity(r, route, call)
	default:
		err = s.authenticate(r.Context(), r, route, call)
		if route.MayWait { // others have no use for it
			call.again = func(ctx context.Context) error { return s.authenticate(ctx, r, route, call) }
		}
	}
	if err != nil {
		return nil, err
	}
	if !route.OwnLimit {
		if err := call.Spend(route.Class); err != nil {
			if call.UserID != "" {
				s.Limits.noteSpent(r, route, call.Now, err)
			}
			return nil, err
		}
	}
	return route.handle(r.Context(), call, r)
}

func (s *Server) authenticate(ctx context.Context, r *http.Request, route *Route, call *Call) error {
	token, err := AccessToken(r)
	if err != nil {
		return err
	}
	if token == "" {
		if route.Auth == Optional {
			return nil
		}
		return errcode.MissingToken.New("This needs an access token. Sign in first.")
	}
	if call.Identity, err = s.Authenticate(ctx, token, call); err != nil {
		return err
	}
	switch {
	case call.Locked && !route.ForLocked:
		return errcode.UserLocked.New("Your account is locked. Ask the administrator of this server.").With("soft_logout", true)
	case call.Guest && !route.ForGuests:
		return errcode.GuestAccessForbidden.New("Guests may not do this. Make an account to go on.")
	case call.Suspended && !route.ForSuspended:
		return errcode.UserSuspended.New("Your account is suspended: you can read and leave rooms, and nothing else. Ask the administrator of this server.")
	case route.Auth == Admin && call.Unproved:
		return errcode.Forbidden.New("Administrators of this server need a second factor, and your account has none. Sign in to your account in a web browser: it asks you to set one up. Then this works again.")
	case route.Auth == Admin && !call.Admin:
		return errcode.Forbidden.New("Only an administrator of this server may do this.")
	}
	return nil
}

// AccessToken takes the token from the header, or from the query where older
// clients put it; never from both. It is empty if there is none; what is no token is
// UnknownToken.
func AccessToken(r *http.Request) (string, error) {
	headers := r.Header.Values("Authorization")
	var query []string
	if strings.Contains(r.URL.RawQuery, "access_token=") {
		query = r.URL.Query()["access_token"]
	}
	if len(headers) == 0 && len(query) == 0 {
		return "", nil
	}
	if len(headers)+len(query) > 1 {
		return "", unusable("Send exactly one access token.")
	}
	if len(query) == 1 {
		return query[0], nil
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	token = strings.TrimLeft(token, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" || strings.ContainsAny(token, " ,") {
		return "", unusable("The Authorization header must be \"Bearer\", a space and the access token.")
	}
	return token, nil
}

func unusable(text string) error {
	return errcode.UnknownToken.New("%s", text).With("soft_logout", false)
}

// clientAddr is the address of the client: the connection's, unless that is a
// trusted proxy, which then names the one it speaks for.
func (s *Server) clientAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := peer.Addr().Unmap()
	if !s.trusts(addr) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	return addr
}

func (s *Server) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(s.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

func (s *Server) observe(route *Route, call *Call, status int, code *errcode.Code) {
	if s.Observe != nil {
		s.Observe(Answer{Route: route, Status: status, Code: code, Took: s.Now().Sub(call.Now)})
	}
}

// classify turns the errors of plumbing into codes.
func classify(err error) error {
	switch {
	case errors.Is(err, db.ErrNUL):
		return errcode.InvalidParam.Wrap(err, "A text in the request contains a NUL character, which cannot be stored.")
	case errors.Is(err, db.ErrClosed):
		e := errcode.Overloaded.Wrap(err, "The server is shutting down. Try again in a moment.")
		e.RetryAfter = time.Second
		return e
	case errors.Is(err, db.ErrFull):
		e := errcode.StorageUnavailable.Wrap(err, "The disk of this server is full, so that it can store nothing. Its administrator must make room; try again after that.")
		e.RetryAfter = time.Minute
		return e
	case errors.Is(err, db.ErrUnavailable):
		e := errcode.StorageUnavailable.Wrap(err, "The database of this server cannot be used at this moment. Try again in a few seconds.")
		e.RetryAfter = 5 * time.Second
		return e
	}
	return err
}
