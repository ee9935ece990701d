package config

import (
	"reflect"
	"slices"
	"strings"
)

// envPrefix begins the name of every environment variable that is ours.
const envPrefix = "NARTHEX_"

// testPrefix begins the names of variables that the tests read. A server that is
// started by a test must not stumble over them.
const testPrefix = envPrefix + "TEST_"

// fileSuffix makes the key that names a file from the key of a secret.
const fileSuffix = "_file"

// A Key describes one key for a reader: all of it is text for people, except
// Name and Env.
type Key struct {
	Name    string // "approval.pending_ttl"
	Type    string // "duration", "one of text, json"
	Default string // as it is written in the file: `"localhost"`, `10m`, `[]`
	Doc     string // whole sentences, one paragraph
	Secret  bool   // may be given as Name + "_file" and Env + "_FILE" instead
	Env     string // "NARTHEX_APPROVAL_PENDING_TTL"
	Entry   []Key  // of a list of entries: the keys of one, which have no Env
}

// Keys lists every key in the order of the configuration file.
func Keys() []Key {
	keys := keysOf(fields, "", reflect.ValueOf(Default()))
	for i := range keys {
		keys[i].Env = fields[i].env()
	}
	return keys
}

// keysOf describes fields with their values in a struct; their texts are in docs
// under the prefix and their names.
func keysOf(fields []field, prefix string, defaults reflect.Value) []Key {
	keys := make([]Key, len(fields))
	for i, f := range fields {
		name := prefix + f.name
		keys[i] = Key{Name: f.name, Type: f.typeInWords(), Default: written(defaults.FieldByIndex(f.index)), Doc: docs[name], Secret: f.secret}
		if f.entry != nil {
			keys[i].Entry = keysOf(f.entry, name+".", f.newEntry())
		}
	}
	return keys
}

// A field is one key's place in the Config struct, or in an entry of a list.
type field struct {
	name   string
	index  []int
	kind   reflect.Type
	secret bool
	oneOf  []string
	entry  []field // of a list of entries: the keys of one
}

// fields holds all keys in the order of the struct.
var fields = fieldsOf(reflect.TypeFor[Config](), "", nil)

func fieldsOf(group reflect.Type, prefix string, index []int) []field {
	var found []field
	for i := range group.NumField() {
		member := group.Field(i)
		key, has := member.Tag.Lookup("key")
		if !has {
			continue
		}
		f := field{name: prefix + key, index: append(slices.Clone(index), i), kind: member.Type}
		if member.Type.Kind() == reflect.Struct {
			found = append(found, fieldsOf(member.Type, f.name+".", f.index)...)
			continue
		}
		if isEntries(member.Type) {
			f.entry = fieldsOf(member.Type.Elem(), "", nil)
		}
		f.secret = member.Tag.Get("secret") == "true"
		if list, has := member.Tag.Lookup("oneof"); has {
			f.oneOf = strings.Split(list, ",")
		}
		found = append(found, f)
	}
	return found
}

// in returns the field's value in c, to read or to set.
func (f field) in(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(f.index)
}

func (f field) env() string { return envName(f.name) }

func envName(key string) string {
	return envPrefix + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// fieldNamed finds a key. asFile is true when the name is that of a secret with
// fileSuffix.
func fieldNamed(name string) (f field, asFile, ok bool) {
	for _, f := range fields {
		if name == f.name {
			return f, false, true
		}
		if f.secret && name == f.name+fileSuffix {
			return f, true, true
		}
	}
	return field{}, false, false
}

// isGroup reports whether name holds keys: "approval", "login.password".
func isGroup(name string) bool {
	return slices.ContainsFunc(fields, func(f field) bool { return strings.HasPrefix(f.name, name+".") })
}

// split cuts a key's name after its group, which is empty at the top.
func split(name string) (group, last string) {
	i := strings.LastIndex(name, ".")
	return name[:max(i, 0)], name[i+1:]
}

// names lists all that may stand in a file: keys, their file forms and groups.
func names() []string {
	var all []string
	for _, f := range fields {
		all = append(all, f.name)
		if f.secret {
			all = append(all, f.name+fileSuffix)
		}
		for group, _ := split(f.name); group != "" && !slices.Contains(all, group); group, _ = split(group) {
			all = append(all, group)
		}
	}
	return all
}

// nearest returns the candidate that name is most likely a slip for, or "" when
// none is near. A name that only lacks its group is the nearest of all.
func nearest(name string, candidates []string) string {
	if len(name) > 100 {
		return "" // no slip, and costly to compare
	}
	best, bestDistance := "", max(2, len(name)/3)+1
	for _, candidate := range candidates {
		if strings.HasSuffix(candidate, "."+name) {
			return candidate
		}
		if d := distance(name, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance is the number of bytes to insert, remove or replace to turn a into b
// (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, diagonal+1, row[j]+1)
		}
	}
	return row[len(b)]
}
