package doctor

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/signin"
)

// Sign-in is examined as clients do it: the two generations of the meeting place
// differ in their paths, and older clients know only one of the paths of the
// metadata.
const (
	path2024     = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous"
	path2025     = "/_matrix/client/unstable/io.element.msc4388/rendezvous"
	pathVersions = "/_matrix/client/versions"
	feature2024  = "org.matrix.msc4108"
)

// QR is a homeserver that is examined from outside for sign-in with a QR code.
type QR struct {
	// Server is what a person would type: example.org, or a base URL.
	Server string
	// Web sends the requests; nil is a client of its own. Redirects are not
	// followed whatever it says.
	Web *http.Client
	Now func() time.Time
}

// Examine walks through all that sign-in with a QR code needs, and goes on as far
// as it can. It leaves traces at the server: a registered client, a request for
// sign-in that nobody approves, and sessions that it deletes.
func (q QR) Examine(ctx context.Context) []Finding {
	e := &examination{QR: q}
	if !e.find(ctx) {
		return e.report
	}
	e.clock(ctx)
	e.oauth(ctx)
	first, second := e.rendezvous2024(ctx), e.rendezvous2025(ctx)
	switch {
	case first && second:
		e.good("Both generations of the meeting place are there.")
	case first:
		e.good("The meeting place of 2024 is there, which is the one that apps use today.")
	case second:
		e.warn("Only the meeting place of 2025 is there; apps in use today need the one of 2024 (MSC4108).",
			"Switch on MSC4108 too: rendezvous in Narthex, experimental_features.msc4108_enabled in Synapse.")
	default:
		e.fault("There is no place for the two devices to meet, so that no QR code can be shown.",
			"Switch it on: rendezvous in Narthex, experimental_features.msc4108_enabled in Synapse. If it is on, let the proxy pass everything below /_matrix/ to the homeserver.")
	}
	return e.report
}

// examination is what is known so far.
type examination struct {
	QR
	report
	found *signin.Homeserver
}

func (e *examination) library() *signin.Client {
	return &signin.Client{HTTP: e.Web, Now: e.Now}
}

// find looks for the homeserver as a client does.
func (e *examination) find(ctx context.Context) bool {
	found, err := e.library().Find(ctx, e.Server)
	if err != nil {
		e.fault(fmt.Sprintf("Clients do not find the homeserver: %v.", err), findAdvice(err))
		return false
	}
	e.found = found
	u, err := url.Parse(found.BaseURL)
	if err == nil && u.Scheme != "https" && !isLoopback(u.Hostname()) {
		e.fault("The homeserver is reached without encryption.", "Put a proxy with TLS before it.")
	}
	e.good("The homeserver is at %s.", found.BaseURL)
	if !strings.Contains(e.Server, "://") && err == nil && !isLoopback(u.Hostname()) {
		e.wellKnownCORS(ctx)
	}
	return true
}

func findAdvice(err error) string {
	var step *signin.DiscoveryError
	if !errors.As(err, &step) {
		return "Check the name."
	}
	switch step.Step {
	case "server name":
		return "Give a server name, such as example.org, or an address, such as https://matrix.example.org."
	case "well-known":
		return `Serve the file with status 200, the type application/json and {"m.homeserver":{"base_url":"https://…"}}; or no file at all, with status 404, if the homeserver is at the name itself.`
	}
	return "Check that the address leads to the homeserver, that its certificate is good, and that the proxy passes everything below /_matrix/ on."
}

// wellKnownCORS holds that apps in a browser may read the file, too.
func (e *examination) wellKnownCORS(ctx context.Context) {
	name, _, _ := strings.Cut(e.Server, "/")
	a, err := e.ask(ctx, question{url: "https://" + name + "/.well-known/matrix/client"})
	if err == nil && a.status == http.StatusOK && !a.cors() {
		e.warn("Apps in a browser may not read the file .well-known/matrix/client.", "Serve it with the header Access-Control-Allow-Origin: *.")
	}
}

// The clocks of a server and its clients may differ by so much before something
// shows, and before sign-in fails.
const (
	someSkew = 10 * time.Second
	badSkew  = time.Minute
)

// clock compares the server's time with the time here: clients reckon by their own
// clock when the meeting place runs out.
func (e *examination) clock(ctx context.Context) {
	before := e.Now()
	a, err := e.ask(ctx, question{url: e.found.BaseURL + pathVersions})
	if err != nil {
		e.fault(fmt.Sprintf("The homeserver does not answer any more: %v.", err), "Try again.")
		return
	}
	at, err := http.ParseTime(a.header.Get("Date"))
	if err != nil {
		e.warn("The homeserver's answers have no date, so that its clock cannot be compared.", "Let the proxy pass the header Date.")
		return
	}
	// The header has whole seconds: on average it is half a second behind.
	skew := at.Add(time.Second / 2).Sub(before.Add(e.Now().Sub(before) / 2)).Abs()
	const mend = "Set both clocks by NTP (timedatectl set-ntp true)."
	switch said := fmt.Sprintf("The clock of the homeserver and the one of this machine differ by %s", skew.Round(time.Second)); {
	case skew > badSkew:
		e.fault(said+": codes look as if they had run out.", mend)
	case skew > someSkew:
		e.warn(said+": codes run out early, or late.", mend)
	default:
		e.good("The clocks agree.")
	}
	if !a.cors() {
		e.fault("Apps in a browser cannot use the homeserver: its answers lack CORS headers.",
			"Let the homeserver set Access-Control-Allow-Origin, and let the proxy pass it on once.")
	}
}
