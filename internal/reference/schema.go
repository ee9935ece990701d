package reference

import (
	"fmt"
	"io"
	"strings"

	"github.com/narthex-matrix/narthex/internal/db"
)

const schemaHead = `-- The schema, as the steps that make it: generated from internal/db/migrations.
-- A line that ends in "-- only: sqlite" or "-- only: postgres" is for that engine alone.
-- A table is named in the SQL of its owner and of no other package.
`

// WriteSchema writes docs/reference/schema.sql.
func WriteSchema(w io.Writer) error {
	steps, err := db.Migrations()
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(schemaHead)
	for _, m := range steps {
		fmt.Fprintf(&b, "\n-- Step %d: %s\n%s", m.Number, m.Name, m.Text())
	}
	_, err = io.WriteString(w, b.String())
	return err
}
