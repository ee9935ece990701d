package main

import (
	"context"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/narthex-matrix/narthex/internal/demo"
)

type demoCommand struct{}

// Help is shown by --help.
func (demoCommand) Help() string {
	return `It starts servers on loopback with their data in a temporary folder, and plays over real HTTP how accounts
wait for approval, how rooms refuse, how people show that a mail address or a phone number is theirs, and how
devices are signed in with a QR code. The exit code is 1 if a story does not go as it is told.

Example:
  narthex demo`
}

// Run plays.
func (demoCommand) Run(ctx context.Context, std streams) error {
	file, ok := std.out.(*os.File)
	colours := ok && term.IsTerminal(int(file.Fd())) && os.Getenv("NO_COLOR") == ""
	return demo.Play(ctx, std.out, colours, time.Now)
}
