package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/narthex-matrix/narthex/internal/db"
)

// release is the version between releases; a build of a tag has the tag's.
const release = "0.1.0-dev"

type versionCommand struct{}

// Help is shown by --help.
func (versionCommand) Help() string { return "Example:\n  narthex version" }

// Run shows what was built from what.
func (versionCommand) Run(std streams) error {
	commit := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		settings := map[string]string{}
		for _, s := range info.Settings {
			settings[s.Key] = s.Value
		}
		if revision := settings["vcs.revision"]; revision != "" {
			commit = revision
			if settings["vcs.modified"] == "true" {
				commit += " (modified)"
			}
		}
	}
	_, err := fmt.Fprintf(std.out, "narthex %s\ncommit  %s\ngo      %s %s/%s\nsqlite  %s\n",
		version(), commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, db.SQLiteVersion)
	return err
}

// version is the tag that the program was built from, or release.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return release
}
