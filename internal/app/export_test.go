package app

import "github.com/narthex-matrix/narthex/internal/bus"

// Bus is what wakes the long polls of this process.
func (a *App) Bus() *bus.Local { return a.bus }
