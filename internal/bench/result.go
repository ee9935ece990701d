package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// A Result is what was measured in one stretch of equal operations. Costs are for
// one operation; those that could not be measured are zero.
type Result struct {
	Label    string `json:"label"` // the server, as tables call it
	Scenario string `json:"scenario"`
	Size     int    `json:"size,omitempty"` // of what grows: members, rooms, state events, or requests at once

	Operations int    `json:"operations"`
	Failed     int    `json:"failed,omitempty"`
	Failure    string `json:"failure,omitempty"` // the first
	Cut        bool   `json:"cut,omitempty"`     // ended by the limit of time, before all operations were done

	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"per_second"`
	Latency   Latency `json:"latency"`

	ServerCPU        float64 `json:"server_cpu_ms"`
	DatabaseCPU      float64 `json:"database_cpu_ms,omitempty"`
	SeparateDatabase bool    `json:"separate_database,omitempty"` // in processes of its own
	Unsettled        bool    `json:"unsettled,omitempty"`         // it had not become calm: the costs are higher
	Written          float64 `json:"written_kib"`                 // handed to the disk by server and database
	Resident         float64 `json:"resident_mib"`                // memory of the server when the stretch ended
	Others           float64 `json:"others_cores"`                // cores that programs other than these and the client kept busy

	Notes map[string]float64 `json:"notes,omitempty"`
}

// Latency holds what operations took, in milliseconds.
type Latency struct {
	Median float64 `json:"p50"`
	P90    float64 `json:"p90"`
	P99    float64 `json:"p99"`
	Most   float64 `json:"max"`
}

// ReadResults reads files of results, one after the other.
func ReadResults(files []string) ([]Result, error) {
	var all []Result
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		some, err := readResults(f)
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("%s holds no results of this command: %w", name, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

func readResults(r io.Reader) ([]Result, error) {
	var all []Result
	for d := json.NewDecoder(r); ; {
		var one Result
		if err := d.Decode(&one); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		if one.Scenario == "" {
			return nil, errors.New("a line has no scenario")
		}
		all = append(all, one)
	}
}
