package bench

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// miss marks a figure that does not keep its bound.
const miss = " ✗"

// unsure marks a figure of a stretch that was not whole.
const unsure = " †"

// A section is one table, or several, of a document.
type section struct {
	name  string
	write func([]summary) string // nothing, if there are no results for it
}

var sections = []section{
	{"scenarios", scenarioTable},
	{"goals", goalTable},
	{"details", detailTables},
	{"growth", growthTables},
	{"study", studyTable},
}

// WriteTables writes Markdown tables of all there is in the results.
func WriteTables(w io.Writer, results []Result) error {
	all := summarize(results)
	for _, s := range sections {
		if text := s.write(all); text != "" {
			if _, err := io.WriteString(w, text+"\n"); err != nil {
				return err
			}
		}
	}
	return nil
}

// FillIn puts the tables into a Markdown document, each between the line
// <!-- bench: NAME --> and the next line <!-- end -->. A table without results stays
// as it is.
func FillIn(document string, results []Result) (string, error) {
	all := summarize(results)
	for _, s := range sections {
		text := s.write(all)
		if text == "" {
			continue
		}
		before, rest, begins := strings.Cut(document, "<!-- bench: "+s.name+" -->\n")
		_, after, ends := strings.Cut(rest, "<!-- end -->")
		if !begins || !ends {
			return "", fmt.Errorf("the document has no place for %s: lines <!-- bench: %s --> and <!-- end -->", s.name, s.name)
		}
		document = before + "<!-- bench: " + s.name + " -->\n" + text + "<!-- end -->" + after
	}
	return document, nil
}

// A grid is a table in the making: a head and rows of equally many cells.
type grid struct {
	rows [][]string
	last string // a line below
}

func (g *grid) add(cells ...string) { g.rows = append(g.rows, cells) }

// String is the table in Markdown, with figures to the right.
func (g *grid) String() string {
	if len(g.rows) < 2 {
		return ""
	}
	var b strings.Builder
	for i, row := range g.rows {
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
		if i == 0 {
			b.WriteString("|---" + strings.Repeat("|--:", len(row)-1) + "|\n")
		}
	}
	table := b.String()
	if g.last != "" {
		table += "\n" + g.last + "\n"
	}
	if strings.Contains(table, unsure) {
		table += "\n† Not whole: cut short by the limit of time, not settled, or with operations that failed.\n"
	}
	return table
}

