package app

import (
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Waiting is how many long polls of a user wait in this process.
func (a *App) Waiting(userID id.UserID) int { return a.bus.Waiting(bus.User(userID)) }
