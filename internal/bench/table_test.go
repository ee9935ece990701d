package bench

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// measuredBoth are results of two servers, the second with a database of its own.
func measuredBoth() []Result {
	lite := func(scenario string, size int, cpu float64) Result {
		return Result{Label: "Lite", Scenario: scenario, Size: size, Operations: 5, PerSecond: 600, ServerCPU: cpu, Resident: 50}
	}
	full := func(scenario string, size int, server, database float64) Result {
		r := lite(scenario, size, server)
		r.Label, r.DatabaseCPU, r.SeparateDatabase = "Full", database, true
		return r
	}
	cut := lite("createroom", 0, 5)
	cut.Cut = true
	waiting := lite("idle.1000", 0, 10)
	waiting.Notes = map[string]float64{noteResident: 120, noteConnection: 12}
	return []Result{
		lite("send.one.c1", 0, 1.2), full("send.one.c1", 0, 2.4, 1.1),
		lite("send.one.c8", 0, 1.7), full("send.one.c8", 0, 2.5, 0.9), cut, waiting,
		lite("rejected.token.c1", 0, 0.1), lite("accepted.token.c1", 0, 0.08),
		lite(growJoin, 100, 2), lite(growJoin, 1000, 3), full(growJoin, 100, 3, 1), full(growJoin, 1000, 3, 1.8),
		lite(studySync, 1, 40), lite(studySync, 5, 40),
	}
}

func TestScenarioTable(t *testing.T) {
	got := scenarioTable(summarize(measuredBoth()))
	for _, want := range []string{
		"| CPU ms for one operation | Dendrite | floor | at most | Lite | Full | its database |\n|---|--:|--:|--:|--:|--:|--:|\n",
		"| send.one.c1 | 39.0 | 0.49 | 1.50 | 1.20 | 2.40 | 1.10 |\n",
		"| send.one.c8 | 41.0 | 0.23 | 1.00 | 1.70 ✗ | 2.50 ✗ | 0.90 |\n",
		"| createroom | 106 | 1.20 | 6.00 | 5.00 † | – | – |\n",
		"| bigroom.send.c1 | 1,079 | – | 2.00 | – | – | – |\n",
		"\nOne run. Of 6 figures 4 keep their bound, and 2 do not",
		"† Not whole",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
	if rows := strings.Count(got, "\n| "); rows != len(targets) {
		t.Errorf("%d rows for %d targets", rows, len(targets))
	}
	if got := scenarioTable(nil); got != "" {
		t.Errorf("a table of nothing: %s", got)
	}
}

// TestFloorInTables holds that the floor of a machine stands beside the servers, and is
// not one of them.
func TestFloorInTables(t *testing.T) {
	floor := func(scenario string, cpu float64) Result {
		return Result{Label: floorLabel, Scenario: scenario, Operations: 5, PerSecond: 9000, ServerCPU: cpu, Resident: 50}
	}
	cut := floor("createroom", 0.9)
	cut.Cut = true
	all := summarize(append(measuredBoth(), floor(signature, 0.0381), floor("send.one.c1", 0.51), cut, floor("send.one.c1", 0.53)))
	got := scenarioTable(all)
	for _, want := range []string{
		"| CPU ms for one operation | Dendrite | floor | at most | floor, this machine | Lite | Full | its database |\n|---|--:|--:|--:|--:|--:|--:|--:|\n",
		"| send.one.c1 | 39.0 | 0.49 | 1.50 | 0.52 | 1.20 | 2.40 | 1.10 |\n",
		"| createroom | 106 | 1.20 | 6.00 | 0.90 † | 5.00 † | – | – |\n",
		"| register | 6.70 | – | 1.50 | – | – | – | – |\n",
		"\nOne run. Of 6 figures 4 keep their bound",
		" On the machine of these figures an Ed25519 signature costs 38.1 µs, 1.47 times as much as where the bounds come from: of bounds so much wider 5 are kept.\n",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
	for name, text := range map[string]string{"goals": goalTable(all), "details": detailTables(all)} {
		if strings.Contains(text, "floor") || strings.Contains(text, "9,000") {
			t.Errorf("%s tell of the floor:\n%s", name, text)
		}
	}
	if got := slowness(summarize([]Result{floor(signature, 0)})); got != 0 {
		t.Errorf("of a machine that tells no CPU time: %v", got)
	}
}

func TestGoalTable(t *testing.T) {
	want := `|  | bound | Lite | Full |
|---|--:|--:|--:|
| Messages a second into one room, one sender | ≥ 500 | 600 | 600 |
| Messages a second into one room, eight senders | ≥ 1,500 | 600 ✗ | 600 ✗ |
| Memory with 1,000 waiting clients, MiB | ≤ 100 | 120 ✗ | – |
| Memory for each of them, KiB | ≤ 20.0 | 12.0 | – |
| A token refused : accepted | ≤ 1.00 | 1.25 ✗ | – |
| Written to disk for a refusal, KiB | ≤ 0.10 | 0 | – |
`
	if diff := cmp.Diff(want, goalTable(summarize(measuredBoth()))); diff != "" {
		t.Error(diff)
	}
}

func TestGrowthTables(t *testing.T) {
	want := `| CPU ms for one operation, by members of the room | 100 | 1,000 | 1,000 : 100 |
|---|--:|--:|--:|
| join, Lite | 2.00 | 3.00 | 1.50 |
| join, Full | 4.00 | 4.80 | 1.20 |

| Growth of the cost | Dendrite | at most | Lite | Full |
|---|--:|--:|--:|--:|
| A join into a room of 1,000 members : of 100 | 5.8 | 1.30 | 1.50 ✗ | 1.20 |

Server and database together. One run.
`
	if diff := cmp.Diff(want, growthTables(summarize(measuredBoth()))); diff != "" {
		t.Error(diff)
	}
}

func TestStudyTable(t *testing.T) {
	got := studyTable(summarize(measuredBoth()))
	for _, want := range []string{"| users at once | Lite | Synapse, 18 workers | Tuwunel |\n", "| 1 | – | 80.0 | 8.60 |\n", "| 5 | – | 74.0 | 14.0 |\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing in:\n%s", want, got)
		}
	}
}

func TestFigure(t *testing.T) {
	for v, want := range map[float64]string{0: "–", 0.004: "0.004", 0.0996: "0.10", 1.234: "1.23", 12.34: "12.3", 999.6: "1000", 1234567: "1,234,567", 1000: "1,000"} {
		if got := figure(v); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
}

// TestFillIn holds that a document keeps all but what stands between the markers.
func TestFillIn(t *testing.T) {
	const document = "before\n<!-- bench: study -->\nold\n<!-- end -->\nbetween\n<!-- bench: growth -->\n<!-- end -->\nafter\n"
	results := []Result{{Label: "Lite", Scenario: studySync, Size: 1, Operations: 1, Seconds: 3}}
	once, err := FillIn(document, results)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(once, "old") || !strings.Contains(once, "| 1 | 3.00 | 80.0 | 8.60 |") ||
		!strings.HasPrefix(once, "before\n<!-- bench: study -->\n") || !strings.HasSuffix(once, "<!-- end -->\nbetween\n<!-- bench: growth -->\n<!-- end -->\nafter\n") {
		t.Errorf("got %s", once)
	}
	if again, err := FillIn(once, results); err != nil || again != once {
		t.Errorf("the second time is not the same: %v %s", err, again)
	}
	for name, without := range map[string]string{"no marker": "text\n", "no end": "<!-- bench: study -->\n"} {
		if _, err := FillIn(without, results); err == nil || !strings.Contains(err.Error(), "no place for study") {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
}
