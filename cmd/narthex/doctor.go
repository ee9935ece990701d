package main

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/narthex-matrix/narthex/internal/doctor"
)

type doctorCommand struct {
	settings
	Offline bool `help:"Do not look at the web, as clients would."`
	JSON    bool `help:"Write JSON."`
}

// Help is shown by --help.
func (doctorCommand) Help() string {
	return `Run it as the user that runs the server. The exit code is 1 if there is a fault; a warning is none.

Example:
  narthex doctor --config /etc/narthex/narthex.yaml`
}

// Run examines the setup.
func (c doctorCommand) Run(ctx context.Context, std streams) error {
	cfg, err := c.load()
	if err != nil {
		return err
	}
	web := &http.Client{Timeout: 10 * time.Second}
	if c.Offline {
		web = nil
	}
	findings := doctor.Patient{Config: cfg, ConfigFile: c.Config, Now: time.Now, Web: web}.Examine(ctx)
	if c.JSON {
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
