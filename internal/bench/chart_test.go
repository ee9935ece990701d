package bench

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// parts are the elements of a picture, as far as a test looks at them.
type parts struct {
	texts     []string
	polylines []string // their points
}

func parse(t *testing.T, picture string) (p parts) {
	t.Helper()
	for d := xml.NewDecoder(strings.NewReader(picture)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return p
		} else if err != nil {
			t.Fatalf("not XML: %v\n%s", err, picture)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		switch start.Name.Local {
		case "text":
			var text string
			if err := d.DecodeElement(&text, &start); err != nil {
				t.Fatal(err)
			}
			p.texts = append(p.texts, text)
		case "polyline":
			for _, a := range start.Attr {
				if a.Name.Local == "points" {
					p.polylines = append(p.polylines, a.Value)
				}
			}
		}
	}
}

func TestChart(t *testing.T) {
	var b strings.Builder
	c := chart{title: "Costs <& all>", across: "members", up: "ms", lines: []line{
		{name: "send & wait", points: []point{{10, 1}, {100, 10}, {1000, 100}}},
		{name: "flat", colour: 1, dash: 1, points: []point{{10, 1}, {1000, 1}}},
	}}
	if err := c.write(&b); err != nil {
		t.Fatal(err)
	}
	got := parse(t, b.String())
	want := []string{
		// Proportional growth is a straight line from corner to corner, none is flat.
		"72.0,396.0 316.0,226.0 560.0,56.0",
		"72.0,396.0 560.0,396.0",
	}
	if diff := cmp.Diff(want, got.polylines); diff != "" {
		t.Error(diff)
	}
	for _, text := range []string{"Costs <& all>", "members", "ms", "send & wait", "flat", "10", "20", "50", "1,000"} {
		if !strings.Contains("\n"+strings.Join(got.texts, "\n")+"\n", "\n"+text+"\n") {
			t.Errorf("the picture does not say %q: %q", text, got.texts)
		}
	}
}

// TestChartOfOneValue holds that a picture of nearly nothing is still one.
func TestChartOfOneValue(t *testing.T) {
	var b strings.Builder
	c := chart{lines: []line{{name: "one", points: []point{{1, 1}, {1, 1}}}}}
	if err := c.write(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "NaN") || strings.Contains(b.String(), "Inf") {
		t.Error(b.String())
	}
	parse(t, b.String())
}

// TestNamesOfLinesAreApart holds that lines that end at one place can be told apart.
func TestNamesOfLinesAreApart(t *testing.T) {
	var lines []line
	for _, name := range []string{"a1", "a2", "a3", "a4"} {
		lines = append(lines, line{name: name, points: []point{{1, 1}, {10, 1}}})
	}
	var b strings.Builder
	if err := (chart{lines: lines}).write(&b); err != nil {
		t.Fatal(err)
	}
	heights := map[string]bool{}
	for text := range strings.Lines(b.String()) {
		if strings.Contains(text, ">a") {
			_, y, _ := strings.Cut(text, ` y="`)
			y, _, _ = strings.Cut(y, `"`)
			heights[y] = true
		}
	}
	if len(heights) != len(lines) {
		t.Errorf("%d names stand at %d heights:\n%s", len(lines), len(heights), b.String())
	}
}

func TestWritePlots(t *testing.T) {
	folder := t.TempDir()
	files, err := WritePlots(folder, measuredBoth())
	if want := []string{filepath.Join(folder, "growth-members.svg")}; err != nil || cmp.Diff(want, files) != "" {
		t.Fatalf("got %v and the error %v", files, err)
	}
	raw, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if got := parse(t, string(raw)); len(got.polylines) != 2 || !strings.Contains(strings.Join(got.texts, "|"), "join, Full") {
		t.Errorf("got %+v", got)
	}
	if _, err := WritePlots(folder, []Result{{Label: "Lite", Scenario: "send.one.c1", ServerCPU: 1}}); err == nil || !strings.Contains(err.Error(), "no growth") {
		t.Errorf("without growth: got the error %v", err)
	}
	if _, err := WritePlots(filepath.Join(folder, "nowhere"), measuredBoth()); err == nil {
		t.Error("a folder that is not there: no error")
	}
}
