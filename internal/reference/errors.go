package reference

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Form is an error as it goes on the wire in one mode of its proposal.
type Form struct {
	Mode string `json:"mode"` // "always" for an error of the specification itself
	Body string `json:"body"` // JSON, with "…" where a text or value is the server's
}

// Forms gives the wire forms of a row.
func Forms(code *errcode.Code) []Form {
	wires := errcode.WireForms(code)
	var out []Form
	for _, w := range wires {
		mode := string(w.Mode)
		if len(wires) == 1 {
			mode = "always"
		}
		out = append(out, Form{Mode: mode, Body: body(code, errcode.Forms{MSC3848: w.Mode, Approval: w.Mode})})
	}
	return out
}

// body writes an example of the body: "…" stands for what depends on the case.
func body(code *errcode.Code, forms errcode.Forms) string {
	example := code.New("…")
	for _, name := range code.Members {
		if name != "errcode" && name != "error" {
			example = example.With(name, sample(name, code))
		}
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, m := range forms.Members(example) {
		if i > 0 {
			b.WriteString(", ")
		}
		value, err := json.Marshal(m.Value)
		if err != nil {
			value = jsontext.Value(`"…"`) // no member has such a value
		}
		fmt.Fprintf(&b, "%q: %s", m.Name, value)
	}
	return b.String() + "}"
}

// sample is a value that a member may have.
func sample(name string, code *errcode.Code) any {
	switch name {
	case "soft_logout":
		return code != errcode.UnknownToken
	case "retry_after_ms":
		return 2000
	case "approval_notice_medium":
		return errcode.NoNotice
	case "flows", "completed":
		return jsontext.Value(`[]`)
	case "params":
		return struct{}{}
	}
	return "…"
}

// Endpoints names the routes that can answer a code.
func Endpoints(routes []httpapi.Route, code *errcode.Code) []string {
	out := []string{}
	for _, r := range routes {
		if slices.Contains(Codes(r), code) {
			out = append(out, r.Method+" "+r.Path)
		}
	}
	return out
}

const errorsHead = `# Errors

<!-- Generated from internal/errcode and the route tables; change them there. -->

Every failure that a client can see is one of these. The text in ` + "`error`" + ` is a sentence for the person who uses the client;
programs go by the status, ` + "`errcode`" + ` and the members listed here. ` + "`narthex errors NAME`" + ` shows the same in a terminal,
with the endpoints.

Codes of proposals that are not part of the specification yet have several forms. Which one is sent says
` + "[`proposals`](config.md), `msc3848.mode` and `approval.errcode`" + `.

| errcode | Status | When |
|---|---|---|
`

// WriteErrors writes docs/reference/errors.md.
func WriteErrors(w io.Writer, routes []httpapi.Route) error {
	var b strings.Builder
	b.WriteString(errorsHead)
	for _, c := range errcode.Catalogue() {
		fmt.Fprintf(&b, "| [%s](#%s) | %d | %s |\n", title(c), strings.ToLower(c.Key), c.Status, c.Meaning)
	}
	for _, c := range errcode.Catalogue() {
		fmt.Fprintf(&b, "\n<a id=%q></a>\n\n## %s, %d\n\n%s\n\n- **Client:** %s\n", strings.ToLower(c.Key), title(c), c.Status, c.Meaning, c.Client)
		if c.Admin != "" {
			fmt.Fprintf(&b, "- **Administrator:** %s\n", c.Admin)
		}
		fmt.Fprintf(&b, "- **Specified in:** %s\n- **Row:** `errcode.%s`\n\n```json\n", c.Source, c.Key)
		for _, f := range Forms(c) {
			if f.Mode != "always" {
				fmt.Fprintf(&b, "// %s\n", f.Mode)
			}
			b.WriteString(f.Body + "\n")
		}
		b.WriteString("```\n\n" + where(routes, c) + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func title(c *errcode.Code) string {
	if c.Spelling() == c.Key {
		return c.Key
	}
	return "`" + c.Spelling() + "`"
}

// where says which operations answer the code, and spares the reader the list
// where it is nearly all of them.
func where(routes []httpapi.Route, code *errcode.Code) string {
	var ops []string
	for _, r := range routes {
		if slices.Contains(Codes(r), code) {
			ops = append(ops, "`"+r.Op+"`")
		}
	}
	switch {
	case len(ops) == 0:
		return "No endpoint declares it."
	case len(ops) > 20 && code != errcode.Forbidden && !slices.ContainsFunc(routes, func(r httpapi.Route) bool { return slices.Contains(r.Codes, code) }):
		return fmt.Sprintf("It follows from the kind of caller, the rate limit or the parameters of %d endpoints.", len(ops))
	}
	return "Endpoints: " + strings.Join(ops, ", ") + "."
}
