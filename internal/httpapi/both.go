package httpapi

import (
	"context"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// Both makes a route for browsers and programs alike, such as the address that a
// mail leads to: its handler reads the request itself, and answers with
// [PageReply] or [JSONReply]; errors are pages or those of Matrix. Which of the two
// is asked of [PrefersPage].
func Both(pattern, op string, auth Auth, class Class, h func(context.Context, *Call, *http.Request) (Reply, error)) Route {
	route := Raw(pattern, op, auth, class, h)
	route.Errors = BothErrors
	return route
}

// PageReply is a page with the headers that all pages have: never stored, framed or
// read by other sites.
func PageReply(body []byte) Reply { return Reply{Header: htmlHeader(), Body: body} }

// JSONReply is a body of JSON that is there already.
func JSONReply(body []byte) Reply {
	return Reply{Header: http.Header{"Content-Type": {"application/json"}}, Body: body}
}

// PrefersPage reports whether whoever sent the request would rather have a page than
// JSON: the one that its Accept header names with the greater weight. If it names
// neither, or both alike, a GET is a browser's and anything else a program's.
// RFC 9110 section 12.5.1.
func PrefersPage(r *http.Request) bool {
	page, json := 0.0, 0.0
	for _, part := range strings.Split(strings.Join(r.Header.Values("Accept"), ","), ",") {
		media, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, ok := params["q"]; ok {
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				continue
			}
		}
		switch media {
		case "text/html", "application/xhtml+xml":
			page = max(page, weight)
		case "application/json":
			json = max(json, weight)
		}
	}
	if page == json {
		return r.Method == http.MethodGet
	}
	return page > json
}
