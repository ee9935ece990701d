package reference

import (
	"encoding"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// object is a JSON object under construction; its members are written in
// alphabetical order.
type object map[string]any

// WriteOpenAPI writes an OpenAPI 3.1 document of the routes. The shapes are those
// of the Go types that requests are bound to and answers are written from.
func WriteOpenAPI(w io.Writer, routes []httpapi.Route) error {
	paths := object{}
	for _, r := range routes {
		path := strings.ReplaceAll(r.Path, "{$}", "")
		item, ok := paths[path].(object)
		if !ok {
			item = object{}
			paths[path] = item
		}
		item[strings.ToLower(r.Method)] = operation(r)
	}
	document := object{
		"openapi": "3.1.0",
		"info":    object{"title": "Narthex", "version": "v1.18 of the client-server API"},
		"paths":   paths,
		"components": object{"securitySchemes": object{
			"accessToken":   object{"type": "http", "scheme": "bearer"},
			"identityToken": object{"type": "http", "scheme": "bearer"},
		}},
	}
	return json.MarshalWrite(w, document, json.Deterministic(true), jsontext.WithIndent("  "))
}

func operation(r httpapi.Route) object {
	parameters, body := request(r)
	op := object{"operationId": r.Op, "responses": responses(r), "x-rate-limit": string(r.Class)}
	switch r.Auth {
	case httpapi.Anyone:
	case httpapi.IdentityUser:
		op["security"] = []object{{"identityToken": []string{}}}
	default:
		op["security"] = []object{{"accessToken": []string{}}}
	}
	if len(parameters) > 0 {
		op["parameters"] = parameters
	}
	if body != nil && r.Method != "GET" {
		media := "application/json"
		if r.Errors == httpapi.OAuthErrors && r.TakesForm() {
			media = "application/x-www-form-urlencoded"
		}
		op["requestBody"] = object{"content": object{media: object{"schema": body}}}
	}
	return op
}

// request splits the request type into parameters and body.
func request(r httpapi.Route) (parameters []object, body object) {
	if r.Request == nil { // the handler reads it
		return places(r.Path), nil
	}
	properties, required := object{}, []string{}
	for i := range r.Request.NumField() {
		f := r.Request.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Tag.Get("path") != "":
			parameters = append(parameters, object{"name": f.Tag.Get("path"), "in": "path", "required": true, "schema": schema(f.Type, nil)})
		case f.Tag.Get("query") != "":
			query, option, _ := strings.Cut(f.Tag.Get("query"), ",")
			parameters = append(parameters, object{"name": query, "in": "query", "required": option == "required", "schema": schema(f.Type, nil)})
		case f.Tag.Get("form") != "":
			field, option, _ := strings.Cut(f.Tag.Get("form"), ",")
			properties[field] = schema(f.Type, nil)
			if option == "required" {
				required = append(required, field)
			}
		case f.Tag.Get("body") == "*":
			body = object{"type": "object"}
		case name != "" && name != "-":
			properties[name] = schema(f.Type, nil)
			if f.Tag.Get("required") == "true" {
				required = append(required, name)
			}
		}
	}
	if len(properties) > 0 {
		body = object{"type": "object", "properties": properties}
		if len(required) > 0 {
			body["required"] = required
		}
	}
	return parameters, body
}

// places gives the parameters in a path.
func places(path string) (parameters []object) {
	for segment := range strings.SplitSeq(path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			name = strings.TrimSuffix(name, "}")
			parameters = append(parameters, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	return parameters
}

// responses gives the answer of success, and the errcodes by status.
func responses(r httpapi.Route) object {
	success := object{"description": "Success."}
	if r.Response != nil {
		success["content"] = object{"application/json": object{"schema": schema(r.Response, nil)}}
	}
	out := object{"200": success}
	member := "errcode"
	if r.Errors == httpapi.OAuthErrors {
		member = "error"
	}
	byStatus := map[int][]string{}
	for _, c := range Codes(r) {
		for _, name := range names(r, c) {
			if !slices.Contains(byStatus[c.Status], name) {
				byStatus[c.Status] = append(byStatus[c.Status], name)
			}
		}
	}
	for status, names := range byStatus {
		slices.Sort(names)
		out[strconv.Itoa(status)] = object{"description": "Failure.", "content": object{"application/json": object{"schema": object{
			"type": "object", "properties": object{member: object{"enum": names}},
		}}}}
	}
	return out
}

// names are the spellings of a code in the answers of a route.
func names(r httpapi.Route, c *errcode.Code) (names []string) {
	if r.Errors == httpapi.OAuthErrors {
		return []string{r.OAuthName(c)}
	}
	for _, form := range Forms(c) {
		if name := errcodeOf(form.Body); name != "" {
			names = append(names, name)
		}
	}
	return names
}

func errcodeOf(body string) string {
	var e struct {
		Errcode string `json:"errcode"`
	}
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		return "" // Forms writes JSON
	}
	return e.Errcode
}

var (
	textMarshaler   = reflect.TypeFor[encoding.TextMarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	rawJSON         = reflect.TypeFor[jsontext.Value]()
)

// schema describes a Go type. Seen are the structs around it: a type inside
// itself is described as an object.
func schema(t reflect.Type, seen []reflect.Type) object {
	switch {
	case t == rawJSON || t.Kind() == reflect.Interface:
		return object{}
	case t.Implements(textMarshaler) || reflect.PointerTo(t).Implements(textUnmarshaler):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return schema(t.Elem(), seen)
	case reflect.String:
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string"}
		}
		return object{"type": "array", "items": schema(t.Elem(), seen)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schema(t.Elem(), seen)}
	case reflect.Struct:
		return structSchema(t, seen)
	}
	return object{"type": "integer"}
}

func structSchema(t reflect.Type, seen []reflect.Type) object {
	if slices.Contains(seen, t) {
		return object{"type": "object"}
	}
	seen = append(slices.Clone(seen), t)
	properties := object{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() && !f.Anonymous, name == "-":
		case name == "" && (f.Anonymous || strings.Contains(options, "inline")) && f.Type.Kind() == reflect.Struct:
			inner, _ := structSchema(f.Type, seen)["properties"].(object)
			for k, v := range inner {
				properties[k] = v
			}
		case name != "":
			properties[name] = schema(f.Type, seen)
		}
	}
	if len(properties) == 0 {
		return object{"type": "object"}
	}
	return object{"type": "object", "properties": properties}
}
