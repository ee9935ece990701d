package reference

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Answers reads the records of test runs, answers-*.txt in a folder: the pairs
// "operation Key" that were answered.
func Answers(folder string) (map[string]bool, error) {
	files, err := filepath.Glob(filepath.Join(folder, "answers-*.txt"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s holds no answers-*.txt; run the tests with NARTHEX_TEST_COVERAGE=%s", folder, folder)
	}
	seen := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			seen[strings.TrimSpace(line)] = true
		}
	}
	return seen, nil
}

// Coverage is the comparison of what routes declare with what was answered.
type Coverage struct {
	Declared, Provoked int      // pairs of operation and code
	Unprovoked         []string // declared pairs that nothing provoked: "op Key"
	Undeclared         []string // answered pairs that no route declares
	Unanswered         []string // operations that never succeeded
}

// Whole reports whether every declared pair was provoked and none else answered.
func (c Coverage) Whole() bool {
	return len(c.Unprovoked) == 0 && len(c.Undeclared) == 0 && len(c.Unanswered) == 0
}

// neverSucceeds lists operations that only ever fail, with the reason.
var neverSucceeds = map[string]string{
	"redirectToIdP": "people sign in on this server's own pages: there are no identity providers",
}

// Compare holds the answers against the routes. What no test can provoke at will
// (a fault inside the server or of its database, overload) is not asked for.
func Compare(routes []httpapi.Route, answers map[string]bool) Coverage {
	var c Coverage
	byOp := map[string][]httpapi.Route{} // two routes may serve one operation
	for _, r := range routes {
		byOp[r.Op] = append(byOp[r.Op], r)
		if !answers[r.Op+" ok"] && neverSucceeds[r.Op] == "" {
			c.Unanswered = append(c.Unanswered, r.Op)
		}
		for _, code := range Codes(r) {
			pair := r.Op + " " + code.Key
			if code == errcode.Unknown || code == errcode.Overloaded || code == errcode.StorageUnavailable {
				continue
			}
			c.Declared++
			if answers[pair] {
				c.Provoked++
			} else {
				c.Unprovoked = append(c.Unprovoked, pair)
			}
		}
	}
	for pair := range answers {
		op, key, _ := strings.Cut(pair, " ")
		declared := slices.ContainsFunc(byOp[op], func(r httpapi.Route) bool { return key == "ok" || declares(r, key) })
		if !declared {
			c.Undeclared = append(c.Undeclared, pair)
		}
	}
	slices.Sort(c.Undeclared)
	return c
}

func declares(r httpapi.Route, key string) bool {
	return slices.ContainsFunc(errcode.Catalogue(), func(c *errcode.Code) bool { return c.Key == key && r.Declares(c) })
}

// Codes gives all that a route can answer: what it declares, then what follows
// from its kind of caller, its class and its parameters.
func Codes(r httpapi.Route) []*errcode.Code {
	var out []*errcode.Code
	for _, c := range slices.Concat(r.Codes, r.Implied()) {
		if !slices.Contains(out, c) {
			out = append(out, c)
		}
	}
	return out
}
