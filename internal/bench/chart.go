package bench

import (
	"cmp"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"
)

// A chart draws lines over two logarithmic axes: a cost that grows in proportion is a
// line at a constant slope, and one that does not grow is flat.
type chart struct {
	title, across, up string
	lines             []line
}

// A line has a colour and a way to be drawn, so that the same operation at two servers
// has the same colour.
type line struct {
	name         string
	colour, dash int
	points       []point // by ascending x; above zero
}

type point struct{ x, y float64 }

// The measures of a picture.
const (
	pictureWidth, pictureHeight = 820, 460
	plotLeft, plotRight         = 72, 560
	plotTop, plotBottom         = 56, 396
	labelApart                  = 17 // the least between the names of two lines
)

// Colours are those of Okabe and Ito, which people with any vision tell apart; in the
// dark they are lighter.
const chartStyle = `
svg { --paper: #ffffff; --ink: #1f2328; --grid: #d8dee4; --c0: #0072b2; --c1: #d55e00; --c2: #007a5a; --c3: #a8508a; font: 13px system-ui, sans-serif }
@media (prefers-color-scheme: dark) { svg { --paper: #0d1117; --ink: #e6edf3; --grid: #30363d; --c0: #56b4e9; --c1: #f0883e; --c2: #2bc79a; --c3: #e29fce } }
.paper { fill: var(--paper) } text { fill: var(--ink) } .title { font-size: 16px; font-weight: 600 }
.grid { stroke: var(--grid); stroke-width: 1 } .line { fill: none; stroke-width: 2.2 } .d1 { stroke-dasharray: 7 4 } .d2 { stroke-dasharray: 2 4 }
.s0 { stroke: var(--c0) } .s1 { stroke: var(--c1) } .s2 { stroke: var(--c2) } .s3 { stroke: var(--c3) }
.f0 { fill: var(--c0) } .f1 { fill: var(--c1) } .f2 { fill: var(--c2) } .f3 { fill: var(--c3) }
`

// write draws the chart as SVG. It has no size of its own but a shape, and follows
// the reader's choice of light and dark.
func (c chart) write(w io.Writer) error {
	x, y := c.axes()
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`+"\n<style>%s</style>\n",
		pictureWidth, pictureHeight, html.EscapeString(c.title), chartStyle)
	fmt.Fprintf(&b, `<rect class="paper" width="%d" height="%d" rx="8"/>`+"\n", pictureWidth, pictureHeight)
	text(&b, plotLeft, 32, "title", "start", c.title)
	for _, tick := range x.ticks() {
		at := x.at(tick)
		fmt.Fprintf(&b, `<line class="grid" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/>`+"\n", at, plotTop, at, plotBottom)
		text(&b, at, plotBottom+20, "", "middle", tickName(tick))
	}
	for _, tick := range y.ticks() {
		at := y.at(tick)
		fmt.Fprintf(&b, `<line class="grid" x1="%d" y1="%.1f" x2="%d" y2="%.1f"/>`+"\n", plotLeft, at, plotRight, at)
		text(&b, plotLeft-8, at+4, "", "end", tickName(tick))
	}
	text(&b, (plotLeft+plotRight)/2, plotBottom+46, "", "middle", c.across)
	fmt.Fprintf(&b, `<text transform="translate(20 %d) rotate(-90)" text-anchor="middle">%s</text>`+"\n", (plotTop+plotBottom)/2, html.EscapeString(c.up))
	for _, l := range c.lines {
		l.draw(&b, x, y)
	}
	c.name(&b, x, y)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func text(b *strings.Builder, x, y float64, class, anchor, s string) {
	if class != "" {
		class = ` class="` + class + `"`
	}
	fmt.Fprintf(b, `<text%s x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", class, x, y, anchor, html.EscapeString(s))
}

// draw draws the line and its points.
func (l line) draw(b *strings.Builder, x, y axis) {
	var path []string
	for _, p := range l.points {
		path = append(path, fmt.Sprintf("%.1f,%.1f", x.at(p.x), y.at(p.y)))
	}
	fmt.Fprintf(b, `<polyline class="line s%d d%d" points="%s"/>`+"\n", l.colour, l.dash, strings.Join(path, " "))
	for _, p := range l.points {
		fmt.Fprintf(b, `<circle class="f%d" cx="%.1f" cy="%.1f" r="3.5"/>`+"\n", l.colour, x.at(p.x), y.at(p.y))
	}
}

// name writes the names beside the ends of the lines, apart from one another.
func (c chart) name(b *strings.Builder, x, y axis) {
	type label struct {
		line
		from, to float64 // heights: of the line's end, of its name
	}
	var labels []label
	for _, l := range c.lines {
		end := y.at(l.points[len(l.points)-1].y)
		labels = append(labels, label{l, end, end})
	}
	slices.SortStableFunc(labels, func(a, b label) int { return cmp.Compare(a.from, b.from) })
	for i := 1; i < len(labels); i++ {
		labels[i].to = max(labels[i].to, labels[i-1].to+labelApart)
	}
	floor := float64(plotBottom)
	for i := len(labels) - 1; i >= 0; i-- { // those pushed below the plot go up again
		labels[i].to = min(labels[i].to, floor)
		floor = labels[i].to - labelApart
	}
	for _, l := range labels {
		end := x.at(l.points[len(l.points)-1].x)
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" y1="%.1f" x2="%d" y2="%.1f"/>`+"\n", end+5, l.from, plotRight+14, l.to)
		text(b, plotRight+18, l.to+4, fmt.Sprintf("f%d", l.colour), "start", l.name)
	}
}

// An axis maps values to the picture, by their logarithms.
type axis struct {
	low, high float64 // powers of ten
	from, to  float64 // in the picture
}

func (a axis) at(v float64) float64 {
	return a.from + (a.to-a.from)*(math.Log10(v)-a.low)/(a.high-a.low)
}

// ticks are the powers of ten, and where these are few 2 and 5 times them as well.
func (a axis) ticks() (ticks []float64) {
	for power := a.low; power <= a.high; power++ {
		for _, times := range []float64{1, 2, 5} {
			if times == 1 || (a.high-a.low <= 2 && power < a.high) {
				ticks = append(ticks, times*math.Pow(10, power))
			}
		}
	}
	return ticks
}

func tickName(v float64) string {
	if v >= 1 {
		return thousands(int(math.Round(v)))
	}
	return fmt.Sprintf("%.3g", v)
}

// axes hold all points between whole powers of ten.
func (c chart) axes() (x, y axis) {
	x = axis{math.Inf(1), math.Inf(-1), plotLeft, plotRight}
	y = axis{math.Inf(1), math.Inf(-1), plotBottom, plotTop}
	for _, l := range c.lines {
		for _, p := range l.points {
			x.reach(p.x)
			y.reach(p.y)
		}
	}
	return x, y
}

func (a *axis) reach(v float64) {
	a.low = min(a.low, math.Floor(math.Log10(v)))
	a.high = max(a.high, math.Ceil(math.Log10(v)), a.low+1)
}
