package bench

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// WritePlots draws how costs grow, a file growth-NAME.svg for what they grow with. It
// gives the names of the files that it wrote.
func WritePlots(folder string, results []Result) (files []string, err error) {
	all := summarize(results)
	for _, d := range dimensions {
		c := d.chart(all)
		if len(c.lines) == 0 {
			continue
		}
		name := filepath.Join(folder, "growth-"+d.name+".svg")
		f, err := os.Create(name)
		if err != nil {
			return files, err
		}
		if err := errors.Join(c.write(f), f.Close()); err != nil {
			return files, err
		}
		files = append(files, name)
	}
	if len(files) == 0 {
		return nil, errors.New(`these results hold no growth; "narthex bench growth --out FILE" measures it`)
	}
	return files, nil
}

// chart has a colour for each operation and a kind of line for each server.
func (d dimension) chart(all []summary) chart {
	c := chart{title: "What an operation costs, by " + d.unit, across: d.unit, up: "CPU ms of server and database"}
	labels, _ := byLabel(all, func(s summary) bool { return d.has(s.Scenario) })
	for dash, label := range labels {
		for colour, series := range d.series {
			l := line{name: series.operation, colour: colour, dash: dash}
			if len(labels) > 1 {
				l.name += ", " + strings.TrimPrefix(label, "Narthex, ")
			}
			costs := costsOf(all, label, series.scenario)
			for _, size := range d.sizes(all) {
				if cost := costs[size].cpu(); cost > 0 {
					l.points = append(l.points, point{float64(size), cost})
				}
			}
			if len(l.points) > 1 {
				c.lines = append(c.lines, l)
			}
		}
	}
	slices.SortStableFunc(c.lines, func(a, b line) int { return a.colour - b.colour })
	return c
}
