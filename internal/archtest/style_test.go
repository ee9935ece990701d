package archtest

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	maxLines     = 400
	maxTestLines = 600
)

func TestFilesAreShort(t *testing.T) {
	for _, p := range open(t).pkgs {
		for _, f := range p.files {
			limit := maxLines
			if f.test {
				limit = maxTestLines
			}
			if n := strings.Count(f.text, "\n"); n > limit && !ast.IsGenerated(f.File) {
				t.Errorf("%s has %d lines, and %d are allowed; split it by noun", f.path, n, limit)
			}
		}
	}
}

// A door is something that few places may touch.
type door struct {
	calls  []string // "package path.Name", or ".Name" for any method of that name
	advice string
	// open lists the places that may: a file, or a folder with a slash.
	open map[string]string
}

var doors = []door{
	{[]string{"time.Now", "time.Since", "time.Until"}, "take call.Now, tx.Now or job.Now", map[string]string{
		"cmd/":              "main fills the seams with the clock",
		"internal/apitest/": "for tests only",
		"internal/dbtest/":  "for tests only",
		"signin/client.go":  "the clock of a program that sets none",
		"docs/examples/":    "are whole programs",
	}},
	{[]string{"time.Sleep", "time.After", "time.Tick"}, "wait for an event, a timer that is stopped, or use synctest", map[string]string{
		"internal/pgtest/": "waits for another program, in tests only",
	}},
	{[]string{"math/rand.*", "math/rand/v2.*"}, "use package secret", map[string]string{
		"internal/db/powerloss/": "what a seed is to repeat, in tests only",
	}},
	{[]string{"net/http.Error", "net/http.NotFound", ".WriteHeader"}, "return an errcode error", map[string]string{
		"internal/httpapi/": "the one writer of answers",
		"internal/metrics/": "its listener does not speak Matrix",
	}},
	{[]string{"net/http.Get", "net/http.Post", "net/http.DefaultClient", "net/http.Head", "net/http.PostForm"}, "use a client with time and size limits", map[string]string{
		"internal/apitest/": "for tests only",
	}},
	{[]string{"context.Background", "context.TODO"}, "hand the caller's context down; context.WithoutCancel outlives it", map[string]string{
		"cmd/narthex/main.go": "the root of all contexts",
		"docs/examples/":      "are whole programs",
		"internal/apitest/":   "for tests only",
		"internal/dbtest/":    "for tests only",
		"internal/pgtest/":    "for tests only",
		"internal/bus/":       "the notification connection belongs to the process, not to a request",
	}},
	{[]string{"fmt.Print", "fmt.Printf", "fmt.Println", "builtin.print", "builtin.println"}, "log, or write to the writer that you were given", map[string]string{
		"internal/dbtest/": "says in a test's output which database it runs on",
		"docs/examples/":   "are whole programs",
	}},
	{[]string{"builtin.panic"}, "return an error", map[string]string{
		"internal/httpapi/": "route tables are built at start: a wrong row must not start",
		"internal/db/":      "hands a closure's panic to the goroutine that asked",
	}},
}

func TestDoors(t *testing.T) {
	tree := open(t)
	for _, p := range tree.pkgs {
		for _, f := range p.source() {
			imports := importNames(f.File)
			ast.Inspect(f.File, func(n ast.Node) bool {
				for _, name := range uses(n, imports) {
					if d := closed(name, f.path); d != nil {
						t.Errorf("%s: %s: %s", tree.at(n), name, d.advice)
					}
				}
				return true
			})
		}
	}
}

// uses names what a node touches, in the spelling of door.calls.
func uses(n ast.Node, imports map[string]string) []string {
	switch n := n.(type) {
	case *ast.SelectorExpr:
		if x, ok := n.X.(*ast.Ident); ok && imports[x.Name] != "" {
			return []string{imports[x.Name] + "." + n.Sel.Name, imports[x.Name] + ".*"}
		}
		return []string{"." + n.Sel.Name}
	case *ast.CallExpr:
		if f, ok := n.Fun.(*ast.Ident); ok {
			return []string{"builtin." + f.Name}
		}
	}
	return nil
}

func closed(name, path string) *door {
	for i, d := range doors {
		if !slices.Contains(d.calls, name) {
			continue
		}
		for place := range d.open {
			if path == place || (strings.HasSuffix(place, "/") && strings.HasPrefix(path, place)) {
				return nil
			}
		}
		return &doors[i]
	}
	return nil
}

// importNames maps the names in a file to the packages they stand for.
func importNames(f *ast.File) map[string]string {
	out := map[string]string{}
	for _, i := range f.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			continue // the compiler refuses it
		}
		name := filepath.Base(path)
		if strings.HasPrefix(name, "v") && len(name) == 2 {
			name = filepath.Base(filepath.Dir(path))
		}
		if i.Name != nil {
			name = i.Name.Name
		}
		out[name] = path
	}
	return out
}

// TestPathsAreInRouteTables holds that the path of an endpoint is spelled once.
func TestPathsAreInRouteTables(t *testing.T) {
	tree := open(t)
	open := map[string]string{
		"internal/httpapi/route.go":    "derives the r0 form of every path",
		"internal/demo/":               "is a client",
		"internal/bench/":              "is a client",
		"cmd/narthex/signin_client.go": "is a client",
		"internal/doctor/":             "is a client",
		"internal/errcode/":            "explains errors to people",
		"internal/config/docs.go":      "explains keys to people",
		"internal/apitest/":            "is a client",
		"internal/reference/":          "explains the list of endpoints to people",
		"signin/":                      "is a client",
		"cmd/narthex/signin":           "is a client",
		"docs/examples/":               "are clients",
	}
	for _, p := range tree.pkgs {
		for _, f := range p.source() {
			if filepath.Base(f.path) == "routes.go" || allowed(open, f.path) {
				continue
			}
			ast.Inspect(f.File, func(n ast.Node) bool {
				if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING &&
					(strings.Contains(lit.Value, "/_matrix/") || strings.Contains(lit.Value, "/_narthex/") || strings.Contains(lit.Value, "/_synapse/")) {
					t.Errorf("%s: %s: spell paths in routes.go only", tree.at(n), lit.Value)
				}
				return true
			})
		}
	}
}

func allowed(open map[string]string, path string) bool {
	for place := range open {
		if path == place || (strings.HasSuffix(place, "/") && strings.HasPrefix(path, place)) {
			return true
		}
	}
	return false
}
