package xmatrix

import "strings"

// Is reports whether an Authorization header is of the scheme.
func Is(header string) bool {
	name, _, _ := strings.Cut(header, " ")
	return strings.EqualFold(name, scheme)
}

// Parse reads the parameters of an Authorization header of the scheme, with their
// names in lower case. It takes what the specification asks a recipient to take:
// space around commas, values with and without quotes, and colons in the latter. A
// parameter that is there twice makes the header unreadable.
func Parse(header string) (params map[string]string, ok bool) {
	if !Is(header) {
		return nil, false
	}
	_, rest, _ := strings.Cut(header, " ")
	params = map[string]string{}
	for rest = strings.Trim(rest, " \t"); rest != ""; {
		name, after, found := strings.Cut(rest, "=")
		name = strings.ToLower(strings.Trim(name, " \t"))
		if !found || name == "" || strings.ContainsAny(name, `",`) {
			return nil, false
		}
		if _, twice := params[name]; twice {
			return nil, false
		}
		if params[name], rest, ok = value(after); !ok {
			return nil, false
		}
	}
	return params, len(params) > 0
}

// value takes a value from the beginning of the text, and the comma after it.
func value(text string) (value, rest string, ok bool) {
	if quoted, has := strings.CutPrefix(text, `"`); has {
		if value, rest, ok = unquote(quoted); !ok {
			return "", "", false
		}
	} else {
		end := strings.IndexByte(text, ',')
		if end < 0 {
			end = len(text)
		}
		value, rest = strings.Trim(text[:end], " \t"), text[end:]
		if value == "" || strings.ContainsAny(value, "\" \t") {
			return "", "", false
		}
	}
	rest = strings.Trim(rest, " \t")
	if rest == "" {
		return value, "", true
	}
	rest, comma := strings.CutPrefix(rest, ",")
	return value, strings.Trim(rest, " \t"), comma
}

// unquote reads up to the closing quote.
func unquote(text string) (value, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], true
		case c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}
