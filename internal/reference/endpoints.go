package reference

import (
	_ "embed" // the list of operations
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

//go:embed operations.txt
var operationsText string

// Operation is one operation of the client-server API.
type Operation struct {
	File   string // the specification's file, without its ending
	ID     string // the operationId
	Method string
	Path   string
}

// Operations lists those of the specification, by file.
func Operations() []Operation {
	var out []Operation
	for line := range strings.Lines(operationsText) {
		if f := strings.Fields(line); len(f) == 4 {
			out = append(out, Operation{f[0], f[1], f[2], f[3]})
		}
	}
	return out
}

// alike are operations that share a path with another and are told apart by
// their body or query.
var alike = map[string]string{"inviteBy3PID": "inviteUser", "peekEvents": "getEvents"}

// find gives the route that serves an operation, or nil.
func (o Operation) find(routes []httpapi.Route) *httpapi.Route {
	for i, r := range routes {
		if r.Op == o.ID || r.Op == alike[o.ID] || (r.Method == o.Method && slices.Contains(r.Paths(), o.Path)) {
			return &routes[i]
		}
	}
	return nil
}

const endpointsHead = `# Endpoints

<!-- Generated from the route tables; change them there. -->

What the server answers, held against the operations of the client-server API, v1.18. ` + "`narthex routes`" + ` lists the same in a
terminal, and [openapi.json](openapi.json) has the shapes of requests and answers. Each path under ` + "`/_matrix/client/v3/`" + ` is
served under ` + "`/_matrix/client/r0/`" + ` too. The errors named are those beyond what follows from the kind of caller, the rate
limit and the parameters; [errors.md](errors.md) explains them.

`

// WriteEndpoints writes docs/reference/endpoints.md.
func WriteEndpoints(w io.Writer, routes []httpapi.Route) error {
	var b strings.Builder
	b.WriteString(endpointsHead)
	operations := Operations()
	served := map[string]bool{}
	count := 0
	for _, o := range operations {
		if r := o.find(routes); r != nil {
			served[r.Op] = true
			count++
		}
	}
	fmt.Fprintf(&b, "**%d of %d operations are served.**\n", count, len(operations))
	file := ""
	for _, o := range operations {
		if o.File != file {
			file = o.File
			fmt.Fprintf(&b, "\n## %s\n\n| Operation | Endpoint | Caller | Limit | Errors |\n|---|---|---|---|---|\n", file)
		}
		b.WriteString(row(o, o.find(routes)))
	}
	b.WriteString("\n## Beyond the specification\n\n| Operation | Endpoint | Caller | Limit | Errors |\n|---|---|---|---|---|\n")
	for i, r := range routes {
		if !served[r.Op] {
			b.WriteString(row(Operation{ID: r.Op, Method: r.Method, Path: r.Path}, &routes[i]))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func row(o Operation, r *httpapi.Route) string {
	if r == nil {
		return fmt.Sprintf("| %s | `%s %s` | *not served* | | |\n", o.ID, o.Method, o.Path)
	}
	caller := string(r.Auth)
	if r.Auth == httpapi.User && r.ForGuests {
		caller += ", guest"
	}
	return fmt.Sprintf("| %s | `%s %s` | %s | %s | %s |\n", o.ID, o.Method, o.Path, caller, r.Class, keys(r.Codes))
}

// keys links rows of the catalogue.
func keys(codes []*errcode.Code) string {
	var out []string
	for _, c := range codes {
		name := "[" + c.Key + "](errors.md#" + strings.ToLower(c.Key) + ")"
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return strings.Join(out, ", ")
}