// figure writes a value with about three significant figures, or a dash if it is
// not known.
func figure(v float64) string {
	switch {
	case v == 0:
		return "–"
	case v >= 1000:
		return thousands(int(v + 0.5))
	case v >= 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case v >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case v >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v >= 0.0995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}

// thousands writes 12,345.
func thousands(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}

// byLabel gives the results of each server, in the order in which these appear. The
// floor of the machine is among the results alone.
func byLabel(all []summary, wanted func(summary) bool) (labels []string, of map[string]figures) {
	of = map[string]figures{}
	for _, s := range all {
		if !wanted(s) {
			continue
		}
		if of[s.Label] == nil {
			of[s.Label] = figures{}
			if s.Label != floorLabel {
				labels = append(labels, s.Label)
			}
		}
		of[s.Label][s.Scenario] = s
	}
	return labels, of
}

// separate reports whether a server's database has processes of its own.
func (f figures) separate() bool {
	for _, s := range f {
		if s.SeparateDatabase {
			return true
		}
	}
	return false
}

func (s summary) doubt() string {
	if s.Cut || s.Unsettled || s.Failed > 0 {
		return unsure
	}
	return ""
}

// scenarioTable sets costs beside their targets.
func scenarioTable(all []summary) string {
	labels, of := byLabel(all, func(s summary) bool { return isTarget(s.Scenario) })
	head := []string{"CPU ms for one operation", "Dendrite", "floor", "at most"}
	floor := of[floorLabel]
	if floor != nil {
		head = append(head, "floor, this machine")
	}
	for _, label := range labels {
		head = append(head, label)
		if of[label].separate() {
			head = append(head, "its database")
		}
	}
	g := &grid{}
	g.add(head...)
	missed, known, keptHere := 0, 0, 0
	slower := slowness(all)
	for _, t := range targets {
		row := []string{t.scenario, figure(t.dendrite), figure(t.floor), figure(t.most)}
		if floor != nil {
			row = append(row, figure(floor[t.scenario].ServerCPU)+floor[t.scenario].doubt())
		}
		for _, label := range labels {
			s, bound := of[label][t.scenario], t.most
			if of[label].separate() {
				bound *= separateDatabaseFactor
			}
			cell := figure(s.ServerCPU) + s.doubt()
			if s.ServerCPU > 0 {
				known++
			}
			if s.ServerCPU > bound {
				missed++
				cell += miss
			}
			if s.ServerCPU > 0 && s.ServerCPU <= bound*slower {
				keptHere++
			}
			if row = append(row, cell); of[label].separate() {
				row = append(row, figure(s.DatabaseCPU))
			}
		}
		g.add(row...)
	}
	if len(labels) == 0 {
		return ""
	}
	g.last = fmt.Sprintf("%s. Of %d figures %d keep their bound, and %d do not (✗). With a database in processes of its own, the server may cost twice the target.",
		ofRuns(all, isTarget), known, known-missed, missed)
	if slower > 0 {
		g.last += fmt.Sprintf(" On the machine of these figures an Ed25519 signature costs %s µs, %s times as much as where the bounds come from: of bounds so much wider %d are kept.",
			figure(signatureElsewhere*slower), figure(slower), keptHere)
	}
	return g.String()
}

func isTarget(scenario string) bool {
	for _, t := range targets {
		if t.scenario == scenario {
			return true
		}
	}
	return false
}

// ofRuns says of how many runs the medians of some scenarios are.
func ofRuns(all []summary, told func(scenario string) bool) string {
	least, most := math.MaxInt, 0
	for _, s := range all {
		if s.Label != floorLabel && told(s.Scenario) {
			least, most = min(least, s.runs), max(most, s.runs)
		}
	}
	switch {
	case most <= 1:
		return "One run"
	case least < most:
		return fmt.Sprintf("Medians of %d to %d runs", least, most)
	}
	return fmt.Sprintf("Medians of %d runs", most)
}

func isGrowth(scenario string) bool { return strings.HasPrefix(scenario, "growth.") }

// goalTable sets other figures beside their bounds.
func goalTable(all []summary) string {
	labels, of := byLabel(all, func(s summary) bool { return s.Size == 0 })
	g := &grid{}
	g.add(append([]string{"", "bound"}, labels...)...)
	for _, goal := range goals {
		row, any := []string{goal.name, goal.shownBound()}, false
		for _, label := range labels {
			value, known := goal.value(of[label])
			any = any || known
			row = append(row, goal.cell(value, known))
		}
		if any {
			g.add(row...)
		}
	}
	return g.String()
}

func (g goal) shownBound() string {
	switch {
	case g.bound == 0:
		return "–"
	case g.least:
		return "≥ " + figure(g.bound)
	default:
		return "≤ " + figure(g.bound)
	}
}

func (g goal) cell(value float64, known bool) string {
	switch {
	case !known:
		return "–"
	case g.bound > 0 && (g.least && value < g.bound || !g.least && value > g.bound):
		return zeroed(value) + miss
	default:
		return zeroed(value)
	}
}

// zeroed is figure for a value that is known to be nothing when it is 0.
func zeroed(v float64) string {
	if v == 0 {
		return "0"
	}
	return figure(v)
}

// detailTables hold what else was measured, a table for each server.
func detailTables(all []summary) string {
	labels, _ := byLabel(all, func(s summary) bool { return s.Size == 0 })
	var b strings.Builder
	for _, label := range labels {
		g := &grid{}
		g.add("", "operations", "CPU ms", "of the database", "a second", "p50 ms", "p99 ms", "KiB written")
		for _, s := range all {
			if s.Label == label && s.Size == 0 && !strings.HasPrefix(s.Scenario, "idle.") {
				g.add(s.Scenario+s.doubt(), thousands(s.Operations), figure(s.cpu()), figure(s.DatabaseCPU),
					figure(s.PerSecond), figure(s.Latency.Median), figure(s.Latency.P99), figure(s.Written))
			}
		}
		if text := g.String(); text != "" {
			fmt.Fprintf(&b, "\n**%s**\n\n%s", label, text)
		}
	}
	return b.String()
}
