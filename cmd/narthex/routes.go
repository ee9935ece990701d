package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/narthex-matrix/narthex/internal/reference"
)

type routesCommand struct {
	Word string `arg:"" optional:"" help:"Only endpoints whose path or operation contains this."`
	JSON bool   `help:"Write JSON."`
}

// Help is shown by --help.
func (routesCommand) Help() string {
	return `Examples:
  narthex routes
  narthex routes invite`
}

type routeRow struct {
	Method     string   `json:"method"`
	Path       string   `json:"path"`
	Operation  string   `json:"operation"`
	Auth       string   `json:"auth"`
	Limit      string   `json:"limit"`
	OtherPaths []string `json:"other_paths"`
	Codes      []string `json:"codes"`
}

// Run lists the endpoints.
func (c routesCommand) Run(ctx context.Context, std streams) error {
	routes, err := reference.Routes(ctx, time.Now)
	if err != nil {
		return err
	}
	rows := []routeRow{}
	for _, r := range routes {
		if word := strings.ToLower(c.Word); !strings.Contains(strings.ToLower(r.Path+" "+r.Op), word) {
			continue
		}
		row := routeRow{Method: r.Method, Path: r.Path, Operation: r.Op, Auth: string(r.Auth), Limit: string(r.Class), OtherPaths: r.Paths()[1:]}
		for _, code := range reference.Codes(r) {
			row.Codes = append(row.Codes, code.Key)
		}
		rows = append(rows, row)
	}
	if c.JSON {
		return writeJSON(std, rows)
	}
	w := tabwriter.NewWriter(std.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "METHOD\tPATH\tOPERATION\tCALLER\tLIMIT")
	for _, r := range rows {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Method, r.Path, r.Operation, r.Auth, r.Limit)
	}
	return w.Flush()
}

// writeJSON writes a value for programs.
func writeJSON(std streams, v any) error {
	e := json.NewEncoder(std.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
