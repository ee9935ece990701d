package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/reference"
)

type errorsCommand struct {
	Show     errorsShowCommand     `cmd:"" default:"withargs" help:"Explain an error, or list all."`
	Coverage errorsCoverageCommand `cmd:"" help:"Compare what tests provoked with what endpoints declare."`
}

type errorsShowCommand struct {
	Name string `arg:"" optional:"" help:"An errcode as it is on the wire, or the name of a row."`
	JSON bool   `help:"Write JSON."`
}

// Help is shown by --help.
func (errorsShowCommand) Help() string {
	return `Examples:
  narthex errors
  narthex errors M_NOT_JOINED
  narthex errors ORG.MATRIX.MSC3866_USER_AWAITING_APPROVAL`
}

type errorRow struct {
	Key       string           `json:"key"`
	Errcode   string           `json:"errcode"`
	Status    int              `json:"status"`
	Meaning   string           `json:"meaning"`
	Client    string           `json:"client"`
	Admin     string           `json:"administrator,omitempty"`
	Members   []string         `json:"members,omitempty"`
	Forms     []reference.Form `json:"forms"`
	Endpoints []string         `json:"endpoints"`
	Source    string           `json:"source"`
}

// Run explains rows of the catalogue.
func (c errorsShowCommand) Run(ctx context.Context, std streams) error {
	codes := errcode.Catalogue()
	if c.Name != "" {
		if codes = errcode.Lookup(c.Name); len(codes) == 0 {
			return fmt.Errorf("there is no error %q; \"narthex errors\" lists them all", c.Name)
		}
	}
	routes, err := reference.Routes(ctx, time.Now)
	if err != nil {
		return err
	}
	rows := []errorRow{}
	for _, code := range codes {
		rows = append(rows, errorRow{Key: code.Key, Errcode: cmp.Or(code.Name, code.OAuth), Status: code.Status, Meaning: code.Meaning, Client: code.Client,
			Admin: code.Admin, Members: code.Members, Forms: reference.Forms(code), Endpoints: reference.Endpoints(routes, code), Source: code.Source})
	}
	switch {
	case c.JSON:
		return writeJSON(std, rows)
	case c.Name == "":
		return listErrors(std.out, rows)
	}
	for i, row := range rows {
		if i > 0 {
			fmt.Fprintln(std.out)
		}
		row.explain(std.out)
	}
	return nil
}

func listErrors(out io.Writer, rows []errorRow) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "ERRCODE\tSTATUS\tWHEN")
	for _, r := range rows {
		name := r.Errcode
		if name == "" {
			name = "(" + r.Key + ")"
		}
		fmt.Fprintf(w, "%s\t%d\t%s\n", name, r.Status, firstSentence(r.Meaning))
	}
	return w.Flush()
}

func firstSentence(text string) string {
	first, _, more := strings.Cut(text, ". ")
	if more {
		first += "."
	}
	return first
}

func (r errorRow) explain(w io.Writer) {
	fmt.Fprintf(w, "%s, status %d", strings.TrimSpace(r.Errcode+" ("+r.Key+")"), r.Status)
	fmt.Fprintf(w, "\n\n  %s\n\n", r.Meaning)
	fmt.Fprintf(w, "  Clients:         %s\n", r.Client)
	if r.Admin != "" {
		fmt.Fprintf(w, "  Administrators:  %s\n", r.Admin)
	}
	if len(r.Members) > 0 {
		fmt.Fprintf(w, "  Further members: %s\n", strings.Join(r.Members, ", "))
	}
	fmt.Fprintf(w, "  Specified in:    %s\n\n  On the wire:\n", r.Source)
	for _, f := range r.Forms {
		fmt.Fprintf(w, "    %-9s %s\n", f.Mode, f.Body)
	}
	fmt.Fprintf(w, "\n  Endpoints:\n    %s\n", strings.Join(r.Endpoints, "\n    "))
}

type errorsCoverageCommand struct {
	Folder string `arg:"" type:"path" help:"Where the tests wrote their answers (NARTHEX_TEST_COVERAGE)."`
}

// Help is shown by --help.
func (errorsCoverageCommand) Help() string {
	return `The exit code is 1 if a test got an answer that its endpoint does not declare, or if no test provoked
an answer that is declared.

Example:
  NARTHEX_TEST_COVERAGE=/tmp/answers go test -count=1 ./...
  narthex errors coverage /tmp/answers`
}

// Run compares.
func (c errorsCoverageCommand) Run(ctx context.Context, std streams) error {
	answers, err := reference.Answers(c.Folder)
	if err != nil {
		return err
	}
	routes, err := reference.Routes(ctx, time.Now)
	if err != nil {
		return err
	}
	found := reference.Compare(routes, answers)
	list := func(title string, pairs []string) {
		if len(pairs) > 0 {
			fmt.Fprintf(std.out, "%s:\n  %s\n", title, strings.Join(pairs, "\n  "))
		}
	}
	list("Answered, but not declared by the endpoint", found.Undeclared)
	list("Declared, but provoked by no test", found.Unprovoked)
	list("Endpoints that no test saw succeed", found.Unanswered)
	fmt.Fprintf(std.out, "%d endpoints; %d of %d declared errors were provoked.\n", len(routes), found.Provoked, found.Declared)
	if !found.Whole() {
		return errFound
	}
	return nil
}
