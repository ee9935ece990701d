package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A statement is one SQL text as the program can send it.
type statement struct {
	at   string
	pkg  string
	text string
	// borrowed are the parts that are constants of other packages.
	borrowed []borrowed
}

type borrowed struct{ pkg, text string }

// A borrowed part stands between the first and the last of these, after its package and
// the second.
const lent, from, given = "\x01", "\x02", "\x03"

var lentPart = regexp.MustCompile(lent + "([^\x01-\x03]*)" + from + "([^\x01-\x03]*)" + given)

// newStatement takes the borrowed parts out of a text, inner ones first.
func newStatement(at, pkg, text string) statement {
	s := statement{at: at, pkg: pkg}
	for lentPart.MatchString(text) {
		text = lentPart.ReplaceAllStringFunc(text, func(part string) string {
			m := lentPart.FindStringSubmatch(part)
			s.borrowed = append(s.borrowed, borrowed{m[1], m[2]})
			return m[2]
		})
	}
	s.text = numberMarks(text)
	return s
}

// own is the text without what is borrowed.
func (s statement) own() string {
	text := s.text
	for _, b := range s.borrowed {
		text = strings.Replace(text, b.text, "", 1)
	}
	return text
}

// maxVariants is how many texts one call may have before it is refused as
// unreadable.
const maxVariants = 64

// sqlAt says which argument of a call is the statement.
var sqlAt = map[string]int{"One": 2, "ReadOne": 3, "All": 2, "Each": 2, "Value": 1, "Exec": 0, "Later": 0, "execOnce": 0}

// statements reads every SQL text out of the calls that run them: through
// constants, concatenations, local variables, parameters of the package's own
// functions, and the marks of db.In. What it cannot read it reports.
func (t *tree) statements() (found []statement, problems []string) {
	for _, p := range t.pkgs {
		if !slices.Contains(p.Imports, module+"/internal/db") && p.short() != "internal/db" {
			continue
		}
		r := reader{tree: t, pkg: p}
		for _, f := range p.source() {
			for _, d := range f.Decls {
				ast.Inspect(d, func(n ast.Node) bool {
					call, ok := n.(*ast.CallExpr)
					if !ok {
						return true
					}
					arg, ok := sqlArgument(call, p.Name == "db")
					if !ok {
						return true
					}
					fn, _ := d.(*ast.FuncDecl)
					texts, err := r.texts(arg, fn, 0)
					if err != nil && p.Name != "db" { // which runs what it is given
						problems = append(problems, fmt.Sprintf("%s: the statement cannot be read (%v); build it from constants and db.In", t.at(call), err))
					}
					for _, text := range texts {
						found = append(found, newStatement(t.at(call), p.short(), text))
					}
					return true
				})
			}
		}
	}
	return found, problems
}

// sqlArgument gives the statement's expression in a call of package db.
func sqlArgument(call *ast.CallExpr, inDB bool) (ast.Expr, bool) {
	fun := call.Fun
	if index, ok := fun.(*ast.IndexExpr); ok {
		fun = index.X
	}
	name := ""
	switch f := fun.(type) {
	case *ast.SelectorExpr:
		x, ok := f.X.(*ast.Ident)
		name = f.Sel.Name
		if run := name == "Exec" || name == "Later"; !ok || run && x.Name != "tx" || !run && name != "execOnce" && x.Name != "db" {
			return nil, false
		}
	case *ast.Ident:
		if !inDB {
			return nil, false
		}
		name = f.Name
	}
	i, ok := sqlAt[name]
	if !ok || len(call.Args) <= i {
		return nil, false
	}
	return call.Args[i], true
}

// A reader evaluates string expressions of one package.
type reader struct {
	tree *tree
	pkg  *pkg
}

// mark stands for the marks of db.In until the statement's own are known.
const mark = "\x00"

func (r reader) texts(e ast.Expr, fn *ast.FuncDecl, depth int) ([]string, error) {
	if depth > 24 {
		return nil, fmt.Errorf("%s goes too deep", r.tree.at(e))
	}
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return []string{text}, err
	case *ast.ParenExpr:
		return r.texts(e.X, fn, depth)
	case *ast.BinaryExpr:
		return r.joined(e.X, e.Y, fn, depth)
	case *ast.Ident:
		return r.named(e, fn, depth)
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok {
			for _, other := range r.tree.pkgs {
				if other.Name == x.Name {
					texts, err := (reader{r.tree, other}).constant(e.Sel.Name, depth)
					for i, text := range texts {
						texts[i] = lent + other.short() + from + text + given
					}
					return texts, err
				}
			}
		}
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Marks" {
			return []string{mark}, nil
		} else if ok && f.Sel.Name == "Pairs" {
			return []string{"(" + mark + "," + mark + ")"}, nil
		}
		if f, ok := e.Fun.(*ast.Ident); ok {
			return r.returned(f.Name, depth)
		}
	}
	return nil, fmt.Errorf("an expression at %s", r.tree.at(e))
}

