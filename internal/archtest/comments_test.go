package archtest

import (
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

func TestPackageComments(t *testing.T) {
	for _, p := range open(t).pkgs {
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command "
		}
		found := 0
		for _, f := range p.source() {
			if f.Doc != nil {
				found++
				if !strings.HasPrefix(f.Doc.Text(), want) {
					t.Errorf("%s: begin the package comment with %q", f.path, want)
				}
			}
		}
		if found != 1 && len(p.source()) > 0 {
			t.Errorf("%s has %d package comments; write one, in doc.go, saying what it owns and promises", p.short(), found)
		}
	}
}

// TestExportedNamesHaveComments holds that each exported name of the code that
// ships has a comment that begins with it. In a group of constants or variables
// the group's comment will do.
func TestExportedNamesHaveComments(t *testing.T) {
	tree := open(t)
	for _, p := range tree.pkgs {
		for _, f := range p.source() {
			for _, d := range f.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Name.IsExported() && receiverIsExported(d) {
						tree.wantComment(t, d, d.Name.Name, d.Doc)
					}
				case *ast.GenDecl:
					tree.checkGroup(t, d)
				}
			}
		}
	}
}

func (t *tree) checkGroup(tt *testing.T, d *ast.GenDecl) {
	tt.Helper()
	for _, spec := range d.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			doc := spec.Doc
			if doc == nil && len(d.Specs) == 1 {
				doc = d.Doc
			}
			if spec.Name.IsExported() {
				t.wantComment(tt, spec, spec.Name.Name, doc)
			}
		case *ast.ValueSpec:
			for _, name := range spec.Names {
				grouped := d.Lparen.IsValid() && d.Doc != nil
				if !name.IsExported() || grouped || spec.Comment != nil {
					continue
				}
				doc := spec.Doc
				if doc == nil && d.Tok != token.IMPORT && len(d.Specs) == 1 {
					doc = d.Doc
				}
				t.wantComment(tt, spec, name.Name, doc)
			}
		}
	}
}

func (t *tree) wantComment(tt *testing.T, n ast.Node, name string, doc *ast.CommentGroup) {
	tt.Helper()
	if doc == nil {
		tt.Errorf("%s: %s is exported and has no comment", t.at(n), name)
		return
	}
	text := doc.Text()
	for _, article := range []string{"", "A ", "An ", "The "} {
		if strings.HasPrefix(text, article+name) {
			return
		}
	}
	tt.Errorf("%s: begin the comment of %s with its name", t.at(n), name)
}

func receiverIsExported(d *ast.FuncDecl) bool {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return true
	}
	x := d.Recv.List[0].Type
	for {
		switch e := x.(type) {
		case *ast.StarExpr:
			x = e.X
		case *ast.IndexExpr:
			x = e.X
		case *ast.Ident:
			return e.IsExported()
		default:
			return false
		}
	}
}
