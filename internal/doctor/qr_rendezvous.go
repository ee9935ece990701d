package doctor

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	mendProxyETag = "Let the proxy pass rendezvous sessions as they are: no compression, no rewriting of ETag (nginx: gzip off; Cloudflare: no-transform, or no Brotli and Auto Minify)."
	mendProxyCORS = "Let the homeserver set the CORS headers, and let the proxy neither remove nor add any."

	// shortestLife is how long a session should live, so that a person has time to
	// scan and to agree.
	shortestLife = time.Minute
)

// letter is what a device leaves: long and regular, so that a proxy that compresses
// has a reason to.
var letter = strings.Repeat("a letter to the other device ", 60)

// session is a meeting place of 2024, and what was wrong with it. A fault is said
// once.
type session struct {
	*examination
	url  string
	tag  string
	said map[string]bool
}

func (s *session) faultOnce(what, mend string) {
	if !s.said[what] {
		s.said[what] = true
		s.fault(what, mend)
	}
}

// rendezvous2024 plays both devices at a meeting place of 2024 (MSC4108): create,
// read, write, write too late, delete. It tells whether there is one.
func (e *examination) rendezvous2024(ctx context.Context) bool {
	s := &session{examination: e, said: map[string]bool{}}
	faults := len(e.report)
	if there := s.create(ctx); !there {
		return false
	}
	if s.url == "" {
		return true
	}
	if !e.found.Features[feature2024] {
		e.fault(fmt.Sprintf("Apps do not see the meeting place: /versions does not say %s.", feature2024), "Update the homeserver, or switch MSC4108 on in its configuration.")
	}
	s.readFirst(ctx)
	s.write(ctx)
	s.readBack(ctx)
	s.writeLate(ctx)
	s.sessionCORS(ctx)
	s.remove(ctx)
	if len(e.report) == faults {
		e.good("The meeting place of 2024 keeps what it is given, and nothing on the way changes it.")
	}
	return true
}

func (s *session) create(ctx context.Context) (there bool) {
	a, err := s.ask(ctx, question{method: http.MethodPost, url: s.found.BaseURL + path2024, header: http.Header{"Content-Type": {"text/plain"}}})
	switch {
	case err != nil:
		s.fault(fmt.Sprintf("A meeting place cannot be created: %v.", err), "Look what the proxy does with POST requests.")
		return false
	case a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed:
		return false
	case a.status == http.StatusTemporaryRedirect:
		s.warn("The meeting place is at another server, "+shortened(a.header.Get("Location"))+", and was not examined.", "Run this for that server.")
		return true
	case a.status == http.StatusTooManyRequests:
		s.warn("The homeserver has had too many requests for meeting places from here.", "Wait a minute and run this again.")
		return true
	case !a.ok():
		s.fault(fmt.Sprintf("A meeting place cannot be created: the answer is status %d, %q.", a.status, shortened(a.body)),
			"A POST without a body must arrive with Content-Length: 0 and Content-Type: text/plain; look what the proxy makes of it.")
		return true
	}
	var made struct {
		URL string `json:"url"`
	}
	if !a.object(&made) || !s.usable(made.URL) {
		s.fault(fmt.Sprintf("The meeting place has no address that can be used: %q.", shortened(a.body)), "Set the public address of the homeserver (public_url, public_baseurl) to its https:// address.")
		return true
	}
	s.url = made.URL
	s.headers("created", a)
	if life, ok := a.lifetime(); ok && life < shortestLife {
		s.warn(fmt.Sprintf("A meeting place lives only %s, which is short for scanning a code and agreeing.", life), "Let it live five minutes, if the homeserver can be told.")
	}
	return true
}

func (s *session) usable(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && (u.Scheme == "https" || (u.Scheme == "http" && isLoopback(u.Hostname())))
}

// headers holds that an answer has what apps refuse to go without.
func (s *session) headers(when string, a reply) {
	tags := a.header.Values("ETag")
	switch {
	case len(tags) == 0:
		s.faultOnce("The meeting place's answers have no ETag: something on the way removes it, or the homeserver is too old.", mendProxyETag)
	case len(tags) > 1 || !strong(tags[0]):
		s.faultOnce(fmt.Sprintf("The ETag %s of the meeting place was rewritten on the way: writing by it will be refused.", shortened(strings.Join(tags, ", "))), mendProxyETag)
	}
	if len(tags) == 1 {
		s.tag = tags[0]
	}
	for _, name := range []string{"Expires", "Last-Modified"} {
		if _, err := http.ParseTime(a.header.Get(name)); err != nil && when != "written" {
			s.faultOnce(fmt.Sprintf("The meeting place's answers have no usable %s, without which Element X refuses it.", name), "Let the proxy pass the header; update the homeserver.")
		}
	}
	if !a.lists("Cache-Control", "no-store") {
		s.faultOnce("The meeting place's answers may be cached (Cache-Control lacks no-store): a device can read an old letter.", "Let the proxy pass Cache-Control; switch its cache off below /_matrix/.")
	}
	if !a.cors() || !a.lists("Access-Control-Expose-Headers", "ETag") {
		s.faultOnce("Apps in a browser cannot read the ETag of the meeting place: Access-Control-Allow-Origin: * or Access-Control-Expose-Headers: ETag is missing, or there twice.", mendProxyCORS)
	}
	if encoding := a.header.Get("Content-Encoding"); encoding != "" {
		s.faultOnce("Something on the way compresses the meeting place's answers ("+encoding+").", mendProxyETag)
	}
}

