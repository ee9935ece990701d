package main

import (
	"fmt"

	"github.com/narthex-matrix/narthex/internal/config"
)

type configCommand struct {
	Default configDefaultCommand `cmd:"" help:"Write a file with every key, its default and its meaning."`
	Check   configCheckCommand   `cmd:"" help:"Check a configuration file."`
}

type configDefaultCommand struct{}

// Help is shown by --help.
func (configDefaultCommand) Help() string {
	return "Example:\n  narthex config default > narthex.yaml"
}

// Run writes the default file.
func (configDefaultCommand) Run(std streams) error { return config.WriteDefault(std.out) }

type configCheckCommand struct {
	File string `arg:"" optional:"" type:"path" help:"The file; without one, the environment and the defaults are checked."`
}

// Help is shown by --help.
func (configCheckCommand) Help() string {
	return `Every mistake is named with file, line and key. The exit code is 1 if there is one.

Example:
  narthex config check /etc/narthex/narthex.yaml`
}

// Run checks file and environment, as serve would.
func (c configCheckCommand) Run(std streams) error {
	if _, err := (settings{Config: c.File}).loadChecked(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(std.out, "The configuration is good.")
	return err
}
