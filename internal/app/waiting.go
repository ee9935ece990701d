package app

import (
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Waiting is how many long polls of a user wait in this process. Only tests ask, those
// of other packages, too: nothing that a client sees says when its request has begun to
// wait, and a guess at the time would make them slow or fail now and then.
func (a *App) Waiting(userID id.UserID) int { return a.bus.Waiting(bus.User(userID)) }
