package bench

import (
	"math"
	"slices"
	"time"
)

// latency sums up what operations took.
func latency(took []time.Duration) Latency {
	if len(took) == 0 {
		return Latency{}
	}
	sorted := slices.Sorted(slices.Values(took))
	at := func(quantile float64) float64 {
		rank := int(math.Ceil(quantile*float64(len(sorted)))) - 1
		return rounded(milliseconds(sorted[max(rank, 0)]))
	}
	return Latency{Median: at(.5), P90: at(.9), P99: at(.99), Most: at(1)}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// rounded keeps four significant figures: more would be noise, and hard to read.
func rounded(v float64) float64 {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-3)
	if unit >= 1 {
		return math.Round(v/unit) * unit
	}
	return math.Round(v/unit) / math.Round(1/unit) // 1/unit is a whole number, unit is not exact
}

// median is the middle of the values, or between the two in the middle; 0 of none.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratio is a/b, or 0 if either is not known.
func ratio(a, b float64) float64 {
	if a <= 0 || b <= 0 {
		return 0
	}
	return rounded(a / b)
}

// A key tells the stretches apart that tables put side by side.
type key struct {
	label, scenario string
	size            int
}

// A summary holds the medians over the runs of one stretch.
type summary struct {
	Result
	runs int
}

// summarize takes the median of every figure over all runs, in the order in which
// the stretches first appear. A failure in any run is kept.
func summarize(results []Result) []summary {
	runs := map[key][]Result{}
	var order []key
	for _, r := range results {
		k := key{r.Label, r.Scenario, r.Size}
		if runs[k] == nil {
			order = append(order, k)
		}
		runs[k] = append(runs[k], r)
	}
	out := make([]summary, 0, len(order))
	for _, k := range order {
		out = append(out, medianRun(runs[k]))
	}
	return out
}

func medianRun(runs []Result) summary {
	s := summary{Result: Result{Label: runs[0].Label, Scenario: runs[0].Scenario, Size: runs[0].Size}, runs: len(runs)}
	of := func(figure func(Result) float64) float64 {
		var values []float64
		for _, r := range runs {
			values = append(values, figure(r))
		}
		return rounded(median(values))
	}
	s.Operations = int(of(func(r Result) float64 { return float64(r.Operations) }))
	s.Seconds = of(func(r Result) float64 { return r.Seconds })
	s.PerSecond = of(func(r Result) float64 { return r.PerSecond })
	s.Latency.Median = of(func(r Result) float64 { return r.Latency.Median })
	s.Latency.P90 = of(func(r Result) float64 { return r.Latency.P90 })
	s.Latency.P99 = of(func(r Result) float64 { return r.Latency.P99 })
	s.Latency.Most = of(func(r Result) float64 { return r.Latency.Most })
	s.ServerCPU = of(func(r Result) float64 { return r.ServerCPU })
	s.DatabaseCPU = of(func(r Result) float64 { return r.DatabaseCPU })
	s.Written = of(func(r Result) float64 { return r.Written })
	s.Resident = of(func(r Result) float64 { return r.Resident })
	s.Others = of(func(r Result) float64 { return r.Others })
	s.Notes = map[string]float64{}
	for _, r := range runs {
		for name := range r.Notes {
			s.Notes[name] = of(func(r Result) float64 { return r.Notes[name] })
		}
		s.SeparateDatabase = s.SeparateDatabase || r.SeparateDatabase
		s.Cut, s.Unsettled, s.Failed = s.Cut || r.Cut, s.Unsettled || r.Unsettled, s.Failed+r.Failed
	}
	return s
}
