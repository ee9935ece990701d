// Command narthex is a Matrix homeserver and the tools to run it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
	stop()
	os.Exit(code)
}

// streams are where a command reads and writes, and how it waits.
type streams struct {
	in       io.Reader
	out, err io.Writer
	// wait waits for a time or the end of the context; nil is real time.
	wait func(ctx context.Context, d time.Duration) error
}

// commands is the command line.
type commands struct {
	Serve   serveCommand   `cmd:"" help:"Run the server."`
	Demo    demoCommand    `cmd:"" help:"Play what the server does on a throwaway server."`
	Bench   benchCommand   `cmd:"" help:"Measure a homeserver: this one, or any other on this machine."`
	User    userCommand    `cmd:"" help:"Create and change accounts."`
	Signin  signinCommand  `cmd:"" help:"Sign in a device: by password, or with a QR code."`
	Approve approveCommand `cmd:"" help:"Decide on accounts that wait for approval."`
	Routes  routesCommand  `cmd:"" help:"List the endpoints."`
	Errors  errorsCommand  `cmd:"" help:"Explain the errors that clients can see."`
	Mail    mailCommand    `cmd:"" help:"Try out the mail server, or write the texts of mails."`
	SMS     smsCommand     `cmd:"" name:"sms" help:"Try out the gateway for text messages."`
	Config  configCommand  `cmd:"" help:"Write a configuration file, or check one."`
	Migrate migrateCommand `cmd:"" help:"Move a server to another database; show the steps of the schema, or apply them."`
	Backup  backupCommand  `cmd:"" help:"Write all that the server keeps into one file, while it runs."`
	Restore restoreCommand `cmd:"" help:"Make a server of a backup."`
	Doctor  doctorCommand  `cmd:"" help:"Look for mistakes in the setup and say how to mend them."`
	Docs    docsCommand    `cmd:"" hidden:"" help:"Write the generated references."`
	Version versionCommand `cmd:"" help:"Show the version."`
}

// errFound is the end of a command that has already said what it found.
var errFound = errors.New("found")

// run is main with its surroundings as arguments. It gives the exit code: 0, 1
// for a failure, 2 for a command line that cannot be read.
func run(ctx context.Context, args []string, std streams) int {
	var c commands
	exit := -1
	parser, err := newParser(&c,
		kong.Writers(std.out, std.err),
		kong.Exit(func(code int) { exit = code }),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(std),
	)
	if err != nil {
		fmt.Fprintln(std.err, "narthex:", err)
		return 2
	}
	parsed, err := parser.Parse(args)
	if exit >= 0 { // --help has been shown
		return exit
	}
	if err != nil {
		parser.FatalIfErrorf(err)
		return 2
	}
	switch err := parsed.Run(); {
	case err == nil:
		return 0
	case errors.Is(err, errFound):
		return 1
	default:
		var answer *errcode.Error
		if errors.As(err, &answer) { // what a client would be told
			err = errors.New(answer.Text)
		}
		fmt.Fprintln(std.err, "narthex:", err)
		return 1
	}
}

func newParser(c *commands, more ...kong.Option) (*kong.Kong, error) {
	return kong.New(c, append(more,
		kong.Name("narthex"),
		kong.Description("A Matrix homeserver. To try it: narthex demo. To run it: narthex serve."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
	)...)
}
