package apitest

import (
	"errors"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/dbtest"
)

// Main is [dbtest.Main], and writes down what the servers of the tests answered. After
// the tests it calls the functions that end what they have shared.
func Main(m *testing.M, end ...func()) {
	code := dbtest.Run(m)
	for _, f := range end {
		f()
	}
	if code == 0 {
		if err := writeAnswers(); err != nil {
			fmt.Fprintln(os.Stderr, "apitest:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// answers are the (operation, code) pairs seen in this process.
var answers struct {
	sync.Mutex
	seen map[string]bool
}

func record(op, code string) {
	answers.Lock()
	defer answers.Unlock()
	if answers.seen == nil {
		answers.seen = map[string]bool{}
	}
	answers.seen[op+" "+code] = true
}

func writeAnswers() error {
	folder := os.Getenv("NARTHEX_TEST_COVERAGE")
	if folder == "" {
		return nil
	}
	answers.Lock()
	defer answers.Unlock()
	lines := make([]string, 0, len(answers.seen))
	for line := range answers.seen {
		lines = append(lines, line+"\n")
	}
	sort.Strings(lines)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, "answers-*.txt")
	if err != nil {
		return err
	}
	_, err = f.WriteString(strings.Join(lines, ""))
	return errors.Join(err, f.Close())
}
