package doctor

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/page"
)

// Level is how bad a finding is.
type Level string

// The levels.
const (
	Good    Level = "good"
	Warning Level = "warning" // the server runs, but not as it should
	Fault   Level = "fault"   // the server does not start, or is not safe
)

// Finding is one thing that was looked at.
type Finding struct {
	Level Level  `json:"level"`
	What  string `json:"what"`
	Mend  string `json:"mend,omitempty"` // what to do; empty if it is good
}

// Patient is what is examined.
type Patient struct {
	Config     config.Config
	ConfigFile string // empty: there is none
	Now        func() time.Time
	// Web fetches what other servers and clients would; nil leaves that out.
	Web *http.Client
}

// Examine looks at everything it can, and goes on after a fault.
func (p Patient) Examine(ctx context.Context) []Finding {
	var r report
	if err := p.Config.Check(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			r.fault(line, "Change this key; docs/reference/config.md explains it.")
		}
	} else {
		r.good("The configuration can be used.")
	}
	p.names(&r)
	p.registration(&r)
	p.limits(&r)
	p.messages(&r)
	p.files(&r)
	p.database(ctx, &r)
	p.wellKnown(ctx, &r)
	return r
}

type report []Finding

func (r *report) good(format string, args ...any) {
	*r = append(*r, Finding{Level: Good, What: fmt.Sprintf(format, args...)})
}

func (r *report) warn(what, mend string) {
	*r = append(*r, Finding{Level: Warning, What: what, Mend: mend})
}

func (r *report) fault(what, mend string) {
	*r = append(*r, Finding{Level: Fault, What: what, Mend: mend})
}

// Shown gives the warnings and faults that can be found without a network and a look
// into the database, for the pages of administrators.
func Shown(cfg config.Config) (out []page.Finding) {
	p := Patient{Config: cfg}
	var r report
	p.names(&r)
	p.registration(&r)
	p.limits(&r)
	p.messages(&r)
	p.files(&r)
	for _, f := range r {
		if f.Level != Good {
			out = append(out, page.Finding{Fault: f.Level == Fault, What: f.What, Mend: f.Mend})
		}
	}
	return out
}
