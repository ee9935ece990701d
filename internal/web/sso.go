package web

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/page"
	"github.com/narthex-matrix/narthex/internal/visitor"
)

type redirectToSSORequest struct {
	RedirectURL string `query:"redirectUrl,required"`
	Action      string `query:"action"`
}

// redirectToSSO takes a client of the older way to sign in to the pages. Client-server
// API, "Client login via SSO" and "OAuth 2.0 aware clients".
func (s *Service) redirectToSSO(_ context.Context, _ *httpapi.Call, req redirectToSSORequest) (httpapi.Reply, error) {
	if _, err := checkRedirect(req.RedirectURL); err != nil {
		return httpapi.Reply{}, err
	}
	to := ssoPageOf(req.RedirectURL)
	if req.Action == "register" && s.mayRegister() == nil {
		to = RegisterPath + "?" + url.Values{"continue": {to}}.Encode()
	}
	return httpapi.Redirect(to), nil
}

func ssoPageOf(redirectURL string) string {
	return ssoPath + "?" + url.Values{"redirect_url": {redirectURL}}.Encode()
}

type redirectToIdPRequest struct {
	IdpID       string `path:"idpId"`
	RedirectURL string `query:"redirectUrl,required"`
	Action      string `query:"action"`
}

// redirectToIdP takes a client of the older way to a provider, and from there to the
// page that asks whether to go back to it.
func (s *Service) redirectToIdP(_ context.Context, _ *httpapi.Call, req redirectToIdPRequest) (httpapi.Reply, error) {
	if _, there := s.upstream.Provider(req.IdpID); !there {
		return httpapi.Reply{}, noSuchProvider()
	}
	if _, err := checkRedirect(req.RedirectURL); err != nil {
		return httpapi.Reply{}, err
	}
	return httpapi.Redirect(beginAt(req.IdpID, ssoPageOf(req.RedirectURL))), nil
}

type showSSORequest struct {
	RedirectURL string `query:"redirect_url"`
}

// showSSO asks whether to go back, signed in, to the client. Since anybody can send
// a browser here, it asks each time. Whoever waits for approval is told so, and goes
// back like anybody else: the client then learns it from the login (MSC3866, A-27).
func (s *Service) showSSO(ctx context.Context, call *httpapi.Call, req showSSORequest) (httpapi.Reply, error) {
	target, err := checkRedirect(req.RedirectURL)
	if err != nil {
		return httpapi.Reply{}, err
	}
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	if !v.SignedIn() {
		return v.SignIn(ssoPageOf(req.RedirectURL))
	}
	if reply, again, err := s.askAgain(v, ssoPageOf(req.RedirectURL)); again || err != nil {
		return reply, err
	}
	reply, err := v.Show(http.StatusOK, page.SSO{
		Account: string(v.UserID()), ReturnsTo: target, Address: req.RedirectURL, Here: ssoPageOf(req.RedirectURL),
		Awaiting: v.Awaiting(), New: call.Now.Sub(v.Browser.Account.Created) < visitor.NewFor,
	})
	if err == nil {
		reply.Header.Set("Content-Security-Policy", sendingTo(target))
	}
	return reply, err
}

type confirmSSORequest struct {
	Token       string `form:"form_token"`
	RedirectURL string `form:"redirect_url"`
	Answer      string `form:"answer"`
}

// confirmSSO sends the browser back with a login token that is good once.
func (s *Service) confirmSSO(ctx context.Context, call *httpapi.Call, req confirmSSORequest) (httpapi.Reply, error) {
	if _, err := checkRedirect(req.RedirectURL); err != nil {
		return httpapi.Reply{}, err
	}
	v, err := s.visitors.Arrive(ctx, call)
	if err != nil {
		return httpapi.Reply{}, err
	}
	switch {
	case !v.SignedIn():
		return v.SignIn(ssoPageOf(req.RedirectURL))
	case !v.Owns(req.Token):
		return v.Stale(ssoPageOf(req.RedirectURL))
	case req.Answer != "allow":
		return v.Leave(visitor.Home)
	}
	if reply, again, err := s.askAgain(v, ssoPageOf(req.RedirectURL)); again || err != nil {
		return reply, err
	}
	var token string
	err = s.db.Write(ctx, func(tx *db.Tx) (err error) {
		token, err = s.oauth.SSOToken(tx, v.UserID())
		return err
	})
	if errors.Is(err, errcode.AccessDenied) { // locked or deactivated just now
		return v.SignIn(ssoPageOf(req.RedirectURL))
	}
	if err != nil {
		return httpapi.Reply{}, err
	}
	return v.Leave(withToken(req.RedirectURL, token))
}

// withToken adds the login token to the query of an address, and leaves the rest of
// it as it is.
func withToken(address, token string) string {
	address, fragment, hasFragment := strings.Cut(address, "#")
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	address += separator + "loginToken=" + url.QueryEscape(token)
	if hasFragment {
		address += "#" + fragment
	}
	return address
}

const maxRedirect = 4 << 10 // bytes

var (
	// schemes of installed apps; what follows is theirs.
	appScheme = regexp.MustCompile(`^[a-z][a-z0-9+.-]*$`)
	// hosts in the form in which browsers send them. It also keeps everything out
	// that means something in a Content-Security-Policy.
	webHost = regexp.MustCompile(`^([A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?|\[[0-9a-fA-F:.]+\])(:[0-9]{1,5})?$`)
	// noApp are schemes that browsers and systems act on themselves.
	noApp = []string{"javascript", "data", "vbscript", "blob", "file", "filesystem", "about", "view-source", "ws", "wss", "ftp", "mailto", "tel", "sms", "intent"}
)

// checkRedirect checks the address that a client of the older way wants the browser
// to go back to, and gives what of it tells whose it is: an origin, or the scheme of
// an installed app. No client has registered it, so the person is asked.
func checkRedirect(address string) (target string, err error) {
	bad := func(why string) error {
		return errcode.InvalidParam.New("The app that sent you here made a mistake: the address to go back to %s. Go back and try again, or tell its makers.", why).With("param", "redirectUrl")
	}
	if address == "" || len(address) > maxRedirect {
		return "", bad("is missing or too long")
	}
	for i := range len(address) {
		if address[i] <= ' ' || address[i] >= 0x7f || address[i] == '\\' {
			return "", bad("has characters that an address cannot have")
		}
	}
	u, err := url.Parse(address)
	if err != nil || !appScheme.MatchString(u.Scheme) || slices.Contains(noApp, u.Scheme) {
		return "", bad("is not one of a website or an app")
	}
	if u.Scheme != "https" && u.Scheme != "http" {
		return u.Scheme + ":", nil
	}
	switch {
	case u.Opaque != "" || !webHost.MatchString(u.Host):
		return "", bad("has no host that a browser could find")
	case u.User != nil:
		return "", bad("has a user name in it")
	case u.Scheme == "http" && !isThisMachine(u.Hostname()):
		return "", bad("is not protected by HTTPS")
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// isThisMachine reports whether a host is the machine of the browser itself.
func isThisMachine(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && addr.IsLoopback())
}
