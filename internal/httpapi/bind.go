package httpapi

import (
	"encoding"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// plan is how a request type is filled: worked out once for each route.
type plan struct {
	fields   []param
	hasForm  bool // some field comes from a form
	hasBody  bool // some field comes from a JSON body
	whole    int  // the index of the body:"*" field, or -1
	checks   bool // some member of the body checks itself
	required []param
}

type param struct {
	name     string
	in       string // "path", "query" or "form"
	index    int
	required bool
	text     bool // has UnmarshalText
	several  bool // is a list
}

var textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()

func planFor(t reflect.Type, method string) *plan {
	p := &plan{whole: -1}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		where := ""
		for _, in := range []string{"path", "query", "form"} {
			if tag, ok := f.Tag.Lookup(in); ok {
				name, options, _ := strings.Cut(tag, ",")
				p.fields = append(p.fields, param{name: name, in: in, index: i, required: options == "required",
					text: reflect.PointerTo(f.Type).Implements(textUnmarshaler), several: f.Type.Kind() == reflect.Slice})
				where = in
				p.hasForm = p.hasForm || in == "form"
			}
		}
		switch tag := f.Tag.Get("json"); {
		case f.Tag.Get("body") == "*":
			p.whole, p.hasBody, where = i, true, "body"
		case where == "" && tag != "" && tag != "-":
			name, _, _ := strings.Cut(tag, ",")
			if f.Tag.Get("required") == "true" {
				p.required = append(p.required, param{name: name, index: i})
			}
			p.checks = p.checks || checksItself(f.Type)
			p.hasBody, where = true, "body"
		}
		if where == "" {
			panic("httpapi: " + t.String() + "." + f.Name + " has no path, query, form, json or body tag") // an init-time table
		}
	}
	if method == http.MethodGet {
		p.hasBody = false
	}
	return p
}

// checksItself reports whether a member of the type, or of a list of it, has
// UnmarshalText.
func checksItself(t reflect.Type) bool {
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Pointer {
		return checksItself(t.Elem())
	}
	return reflect.PointerTo(t).Implements(textUnmarshaler)
}

// codes gives what binding can answer.
func (p *plan) codes() []*errcode.Code {
	var out []*errcode.Code
	if len(p.fields) > 0 {
		out = append(out, errcode.InvalidParam)
	}
	required := len(p.required) > 0
	for _, f := range p.fields {
		required = required || f.required
	}
	if p.hasForm {
		out = append(out, errcode.TooLarge)
	}
	if p.hasBody {
		out = append(out, errcode.NotJSON, errcode.BadJSON, errcode.TooLarge)
		if p.checks && len(p.fields) == 0 {
			out = append(out, errcode.InvalidParam)
		}
	}
	if required {
		out = append(out, errcode.MissingParam)
	}
	return out
}

// bind fills a request. The body comes first and the path and query after it, so
// that no member of a body can stand in for a parameter of the path.
func (p *plan) bind(r *http.Request, limit int64, v reflect.Value) error {
	if p.hasBody {
		if err := p.bindBody(r, limit, v); err != nil {
			return err
		}
	}
	if err := p.bindFields(r, limit, v); err != nil {
		return err
	}
	for _, f := range p.required {
		if v.Field(f.index).IsZero() {
			return errcode.MissingParam.New("%q is missing.", f.name).With("param", f.name)
		}
	}
	return nil
}

func (p *plan) bindFields(r *http.Request, limit int64, v reflect.Value) (err error) {
	var query, form url.Values
	if p.hasForm {
		if form, err = parseForm(r, limit, p.takesSeveral); err != nil {
			return err
		}
	}
	for _, f := range p.fields {
		field := v.Field(f.index)
		field.SetZero()
		var values []string
		switch f.in {
		case "path":
			values = []string{r.PathValue(f.name)}
		case "form":
			values = form[f.name]
		default:
			if query == nil {
				if query, err = parseQuery(r.URL.RawQuery); err != nil {
					return err
				}
			}
			values = query[f.name]
		}
		if len(values) == 0 {
			if f.required {
				return errcode.MissingParam.New("The %s parameter %q is missing.", f.in, f.name).With("param", f.name)
			}
			continue
		}
		if err := setField(f, field, values); err != nil {
			return err
		}
	}
	return nil
}

// takesSeveral reports whether a parameter of a form is a list.
func (p *plan) takesSeveral(name string) bool {
	return slices.ContainsFunc(p.fields, func(f param) bool { return f.in == "form" && f.name == name && f.several })
}

