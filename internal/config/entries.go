package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// isEntries reports whether a key takes a list of entries, each with keys of its own.
func isEntries(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct
}

// newEntry is an entry with its defaults, to be set.
func (f field) newEntry() reflect.Value {
	entry := reflect.New(f.kind.Elem()).Elem()
	if f.kind.Elem() == reflect.TypeFor[Provider]() {
		entry.Set(reflect.ValueOf(DefaultProvider()))
	}
	return entry
}

// entries sets a list of entries from its node.
func (y *yamlFile) entries(f field, where string, node ast.Node) {
	list, ok := node.(*ast.SequenceNode)
	if !ok {
		y.fail(where, f.refuse(describe(node)))
		return
	}
	all := reflect.MakeSlice(f.kind, 0, len(list.Values))
	for i, value := range list.Values {
		members, ok := members(value)
		if !ok {
			y.fail(where, f.refuse(describe(value)+" in the list"))
			return
		}
		entry := f.newEntry()
		in := yamlFile{source: source{group: entry}, path: y.path, seen: map[string]int{}}
		for _, member := range members {
			in.entryMember(f, fmt.Sprintf("%s[%d]", f.name, i+1), member)
		}
		if err := in.finish(); err != nil {
			y.errs = append(y.errs, err)
		}
		all = reflect.Append(all, entry)
	}
	y.source.group.FieldByIndex(f.index).Set(all)
}

// entryMember sets one key of an entry, which is called as the prefix says.
func (y *yamlFile) entryMember(list field, prefix string, member *ast.MappingValueNode) {
	key, ok := keyText(member.Key)
	if !ok {
		y.fail(fmt.Sprintf("%s:%d", y.path, line(member.Key)), errors.New("expected the name of a key, got "+describe(member.Key)))
		return
	}
	where := fmt.Sprintf("%s:%d: %s.%s", y.path, line(member.Key), prefix, printable(key))
	if first, again := y.seen[key]; again {
		y.fail(where, fmt.Errorf("the key is given twice, first in line %d", first))
		return
	}
	y.seen[key] = line(member.Key)
	name, asFile := strings.CutSuffix(key, fileSuffix)
	i := slices.IndexFunc(list.entry, func(f field) bool { return f.name == name && (f.secret || !asFile) })
	if i < 0 {
		y.fail(where, unknownEntryKey(list, key))
		return
	}
	if err := y.value(list.entry[i], asFile, where, member.Value); err != nil {
		y.fail(where, err)
	}
}

func unknownEntryKey(list field, key string) error {
	var names []string
	for _, f := range list.entry {
		names = append(names, f.name)
		if f.secret {
			names = append(names, f.name+fileSuffix)
		}
	}
	if near := nearest(key, names); near != "" {
		return fmt.Errorf("there is no such key; did you mean %s?", near)
	}
	return fmt.Errorf("there is no such key; an entry has %s", strings.Join(names, ", "))
}