// strong tells whether an entity tag is as the homeserver made it: quoted, not
// weakened, and without what proxies add.
func strong(tag string) bool {
	inner, ok := strings.CutPrefix(tag, `"`)
	inner, closed := strings.CutSuffix(inner, `"`)
	if !ok || !closed || inner == "" || strings.Contains(inner, `"`) {
		return false
	}
	for _, suffix := range []string{"-gzip", "--gzip", ";gzip", "-br", ":gzip", "-df"} {
		if strings.HasSuffix(inner, suffix) {
			return false
		}
	}
	return true
}

// readFirst reads as the device that has just scanned, then as one that knows the
// tag.
func (s *session) readFirst(ctx context.Context) {
	a, err := s.ask(ctx, question{url: s.url})
	if err != nil || a.status != http.StatusOK {
		s.faultOnce(fmt.Sprintf("The meeting place cannot be read at %s: %s.", s.url, outcome(a, err)), "Let the proxy pass this address; with several homeserver processes, they must share the sessions.")
		return
	}
	s.headers("read", a)
	s.mediaType(a)
	s.unchanged(ctx)
}

func outcome(a reply, err error) string {
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("status %d, %q", a.status, shortened(a.body))
}

func (s *session) mediaType(a reply) {
	if got := a.header.Get("Content-Type"); got != "text/plain" {
		s.faultOnce(fmt.Sprintf("The meeting place's letters come as %q instead of exactly text/plain: Element passes over them for ever.", got),
			"Keep the proxy from adding a charset (nginx: no charset for text/plain), and from guessing types.")
	}
}

// unchanged polls with the current tag.
func (s *session) unchanged(ctx context.Context) {
	a, err := s.ask(ctx, question{url: s.url, header: http.Header{"If-None-Match": {s.tag}}})
	switch {
	case err != nil:
		s.faultOnce("The meeting place does not answer: "+err.Error()+".", "Look at the proxy.")
	case a.status != http.StatusNotModified:
		s.faultOnce(fmt.Sprintf("The meeting place answers with status %d instead of 304 where nothing is new: devices read their own letters back.", a.status), mendProxyETag)
	case a.header.Get("ETag") == "":
		s.faultOnce("Where nothing is new (304), the answer has no ETag: Element forgets where it was.", mendProxyETag)
	}
}

func (s *session) put(ctx context.Context, tag, text string) (reply, error) {
	return s.ask(ctx, question{method: http.MethodPut, url: s.url, body: text, header: http.Header{"Content-Type": {"text/plain"}, "If-Match": {tag}}})
}

func (s *session) write(ctx context.Context) {
	old := s.tag
	a, err := s.put(ctx, old, letter)
	switch {
	case err == nil && a.status == http.StatusPreconditionFailed:
		s.faultOnce("A letter is refused although nobody else wrote (412): the ETag changes on the way.", mendProxyETag)
		return
	case err != nil || !a.ok():
		s.faultOnce("A letter cannot be left: "+outcome(a, err)+".", "Let the proxy pass PUT with If-Match and Content-Type.")
		return
	}
	s.headers("written", a)
	if s.tag == old {
		s.faultOnce("The ETag stays the same when a letter is left: the other device does not notice.", "Update the homeserver; keep the proxy from caching.")
	}
}

func (s *session) readBack(ctx context.Context) {
	a, err := s.ask(ctx, question{url: s.url})
	switch {
	case err != nil || a.status != http.StatusOK:
		s.faultOnce("The letter cannot be read: "+outcome(a, err)+".", "With several homeserver processes, they must share the sessions.")
		return
	case a.header.Get("Content-Encoding") == "" && a.body != letter:
		s.faultOnce("The letter that is read is not the one that was left.", "Switch the proxy's cache off below /_matrix/; with several homeserver processes, they must share the sessions.")
	}
	s.headers("read", a)
	s.mediaType(a)
	s.unchanged(ctx)
}

// writeLate writes as a device that has not seen the last letter.
func (s *session) writeLate(ctx context.Context) {
	a, err := s.put(ctx, `"not-the-tag"`, "too late")
	if err != nil || a.status != http.StatusPreconditionFailed {
		s.faultOnce("A device that comes too late is not refused ("+outcome(a, err)+", instead of 412): letters get lost.", "Let the proxy pass If-Match.")
	}
}

// sessionCORS asks as a browser does before it writes.
func (s *session) sessionCORS(ctx context.Context) {
	a, err := s.preflight(ctx, s.url, http.MethodPut, "content-type,if-match")
	if err != nil || !a.ok() || !a.cors() || !a.lists("Access-Control-Allow-Methods", http.MethodPut) || !a.lists("Access-Control-Allow-Methods", http.MethodDelete) ||
		!a.lists("Access-Control-Allow-Headers", "If-Match") || !a.lists("Access-Control-Allow-Headers", "If-None-Match") || !a.lists("Access-Control-Allow-Headers", "Content-Type") {
		s.faultOnce("Apps in a browser cannot write to the meeting place: OPTIONS does not allow PUT and DELETE with If-Match, If-None-Match and Content-Type.", mendProxyCORS)
	}
}

func (s *session) remove(ctx context.Context) {
	a, err := s.ask(ctx, question{method: http.MethodDelete, url: s.url})
	if err != nil || !a.ok() {
		s.faultOnce("The meeting place cannot be deleted: "+outcome(a, err)+".", "Let the proxy pass DELETE.")
		return
	}
	a, err = s.ask(ctx, question{url: s.url})
	if err != nil || a.status != http.StatusNotFound || a.errcode() != "M_NOT_FOUND" {
		s.faultOnce("A meeting place that was deleted is not gone: "+outcome(a, err)+", instead of 404 M_NOT_FOUND.", "Switch the proxy's cache and its own error pages off below /_matrix/.")
	}
}
