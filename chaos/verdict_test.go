package chaos

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// A word that is missing in a list has no series and no Event.
func TestEachWordIsInItsList(t *testing.T) {
	source, err := parser.ParseFile(token.NewFileSet(), "verdict.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	words := map[string][]string{}
	for _, d := range source.Decls {
		if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.CONST {
			for _, s := range d.Specs {
				s := s.(*ast.ValueSpec)
				kind := s.Type.(*ast.Ident).Name
				words[kind] = append(words[kind], s.Values[0].(*ast.BasicLit).Value)
			}
		}
	}
	var listed []string
	for _, v := range Verdicts {
		listed = append(listed, `"`+string(v)+`"`)
	}
	if !slices.Equal(words["Verdict"], listed) {
		t.Errorf("the verdicts are %v, and in the list %v", words["Verdict"], listed)
	}
	listed = nil
	for _, r := range append(slices.Clone(Vetoes), Partial, Gone) {
		listed = append(listed, `"`+string(r)+`"`)
	}
	if !slices.Equal(words["Reason"], listed) {
		t.Errorf("the reasons are %v, and in the list, with Partial and Gone, %v", words["Reason"], listed)
	}
}
