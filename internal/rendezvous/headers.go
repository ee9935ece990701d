package rendezvous

import (
	"net/http"
	"strings"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// notStored keeps answers, errors too, out of caches, and their ETags as they are.
func notStored(call *httpapi.Call) {
	call.SetHeader("Cache-Control", "no-store, no-transform")
	call.SetHeader("Pragma", "no-cache")
}

// setHeaders says how a session of MSC4108 stands.
func setHeaders(call *httpapi.Call, now session) {
	call.SetHeader("ETag", `"`+now.tag+`"`)
	call.SetHeader("Expires", now.expires.UTC().Format(http.TimeFormat))
	call.SetHeader("Last-Modified", now.updated.UTC().Format(http.TimeFormat))
}

// entityTag reads a header that holds one strong entity tag (RFC 9110 section
// 8.8.3), without its quotes; "" if there is no such header. Lists, weak tags and
// "*" would match what the client has not read, and are malformed here.
func entityTag(h http.Header, name string) (string, error) {
	values := h.Values(name)
	if len(values) == 0 {
		return "", nil
	}
	malformed := errcode.InvalidParam.New("The header %s must hold one ETag as the server gave it, in double quotes.", name).With("param", name)
	if len(values) > 1 {
		return "", malformed
	}
	tag, opened := strings.CutPrefix(values[0], `"`)
	tag, closed := strings.CutSuffix(tag, `"`)
	outside := func(c rune) bool { return c <= ' ' || c == '"' || c == 0x7f }
	if !opened || !closed || tag == "" || strings.ContainsFunc(tag, outside) {
		return "", malformed
	}
	return tag, nil
}

// navigated reports whether a browser says that a person was led to the address, or
// that a page shows it as something else than data: the messages are for programs,
// and nobody shall pass contents off as this server's.
func navigated(h http.Header) bool {
	dest := h.Get("Sec-Fetch-Dest")
	return dest != "" && dest != "empty" || h.Get("Sec-Fetch-Mode") == "navigate" || h.Get("Sec-Fetch-User") == "?1" || h.Get("Sec-Fetch-Site") == "none"
}

func forPrograms() error {
	return errcode.Forbidden.New("This address is for Matrix clients and shows nothing to a browser.")
}
