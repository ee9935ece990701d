package bench

import (
	"fmt"
	"slices"
	"strings"
)

// A growing is what one series of growth measures, in words.
type growing struct{ scenario, operation string }

// A dimension is what costs grow with.
type dimension struct {
	name, unit string
	series     []growing
}

var dimensions = []dimension{
	{"members", "members of the room", []growing{
		{growSend, "send"}, {growJoin, "join"}, {growSync, "sync of one event"}, {growGet, "list of members"},
	}},
	{"rooms", "rooms of the user", []growing{
		{growRoomsSend, "send"}, {growRoomsSync, "sync of one event"}, {growInitial, "initial sync"},
	}},
	{"state", "state events of the room", []growing{{growChange, "state change"}}},
}

// growthTables hold the cost at each size and how it grows, and the bounds on it.
func growthTables(all []summary) string {
	var parts []string
	for _, d := range dimensions {
		if text := d.table(all); text != "" {
			parts = append(parts, text)
		}
	}
	if text := boundTable(all); text != "" {
		parts = append(parts, text)
	}
	return strings.Join(parts, "\n")
}

// sizes lists the sizes at which anything was measured.
func (d dimension) sizes(all []summary) (sizes []int) {
	for _, s := range all {
		if d.has(s.Scenario) && s.Size > 0 {
			sizes = append(sizes, s.Size)
		}
	}
	slices.Sort(sizes)
	return slices.Compact(sizes)
}

func (d dimension) has(scenario string) bool {
	return slices.ContainsFunc(d.series, func(g growing) bool { return g.scenario == scenario })
}

// table has a row for each operation at each server. The last columns are slopes:
// the cost at the largest size over that at each smaller one.
func (d dimension) table(all []summary) string {
	sizes := d.sizes(all)
	if len(sizes) < 2 {
		return ""
	}
	largest := sizes[len(sizes)-1]
	head := []string{"CPU ms for one operation, by " + d.unit}
	for _, size := range sizes {
		head = append(head, thousands(size))
	}
	for _, size := range sizes[:len(sizes)-1] {
		head = append(head, thousands(largest)+" : "+thousands(size))
	}
	g := &grid{}
	g.add(head...)
	labels, _ := byLabel(all, func(s summary) bool { return d.has(s.Scenario) })
	for _, label := range labels {
		for _, series := range d.series {
			costs := costsOf(all, label, series.scenario)
			if len(costs) == 0 {
				continue
			}
			row := []string{series.operation + ", " + label}
			for _, size := range sizes {
				row = append(row, figure(costs[size].cpu())+costs[size].doubt())
			}
			for _, size := range sizes[:len(sizes)-1] {
				row = append(row, figure(ratio(costs[largest].cpu(), costs[size].cpu())))
			}
			g.add(row...)
		}
	}
	return g.String()
}

// costsOf gives the results of one series by size.
func costsOf(all []summary, label, scenario string) map[int]summary {
	of := map[int]summary{}
	for _, s := range all {
		if s.Label == label && s.Scenario == scenario {
			of[s.Size] = s
		}
	}
	return of
}

// boundTable sets the ratios that must hold beside what was measured.
func boundTable(all []summary) string {
	labels, _ := byLabel(all, func(s summary) bool { return isGrowth(s.Scenario) })
	g := &grid{}
	g.add(append([]string{"Growth of the cost", "Dendrite", "at most"}, labels...)...)
	for _, b := range growthBounds {
		row, known := []string{b.name, b.dendrite, figure(b.most)}, false
		for _, label := range labels {
			costs := costsOf(all, label, b.scenario)
			of := ratio(costs[b.larger].cpu(), costs[b.smaller].cpu())
			known = known || of > 0
			cell := figure(of)
			if of > b.most {
				cell += miss
			}
			row = append(row, cell)
		}
		if known {
			g.add(row...)
		}
	}
	if text := g.String(); text != "" {
		return fmt.Sprintf("%s\nServer and database together. %s.\n", text, ofRuns(all, isGrowth))
	}
	return ""
}
