package apitest

import "log/slog"

// Logger logs where the server does, at every level.
func (s *Server) Logger() *slog.Logger { return s.Log.Logger() }
