package httpapi

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// marshal writes lists and maps that are nil as [] and {}, as clients expect. Objects
// that were written before, such as events, were looked through for repeated names
// when they came in.
func marshal(v any) ([]byte, error) {
	if own, ok := v.(Writer); ok {
		return own.AppendJSON(nil), nil
	}
	return json.Marshal(v, jsontext.AllowDuplicateNames(true))
}

// Writer is an answer that writes itself: it is mostly of what this server wrote before,
// such as events, and is not read through again, as encoders do.
type Writer interface {
	// AppendJSON appends the answer.
	AppendJSON(b []byte) []byte
}

// Written is an array of objects that this server wrote.
type Written []jsontext.Value

// AppendJSON appends the array.
func (w Written) AppendJSON(b []byte) []byte {
	n := 2
	for _, v := range w {
		n += len(v) + 1
	}
	b = append(slices.Grow(b, n), '[')
	for i, v := range w {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, v...)
	}
	return append(b, ']')
}

// corsHeader is what every answer is sent with. Its lists are shared by all of them, and
// have no room at their ends: who adds to one gets a copy.
var corsHeader = http.Header{
	"Access-Control-Allow-Origin":  {"*"},
	"Access-Control-Allow-Methods": {"GET, POST, PUT, DELETE, OPTIONS"},
	// The last two, and ETag, are for the rendezvous of MSC4108.
	"Access-Control-Allow-Headers":  {"X-Requested-With, Content-Type, Authorization, If-Match, If-None-Match"},
	"Access-Control-Expose-Headers": {"ETag, Retry-After"},
	"X-Content-Type-Options":        {"nosniff"},
}

func cors(h http.Header) { maps.Copy(h, corsHeader) }

// jsonType is shared by all answers.
var jsonType = []string{"application/json"}

func (s *Server) write(w http.ResponseWriter, status int, body []byte) {
	h := w.Header()
	h["Content-Type"] = jsonType
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have gone
}

// refuse answers a request that reached no route.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	cors(w.Header())
	s.writeError(w, r, nil, s.newCall(r), err)
}

// writeError is the only writer of errors. What is not a row of the catalogue is
// logged once, in full, and answered without details.
func (s *Server) writeError(w http.ResponseWriter, r *http.Request, route *Route, call *Call, err error) {
	e := errcode.From(classify(err), call.RequestID())
	form := errorForm(route, r)
	if form == IdentityErrors {
		e = identityError(e)
	}
	if (e.Code == errcode.Unknown || e.Code == errcode.StorageUnavailable) && !errors.Is(err, context.Canceled) {
		call.Log.Error("request failed", "op", call.Op, "user", call.UserID, "err", err)
	}
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.FormatInt(errcode.RetrySeconds(e.RetryAfter), 10))
	}
	switch form {
	case OAuthErrors:
		noStore(w.Header())
		s.write(w, e.Code.Status, errorBody(errcode.OAuthMembers(e, route.malformed)))
	case PageErrors:
		s.writeReply(w, Reply{Status: e.Code.Status, Header: htmlHeader(), Body: s.ErrorPage(call, e)})
	default:
		s.write(w, e.Code.Status, errorBody(s.Forms.Members(e)))
	}
	s.observe(route, call, e.Code.Status, e.Code)
}

// errorBody writes the members in their order.
func errorBody(members []errcode.Member) []byte {
	body := []byte{'{'}
	for i, m := range members {
		name, err := json.Marshal(m.Name)
		if err != nil {
			continue // a member's name is a constant of the code
		}
		value, err := json.Marshal(m.Value)
		if err != nil {
			continue // likewise its type
		}
		if i > 0 {
			body = append(body, ',')
		}
		body = append(append(append(body, name...), ':'), value...)
	}
	return append(body, '}')
}
