package httpapi

import (
	"context"
	"log/slog"
)

// requestLog adds the request's ID to the lines of its log. It does so when a line is
// written: most requests write none, and pay nothing for what they could have.
type requestLog struct {
	slog.Handler
	requestID string
}

// Handle writes a line.
func (h requestLog) Handle(ctx context.Context, line slog.Record) error {
	line = line.Clone()
	line.AddAttrs(slog.String("request", h.requestID))
	return h.Handler.Handle(ctx, line)
}

// WithAttrs keeps the ID.
func (h requestLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestLog{h.Handler.WithAttrs(attrs), h.requestID}
}

// WithGroup keeps the ID, which goes into the group.
func (h requestLog) WithGroup(name string) slog.Handler {
	return requestLog{h.Handler.WithGroup(name), h.requestID}
}
