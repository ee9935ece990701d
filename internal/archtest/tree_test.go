package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/narthex-matrix/narthex"

// A pkg is one package of the module, parsed.
type pkg struct {
	ImportPath   string
	Dir          string
	Name         string
	Doc          string
	GoFiles      []string
	IgnoredFiles []string `json:"IgnoredGoFiles"` // of other systems
	TestGoFiles  []string
	XTestGoFiles []string
	Imports      []string
	TestImports  []string
	XTestImports []string

	files []*file
}

type file struct {
	*ast.File
	path string // from the root of the tree
	text string
	test bool
}

// short is the import path within the module: "internal/rooms".
func (p *pkg) short() string {
	return strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
}

// source gives the files that ship.
func (p *pkg) source() []*file {
	var out []*file
	for _, f := range p.files {
		if !f.test {
			out = append(out, f)
		}
	}
	return out
}

type tree struct {
	root string
	fset *token.FileSet
	pkgs []*pkg
}

// load lists and parses the module once for all tests.
var load = sync.OnceValues(func() (*tree, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	t := &tree{root: filepath.Dir(filepath.Dir(here)), fset: token.NewFileSet()}
	list := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Name,Doc,GoFiles,IgnoredGoFiles,TestGoFiles,XTestGoFiles,Imports,TestImports,XTestImports", "./...")
	list.Dir = t.root
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		p := &pkg{}
		if err := d.Decode(p); errors.Is(err, io.EOF) {
			return t, nil
		} else if err != nil {
			return nil, err
		}
		if err := t.parse(p); err != nil {
			return nil, err
		}
		t.pkgs = append(t.pkgs, p)
	}
})

func (t *tree) parse(p *pkg) error {
	for i, names := range [][]string{p.GoFiles, p.IgnoredFiles, p.TestGoFiles, p.XTestGoFiles} {
		for _, name := range names {
			path := filepath.Join(p.Dir, name)
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			parsed, err := parser.ParseFile(t.fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			p.files = append(p.files, &file{File: parsed, path: strings.TrimPrefix(path, t.root+"/"), text: string(text),
				test: i >= 2 || strings.HasSuffix(name, "_test.go")})
		}
	}
	return nil
}

func open(t *testing.T) *tree {
	t.Helper()
	loaded, err := load()
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// at says where a node is.
func (t *tree) at(n ast.Node) string {
	p := t.fset.Position(n.Pos())
	return fmt.Sprintf("%s:%d", strings.TrimPrefix(p.Filename, t.root+"/"), p.Line)
}
