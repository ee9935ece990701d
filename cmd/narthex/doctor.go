package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/narthex-matrix/narthex/internal/doctor"
)

type doctorCommand struct {
	Setup doctorSetupCommand `cmd:"" default:"withargs" help:"Examine the setup of this server."`
	QR    doctorQRCommand    `cmd:"" name:"qr" help:"Examine any homeserver for sign-in with a QR code."`
}

type doctorSetupCommand struct {
	settings
	Offline bool `help:"Do not look at the web, as clients would."`
	JSON    bool `help:"Write JSON."`
}

// Help is shown by --help.
func (doctorSetupCommand) Help() string {
	return `Run it as the user that runs the server. The exit code is 1 if there is a fault; a warning is none.

Example:
  narthex doctor --config /etc/narthex/narthex.yaml`
}

// Run examines the setup.
func (c doctorSetupCommand) Run(ctx context.Context, std streams) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	web := &http.Client{Timeout: 10 * time.Second}
	if c.Offline {
		web = nil
	}
	findings := doctor.Patient{Config: cfg, ConfigFile: c.Config, Now: time.Now, Web: web}.Examine(ctx)
	return report(std, findings, c.JSON)
}

// report shows findings, and ends with errFound if one is a fault.
func report(std streams, findings []doctor.Finding, json bool) (err error) {
	if json {
		err = writeJSON(std, findings)
	} else {
		err = writeFindings(std, findings)
	}
	for _, f := range findings {
		if err == nil && f.Level == doctor.Fault {
			return errFound
		}
	}
	return err
}

type doctorQRCommand struct {
	settings
	Homeserver string `placeholder:"NAME|URL" help:"A server name or an address (default: the server of the configuration)."`
	JSON       bool   `help:"Write JSON."`
}

// Help is shown by --help.
func (doctorQRCommand) Help() string {
	return `It does what the two devices do, as far as that works without a person: it finds the homeserver, reads the
OAuth metadata, begins a sign-in, and creates, reads, writes and deletes a meeting place. It finds proxies that
change headers. The exit code is 1 if there is a fault; a warning is none.

Examples:
  narthex doctor qr --homeserver example.org
  narthex doctor qr --homeserver https://matrix.example.org --json`
}

// Run examines the homeserver.
func (c doctorQRCommand) Run(ctx context.Context, std streams) error {
	if c.Homeserver == "" {
		cfg, err := c.load()
		if err != nil {
			return err
		}
		c.Homeserver = cfg.ClientBaseURL()
	}
	return report(std, doctor.QR{Server: c.Homeserver, Now: time.Now}.Examine(ctx), c.JSON)
}

func writeFindings(std streams, findings []doctor.Finding) error {
	counts := map[doctor.Level]int{}
	for _, f := range findings {
		counts[f.Level]++
		fmt.Fprintf(std.out, "%-8s %s\n", f.Level, f.What)
		if f.Mend != "" {
			fmt.Fprintf(std.out, "%-8s → %s\n", "", f.Mend)
		}
	}
	_, err := fmt.Fprintf(std.out, "\ngood: %d, warnings: %d, faults: %d\n", counts[doctor.Good], counts[doctor.Warning], counts[doctor.Fault])
	return err
}
