package config

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// A yamlFile is one configuration file that is being read. The parser's tree is
// walked here, and not decoded by the library, so that every error has our
// words, a line and a key.
type yamlFile struct {
	source
	path string
	seen map[string]int // the line of each key so far
}

func loadYAML(cfg *Config, path string, text []byte) error {
	file := yamlFile{source: source{group: reflect.ValueOf(cfg).Elem()}, path: path, seen: map[string]int{}}
	documents, err := parseYAML(text)
	if err != nil {
		return file.syntaxError(err)
	}
	if len(documents) > 1 {
		return fmt.Errorf("%s: the file holds several documents; remove the line --- between them", path)
	}
	if len(documents) == 1 && documents[0].Body != nil {
		file.document(documents[0].Body)
	}
	return file.finish()
}

// parseYAML turns a panic of the parser into an error: whatever a file holds,
// the answer is a sentence.
func parseYAML(text []byte) (documents []*ast.DocumentNode, err error) {
	defer func() {
		if recover() != nil {
			documents, err = nil, errors.New("not YAML")
		}
	}()
	// Keys given twice are found by the walk, which knows their full names.
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, err
	}
	return file.Docs, nil
}

// syntaxError leaves out the piece of the file that the parser would show,
// because a secret may be in it.
func (y *yamlFile) syntaxError(err error) error {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) && syntax.Token != nil && syntax.Token.Position != nil {
		return fmt.Errorf("%s:%d: the file is not valid YAML: %s", y.path, syntax.Token.Position.Line, syntax.Message)
	}
	return fmt.Errorf("%s: the file is not valid YAML", y.path)
}

func (y *yamlFile) document(body ast.Node) {
	if members, ok := members(body); ok {
		y.group("", members)
		return
	}
	y.fail(fmt.Sprintf("%s:%d", y.path, line(body)), errors.New("expected keys such as server_name: example.org, got "+describe(body)))
}

// group reads the keys under a name; prefix is that name with a dot, or empty.
func (y *yamlFile) group(prefix string, members []*ast.MappingValueNode) {
	for _, member := range members {
		key, ok := keyText(member.Key)
		if !ok {
			y.fail(fmt.Sprintf("%s:%d", y.path, line(member.Key)), errors.New("expected the name of a key, got "+describe(member.Key)))
			continue
		}
		y.member(prefix+key, strings.Contains(key, "."), member)
	}
}

func (y *yamlFile) member(name string, dotted bool, member *ast.MappingValueNode) {
	where := fmt.Sprintf("%s:%d: %s", y.path, line(member.Key), printable(name))
	if first, again := y.seen[name]; again {
		y.fail(where, fmt.Errorf("the key is given twice, first in line %d", first))
		return
	}
	y.seen[name] = line(member.Key)
	f, asFile, known := fieldNamed(name)
	switch {
	case dotted && (known || isGroup(name)):
		group, key := split(name)
		y.fail(where, fmt.Errorf("write %s indented under %s, not joined by a dot", key, group))
	case isGroup(name):
		y.subgroup(name, where, member.Value)
	case !known:
		y.fail(where, unknownKey(name))
	case f.entry != nil:
		y.entries(f, where, member.Value)
	default:
		if err := y.value(f, asFile, where, member.Value); err != nil {
			y.fail(where, err)
		}
	}
}

func (y *yamlFile) subgroup(name, where string, value ast.Node) {
	if members, ok := members(value); ok {
		y.group(name+".", members)
	} else if !isNull(value) { // a group whose keys are all commented out is null
		y.fail(where, errors.New("expected keys indented under it, got "+describe(value)))
	}
}

func unknownKey(name string) error {
	if near := nearest(name, names()); near != "" {
		return fmt.Errorf("there is no such key; did you mean %s?", near)
	}
	return errors.New(`there is no such key; "narthex config default" shows them all`)
}

// value sets a key from its node.
func (y *yamlFile) value(f field, asFile bool, where string, node ast.Node) error {
	switch {
	case f.isList():
		items, err := textItems(f, node)
		if err == nil {
			f.setList(y.source.group, items)
		}
		return err
	case f.isText():
		text, ok := textOf(node)
		switch {
		case !ok:
			return f.refuse(describe(node))
		case f.secret:
			y.secrets = append(y.secrets, givenSecret{field: f, where: where, text: text, asFile: asFile})
			return nil
		}
		return f.set(y.source.group, text)
	default:
		text, ok := plainText(node)
		if !ok {
			return f.refuse(describe(node))
		}
		return f.set(y.source.group, text)
	}
}

func textItems(f field, node ast.Node) ([]string, error) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		return nil, f.refuse(describe(node))
	}
	items := []string{}
	for _, value := range list.Values {
		text, ok := textOf(value)
		if !ok {
			return nil, f.refuse(describe(value) + " in the list")
		}
		items = append(items, text)
	}
	return items, nil
}

// members returns the members of a mapping.
func members(node ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := node.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	default:
		return nil, false
	}
}

func keyText(key ast.MapKeyNode) (string, bool) {
	if text, ok := key.(*ast.StringNode); ok {
		return text.Value, true
	}
	return "", false
}

// printable is a key as it may stand in an error: quoted when it is not made
// of plain characters, and cut when it is long.
func printable(name string) string {
	if len(name) > 100 {
		name = name[:100] + "…"
	}
	if strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || r == '"' || r == ':' }) {
		return strconv.Quote(name)
	}
	return name
}

// textOf returns a text, quoted or not. A number without quotes is a text too
// (default_version: 12), in the spelling of the file; true and null are not.
func textOf(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, true
	default:
		return "", false
	}
}

// plainText returns a value without quotes, as the file spells it.
func plainText(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, n.GetToken().Type == token.StringType
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	default:
		return "", false
	}
}

func isNull(node ast.Node) bool {
	_, null := node.(*ast.NullNode)
	return node == nil || null
}

// describe names what a node is, without a text of it: that may be a secret.
func describe(node ast.Node) string {
	switch n := node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "further keys"
	case *ast.SequenceNode:
		return "a list"
	case *ast.StringNode:
		if n.GetToken().Type != token.StringType {
			return "a text in quotes"
		}
		return "a text"
	case *ast.LiteralNode:
		return "a text of several lines"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return n.String() + " without quotes"
	case nil, *ast.NullNode:
		return "nothing"
	default:
		return "YAML that this file does not use (anchors, aliases, tags)"
	}
}

func line(node ast.Node) int {
	if t := node.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 1
}