func (r reader) joined(x, y ast.Expr, fn *ast.FuncDecl, depth int) ([]string, error) {
	left, err := r.texts(x, fn, depth+1)
	if err != nil {
		return nil, err
	}
	right, err := r.texts(y, fn, depth+1)
	if err != nil {
		return nil, err
	}
	return product(left, right)
}

func product(left, right []string) ([]string, error) {
	if len(left)*len(right) > maxVariants {
		return nil, fmt.Errorf("it has more than %d variants", maxVariants)
	}
	var out []string
	for _, l := range left {
		for _, r := range right {
			if !slices.Contains(out, l+r) {
				out = append(out, l+r)
			}
		}
	}
	return out, nil
}

// named reads a variable or parameter of the function, or a constant.
func (r reader) named(id *ast.Ident, fn *ast.FuncDecl, depth int) ([]string, error) {
	if fn != nil {
		if i, ok := parameter(fn, id.Name); ok {
			return r.handedIn(fn, i, depth)
		}
		if texts, found, err := r.assigned(id.Name, fn, depth); found {
			return texts, err
		}
	}
	return r.constant(id.Name, depth)
}

// assigned gives the values of a local variable: one for each assignment, and
// with and without each addition.
func (r reader) assigned(name string, fn *ast.FuncDecl, depth int) (texts []string, found bool, err error) {
	ast.Inspect(fn, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && err == nil {
			for i, l := range spec.Names {
				if l.Name == name && i < len(spec.Values) {
					found = true
					texts, err = r.texts(spec.Values[i], fn, depth+1)
				}
			}
		}
		a, ok := n.(*ast.AssignStmt)
		if !ok || len(a.Lhs) != len(a.Rhs) {
			return err == nil
		}
		for i, left := range a.Lhs {
			if l, ok := left.(*ast.Ident); !ok || l.Name != name || err != nil {
				continue
			}
			found = true
			var more []string
			if more, err = r.texts(a.Rhs[i], fn, depth+1); err != nil {
				return false
			}
			if a.Tok == token.ADD_ASSIGN {
				more, err = product(texts, more)
			}
			texts = append(texts, more...)
		}
		return err == nil
	})
	return texts, found, err
}

func parameter(fn *ast.FuncDecl, name string) (int, bool) {
	i := 0
	for _, f := range fn.Type.Params.List {
		for _, n := range f.Names {
			if n.Name == name {
				return i, true
			}
			i++
		}
	}
	return 0, false
}

// handedIn gives what callers in the package hand to a parameter.
func (r reader) handedIn(fn *ast.FuncDecl, param, depth int) (texts []string, err error) {
	for _, f := range r.pkg.source() {
		for _, d := range f.Decls {
			caller, _ := d.(*ast.FuncDecl)
			ast.Inspect(d, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok || err != nil || calledName(call) != fn.Name.Name || len(call.Args) <= param {
					return err == nil
				}
				var more []string
				if more, err = r.texts(call.Args[param], caller, depth+1); err == nil {
					texts = append(texts, more...)
				}
				return err == nil
			})
		}
	}
	if err == nil && len(texts) == 0 && r.pkg.Name != "db" {
		err = fmt.Errorf("nothing in the package calls %s", fn.Name.Name)
	}
	return texts, err
}

func calledName(call *ast.CallExpr) string {
	fun := call.Fun
	if index, ok := fun.(*ast.IndexExpr); ok {
		fun = index.X
	}
	switch f := fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

// returned gives what a function of the package returns.
func (r reader) returned(name string, depth int) (texts []string, err error) {
	for _, f := range r.pkg.source() {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Name.Name != name || fn.Recv != nil {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				ret, ok := n.(*ast.ReturnStmt)
				if !ok || err != nil || len(ret.Results) == 0 {
					return err == nil
				}
				var more []string
				if more, err = r.texts(ret.Results[0], fn, depth+1); err == nil {
					texts = append(texts, more...)
				}
				return err == nil
			})
		}
	}
	if err == nil && len(texts) == 0 {
		err = fmt.Errorf("no function %s", name)
	}
	return texts, err
}

// constant reads a constant or variable of the package.
func (r reader) constant(name string, depth int) ([]string, error) {
	for _, f := range r.pkg.source() {
		for _, d := range f.Decls {
			group, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range group.Specs {
				v, ok := s.(*ast.ValueSpec)
				if !ok {
					continue
				}
				for i, n := range v.Names {
					if n.Name == name && i < len(v.Values) {
						return r.texts(v.Values[i], nil, depth+1)
					}
				}
			}
		}
	}
	return nil, fmt.Errorf("%s is not a constant of %s", name, r.pkg.short())
}

var numbered = regexp.MustCompile(`\$(\d+)`)

// numberMarks puts the next free numbers in place of the marks.
func numberMarks(text string) string {
	last := placeholders(text)
	for strings.Contains(text, mark) {
		last++
		text = strings.Replace(text, mark, "$"+strconv.Itoa(last), 1)
	}
	return text
}

// placeholders is the highest placeholder in a statement.
func placeholders(text string) int {
	last := 0
	for _, m := range numbered.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[1])
		if err == nil {
			last = max(last, n)
		}
	}
	return last
}
