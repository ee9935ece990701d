package page

import (
	"fmt"
	"time"
)

// Count is what happened on one day of UTC.
type Count struct {
	Day time.Time
	N   int64
}

// Chart shows how often something happened, day by day.
type Chart struct {
	Counts []Count
}

// The drawing of a chart has no unit: the browser scales it. Each day has a column
// of that width, of which the bar takes a part.
const (
	columnWidth  = 10
	barWidth     = 7
	chartHeight  = 60
	leastBar     = 2 // of a day on which anything happened
	shownByChart = "2 January"
)

// Bar is one day in the drawing.
type Bar struct {
	X, Y, Width, Height int64
	Title               string
}

// Width and Height are the size of the drawing.
func (c Chart) Width() int64 { return int64(len(c.Counts)) * columnWidth }

// Height is that of the drawing.
func (c Chart) Height() int64 { return chartHeight }

// Bars are the days on which anything happened.
func (c Chart) Bars() (bars []Bar) {
	most := c.most()
	for i, count := range c.Counts {
		if count.N == 0 {
			continue
		}
		height := max(leastBar, count.N*chartHeight/most.N)
		bars = append(bars, Bar{
			X: int64(i)*columnWidth + (columnWidth-barWidth)/2, Y: chartHeight - height, Width: barWidth, Height: height,
			Title: fmt.Sprintf("%s: %d", count.Day.UTC().Format(shownByChart), count.N),
		})
	}
	return bars
}

// Total is the sum of all days.
func (c Chart) Total() (n int64) {
	for _, count := range c.Counts {
		n += count.N
	}
	return n
}

// most is the day with the highest number, the earliest of several.
func (c Chart) most() (out Count) {
	for _, count := range c.Counts {
		if count.N > out.N {
			out = count
		}
	}
	return out
}

// Summary says in a sentence what the drawing shows.
func (c Chart) Summary() string {
	most := c.most()
	if most.N == 0 {
		return fmt.Sprintf("None in the last %d days.", len(c.Counts))
	}
	return fmt.Sprintf("%d in the last %d days; the most on one day were %d, on %s.", c.Total(), len(c.Counts), most.N, most.Day.UTC().Format(shownByChart))
}

// First and Last are the days at the ends.
func (c Chart) First() string { return c.end(0) }

// Last is the day at the right end.
func (c Chart) Last() string { return c.end(len(c.Counts) - 1) }

func (c Chart) end(i int) string {
	if i < 0 || i >= len(c.Counts) {
		return ""
	}
	return c.Counts[i].Day.UTC().Format(shownByChart)
}
