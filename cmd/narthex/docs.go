package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/reference"
)

type docsCommand struct {
	Folder string `arg:"" optional:"" default:"docs/reference" type:"path" help:"Where to write."`
}

// Help is shown by --help.
func (docsCommand) Help() string { return "Example:\n  narthex docs docs/reference" }

// Run writes the references.
func (c docsCommand) Run(ctx context.Context) error {
	routes, err := reference.Routes(ctx, time.Now)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.Folder, 0o755); err != nil {
		return err
	}
	for name, write := range map[string]func(io.Writer) error{
		"errors.md":    func(w io.Writer) error { return reference.WriteErrors(w, routes) },
		"endpoints.md": func(w io.Writer) error { return reference.WriteEndpoints(w, routes) },
		"openapi.json": func(w io.Writer) error { return reference.WriteOpenAPI(w, routes) },
		"schema.sql":   reference.WriteSchema,
		"config.md":    config.WriteReference,
		"cli.md":       writeCommandReference,
	} {
		var b bytes.Buffer
		if err := write(&b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		text := append(bytes.TrimRight(b.Bytes(), "\n"), '\n')
		if err := os.WriteFile(filepath.Join(c.Folder, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

const commandsHead = `# Command line

<!-- Generated from cmd/narthex; change it there. -->

` + "`narthex COMMAND --help`" + ` shows the same. The exit code is 0 for success, 1 for a failure, and 2 for a command line that
cannot be read.
`

// writeCommandReference writes docs/reference/cli.md.
func writeCommandReference(w io.Writer) error {
	parser, err := newParser(&commands{})
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(commandsHead)
	for _, leaf := range parser.Model.Leaves(true) {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", leaf.FullPath(), leaf.Help)
		if leaf.Detail != "" {
			about, example, _ := strings.Cut(leaf.Detail, "Example")
			if about = strings.TrimSpace(about); about != "" {
				fmt.Fprintf(&b, "\n%s\n", about)
			}
			_, example, _ = strings.Cut(example, "\n")
			fmt.Fprintf(&b, "\n```sh\n%s\n```\n", unindent(example))
		}
		writeArguments(&b, leaf)
	}
	_, err = io.WriteString(w, b.String())
	return err
}

func writeArguments(b *strings.Builder, leaf *kong.Node) {
	var rows []string
	for _, p := range leaf.Positional {
		rows = append(rows, fmt.Sprintf("| `%s` | %s |\n", p.Summary(), p.Help))
	}
	for _, group := range leaf.AllFlags(true) {
		for _, f := range group {
			if f.Name != "help" {
				rows = append(rows, fmt.Sprintf("| `%s` | %s |\n", strings.ReplaceAll(f.String(), "|", `\|`), f.Help))
			}
		}
	}
	if len(rows) > 0 {
		b.WriteString("\n| Argument | Meaning |\n|---|---|\n" + strings.Join(rows, ""))
	}
}

func unindent(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimPrefix(strings.TrimRight(line, "\n"), "  "))
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
