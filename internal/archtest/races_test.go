package archtest

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// together are the functions of tests that do several things at the same time.
var together = []string{"atOnce", "together", "InTurn", "Parallel", "Go"}

// TestNamesOfRaces holds that a test that does several things at the same time has
// AtOnce in its name: the race detector runs those (.ci/run), since it is slow and
// finds nothing where one thing comes after the other.
func TestNamesOfRaces(t *testing.T) {
	tree := open(t)
	for _, p := range tree.pkgs {
		if !strings.HasPrefix(p.short(), "internal/") && !strings.HasPrefix(p.short(), "signin") {
			continue
		}
		for _, f := range p.files {
			for _, d := range f.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if f.test && ok && strings.HasPrefix(fn.Name.Name, "Test") && !strings.Contains(fn.Name.Name, "AtOnce") && isRace(fn) {
					t.Errorf("%s: %s does several things at the same time; add AtOnce to its name, so that the race detector looks at it", tree.at(fn), fn.Name.Name)
				}
			}
		}
	}
}

func isRace(fn *ast.FuncDecl) (found bool) {
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			found = true
		case *ast.CallExpr:
			name := ""
			switch called := n.Fun.(type) {
			case *ast.Ident:
				name = called.Name
			case *ast.SelectorExpr:
				name = called.Sel.Name
			}
			found = found || slices.Contains(together, name)
		}
		return !found
	})
	return found
}
