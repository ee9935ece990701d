package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/narthex-matrix/narthex/internal/transfer"
)

// progress shows how far a copy is: a bar on a terminal, elsewhere a line for each
// tenth.
type progress struct {
	w     io.Writer
	live  bool
	all   int64 // rows of what is being shown: a restore has two parts
	shown int64 // percent, -1: nothing yet
	table string
}

func newProgress(w io.Writer) *progress {
	file, ok := w.(*os.File)
	return &progress{w: w, live: ok && term.IsTerminal(int(file.Fd())), shown: -1}
}

const barWidth = 30

// tell is called after each step.
func (p *progress) tell(now transfer.Progress) {
	if now.All == 0 {
		return
	}
	if now.All != p.all {
		p.all, p.shown = now.All, -1
	}
	percent := now.Done * 100 / now.All
	if !p.live {
		if percent /= 10; percent > p.shown {
			p.shown = percent
			fmt.Fprintf(p.w, "%3d %%  %s\n", percent*10, now.Table)
		}
		return
	}
	if percent == p.shown && now.Table == p.table {
		return
	}
	p.shown, p.table = percent, now.Table
	full := int(percent) * barWidth / 100
	fmt.Fprintf(p.w, "\r\x1b[K[%s%s] %3d %%  %s", strings.Repeat("#", full), strings.Repeat(" ", barWidth-full), percent, now.Table)
}

// end removes the bar.
func (p *progress) end() {
	if p.live && p.shown >= 0 {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

type copiedTable struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	Hash  string `json:"hash"`
}

// copied lists what was copied: every table for JSON, else those with rows.
func copied(tables []transfer.Table) (rows []copiedTable, all int64) {
	for _, t := range tables {
		rows = append(rows, copiedTable{t.Name, t.Rows, fmt.Sprintf("%x", t.Hash)})
		all += t.Rows
	}
	return rows, all
}

func writeCopied(w io.Writer, tables []transfer.Table) error {
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(out, "TABLE\tROWS\tHASH")
	rows, _ := copied(tables)
	for _, r := range rows {
		if r.Rows > 0 {
			fmt.Fprintf(out, "%s\t%d\t%s\n", r.Table, r.Rows, r.Hash[:16])
		}
	}
	return out.Flush()
}

// sealed reports whether accounts have one-time codes, whose secrets open only with a
// file that is not in the database.
func sealed(tables []transfer.Table) bool {
	for _, t := range tables {
		if t.Name == "totp_secrets" && t.Rows > 0 {
			return true
		}
	}
	return false
}
