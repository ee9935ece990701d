package httpapi

import (
	"context"
	"log/slog"
	"sync"

	"github.com/narthex-matrix/narthex/internal/secret"
)

// requestID names a request in the log and in answers that tell of a failure. It is
// made when it is first wanted, which for most requests is never.
type requestID struct {
	once sync.Once
	text string
}

func (r *requestID) String() string {
	r.once.Do(func() { r.text = secret.String(9) })
	return r.text
}

// RequestID names the request in the log.
func (c *Call) RequestID() string { return c.id.String() }

// requestLog adds the request's ID to the lines of its log. It does so when a line is
// written: most requests write none, and pay nothing for what they could have.
type requestLog struct {
	slog.Handler
	request *requestID
}

// Handle writes a line.
func (h requestLog) Handle(ctx context.Context, line slog.Record) error {
	line = line.Clone()
	line.AddAttrs(slog.String("request", h.request.String()))
	return h.Handler.Handle(ctx, line)
}

// WithAttrs keeps the ID.
func (h requestLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestLog{h.Handler.WithAttrs(attrs), h.request}
}

// WithGroup keeps the ID, which goes into the group.
func (h requestLog) WithGroup(name string) slog.Handler {
	return requestLog{h.Handler.WithGroup(name), h.request}
}