// parseForm reads a form. No parameter that is not a list may be there twice: of two
// readers, each could take another one (RFC 6749 section 3.2).
func parseForm(r *http.Request, limit int64, takesSeveral func(string) bool) (url.Values, error) {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/x-www-form-urlencoded" || len(r.Header.Values("Content-Type")) > 1 {
		return nil, errcode.InvalidParam.New("The Content-Type must be application/x-www-form-urlencoded.").With("param", "Content-Type")
	}
	body, err := readBody(r, limit)
	if err != nil {
		return nil, err
	}
	if strings.Count(string(body), "&") >= maxQueryParams {
		return nil, errcode.InvalidParam.New("The form has more than %d parameters.", maxQueryParams)
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, errcode.InvalidParam.Wrap(err, "The form is malformed.")
	}
	for name, all := range values {
		if len(all) > 1 && !takesSeveral(name) {
			return nil, invalid(name, "it may be given only once")
		}
	}
	return values, nil
}

const maxQueryParams = 1000

func parseQuery(raw string) (url.Values, error) {
	if raw == "" {
		return url.Values{}, nil
	}
	if strings.Count(raw, "&") >= maxQueryParams {
		return nil, errcode.InvalidParam.New("The query has more than %d parameters.", maxQueryParams)
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, errcode.InvalidParam.Wrap(err, "The query string is malformed.")
	}
	return values, nil
}

func setField(f param, field reflect.Value, values []string) error {
	for _, s := range values {
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			return invalid(f.name, "it must be UTF-8 without NUL characters")
		}
	}
	if field.Kind() == reflect.Slice && !f.text {
		field.Set(reflect.ValueOf(values).Convert(field.Type()))
		return nil
	}
	s := values[0]
	if len(values) > 1 {
		return invalid(f.name, "it may be given only once")
	}
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	if f.text || field.Addr().Type().Implements(textUnmarshaler) {
		if err := field.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
			return invalid(f.name, err.Error())
		}
		return nil
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(s)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return invalid(f.name, "it must be a whole number")
		}
		field.SetInt(n)
	case reflect.Bool:
		if s != "true" && s != "false" {
			return invalid(f.name, `it must be "true" or "false"`)
		}
		field.SetBool(s == "true")
	default:
		panic("httpapi: parameter " + f.name + " has a type that cannot be set") // an init-time table
	}
	return nil
}

func invalid(name, reason string) error {
	return errcode.InvalidParam.New("The parameter %q is not valid: %s.", name, strings.TrimSuffix(reason, ".")).With("param", name)
}

func (p *plan) bindBody(r *http.Request, limit int64, v reflect.Value) error {
	body, err := readBody(r, limit)
	if err != nil {
		return err
	}
	if len(body) == 0 {
		// Many clients send nothing where every member is optional.
		body = []byte("{}")
	}
	if err := canonicaljson.Strict(body, canonicaljson.Limits{}); err != nil {
		var shape *canonicaljson.ShapeError
		if errors.As(err, &shape) {
			return errcode.BadJSON.New("%s", shape.Error())
		}
		return errcode.NotJSON.New("%s", err.Error())
	}
	if first := firstByte(body); first != '{' {
		return errcode.BadJSON.New("The body must be a JSON object.")
	}
	if p.whole >= 0 {
		v.Field(p.whole).SetBytes(body)
		return nil
	}
	err = json.Unmarshal(body, v.Addr().Interface(), jsontext.AllowDuplicateNames(true))
	return bodyError(err)
}

// bodyError names the member that could not be read, in words without Go types.
func bodyError(err error) error {
	if err == nil {
		return nil
	}
	var fault *json.SemanticError
	if !errors.As(err, &fault) {
		return errcode.NotJSON.Wrap(err, "The body is not valid JSON.")
	}
	name := strings.ReplaceAll(strings.TrimPrefix(string(fault.JSONPointer), "/"), "/", ".")
	var own *id.Error
	if errors.As(err, &own) {
		return invalid(name, own.Error())
	}
	want := "of another type"
	if t := fault.GoType; t != nil {
		want = inWords(t)
	}
	return errcode.BadJSON.New("%q must be %s.", name, want).With("param", name)
}

func inWords(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64, reflect.Uint64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.Slice, reflect.Array:
		return "an array"
	case reflect.Map, reflect.Struct:
		return "an object"
	case reflect.Pointer:
		return inWords(t.Elem())
	}
	return "of another type"
}

func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, limit))
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		return nil, tooLarge(limit)
	}
	if err != nil {
		return nil, errcode.NotJSON.Wrap(err, "The body ended before it was complete.")
	}
	return body, nil
}

func tooLarge(limit int64) error {
	return errcode.TooLarge.New("The body is larger than the %d bytes allowed here.", limit)
}

func firstByte(b []byte) byte {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
	}
	return 0
}
