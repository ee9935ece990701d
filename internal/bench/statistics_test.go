package bench

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestLatency(t *testing.T) {
	var hundred []time.Duration
	for i := 100; i > 0; i-- {
		hundred = append(hundred, time.Duration(i)*time.Millisecond)
	}
	for _, c := range []struct {
		name string
		took []time.Duration
		want Latency
	}{
		{"nothing", nil, Latency{}},
		{"one", []time.Duration{3 * time.Millisecond}, Latency{3, 3, 3, 3}},
		{"a hundred, backwards", hundred, Latency{50, 90, 99, 100}},
	} {
		if got := latency(c.took); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{7}, 7}, {[]float64{9, 1, 5}, 5}, {[]float64{9, 1, 5, 7}, 6}} {
		if got := median(c.values); got != c.want {
			t.Errorf("the median of %v: got %v, want %v", c.values, got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 1e9), 1, 20).Draw(t, "values")
		before := slices.Clone(values)
		if m := median(values); m < slices.Min(values) || m > slices.Max(values) {
			t.Fatalf("%v is not among %v", m, values)
		}
		if !slices.Equal(values, before) {
			t.Fatal("the values were moved")
		}
	})
}

func TestRounded(t *testing.T) {
	for v, want := range map[float64]float64{0: 0, 0.0123456: 0.01235, 1.23456: 1.235, 12345.6: 12350, math.Inf(1): 0, math.NaN(): 0} {
		if got := rounded(v); got != want {
			t.Errorf("rounded(%v): got %v, want %v", v, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(1e-6, 1e9).Draw(t, "v")
		if got := rounded(v); math.Abs(got-v) > v/1000 {
			t.Fatalf("rounded(%v) is %v", v, got)
		}
	})
}

func TestRatio(t *testing.T) {
	for _, c := range []struct{ a, b, want float64 }{{3, 2, 1.5}, {1, 0, 0}, {0, 1, 0}} {
		if got := ratio(c.a, c.b); got != c.want {
			t.Errorf("%v : %v: got %v, want %v", c.a, c.b, got, c.want)
		}
	}
}

func TestSummarize(t *testing.T) {
	run := func(label, scenario string, size int, cpu float64) Result {
		return Result{Label: label, Scenario: scenario, Size: size, Operations: 10, ServerCPU: cpu, Notes: map[string]float64{"bytes": cpu}}
	}
	bad := run("a", "send", 0, 9)
	bad.Failed, bad.Cut = 2, true
	got := summarize([]Result{
		run("a", "send", 0, 1), run("b", "send", 0, 5), run("a", "send", 0, 2), bad, run("a", "send", 100, 7),
	})
	type figures struct {
		label  string
		size   int
		runs   int
		cpu    float64
		bytes  float64
		failed int
		cut    bool
	}
	var short []figures
	for _, s := range got {
		short = append(short, figures{s.Label, s.Size, s.runs, s.ServerCPU, s.Notes["bytes"], s.Failed, s.Cut})
	}
	want := []figures{{"a", 0, 3, 2, 2, 2, true}, {"b", 0, 1, 5, 5, 0, false}, {"a", 100, 1, 7, 7, 0, false}}
	if diff := cmp.Diff(want, short, cmp.AllowUnexported(figures{})); diff != "" {
		t.Error(diff)
	}
}

func TestReadResults(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       int
		err        string
	}{
		{"none", "", 0, ""},
		{"two lines", `{"scenario":"a"}` + "\n" + `{"scenario":"b"}` + "\n", 2, ""},
		{"cut short", `{"scenario":"a"}` + "\n" + `{"scen`, 0, "unexpected EOF"},
		{"not JSON", "send 3 ms", 0, "invalid character"},
		{"other JSON", `{"a":1}`, 0, "no scenario"},
	} {
		got, err := readResults(strings.NewReader(c.text))
		if len(got) != c.want || (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: got %d results and the error %v", c.name, len(got), err)
		}
	}
}

func TestOnLoopback(t *testing.T) {
	for _, good := range []string{"http://127.0.0.1:8008", "http://localhost:8008/", "https://[::1]:8448", "http://127.8.9.1"} {
		if err := onLoopback(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for bad, text := range map[string]string{
		"https://matrix.org":             "only servers on a loopback address",
		"http://192.168.0.1:8008":        "only servers on a loopback address",
		"http://127.0.0.1.example.org/":  "only servers on a loopback address",
		"http://localhost@example.org/":  "only servers on a loopback address",
		"127.0.0.1:8008":                 "not the URL of a homeserver",
		"ftp://127.0.0.1":                "not the URL of a homeserver",
		"http://":                        "not the URL of a homeserver",
		"http://127.0.0.1:port":          "not the URL of a homeserver",
		"http://localhost.example.org:1": "only servers on a loopback address",
	} {
		if err := onLoopback(bad); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: got the error %v", bad, err)
		}
	}
}

func TestReadURL(t *testing.T) {
	for _, c := range []struct{ name, said, url, err string }{
		{"one address", "Narthex 1.0 listens on http://127.0.0.1:8008 as localhost\nmore\n", "http://127.0.0.1:8008", ""},
		{"two", "hello\nNarthex 1.0 listens on http://127.0.0.1:1 and http://[::1]:1 as localhost\n", "http://127.0.0.1:1", ""},
		{"nothing", "", "", "did not say where"},
		{"no address", "the port is taken\n", "", "did not say where"},
	} {
		url, err := readURL(strings.NewReader(c.said))
		if url != c.url || (err == nil) != (c.err == "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: got %q and the error %v", c.name, url, err)
		}
	}
}
