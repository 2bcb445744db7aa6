package prep

import (
	"database/sql"
	"fmt"
	"iter"

	"github.com/espalier-ml/espalier/internal/brief"
)

// Query returns the rows of a query to a database, which is sent once for each pass. NULL is a gap.
func Query(query func() (*sql.Rows, error)) Rows {
	return func() iter.Seq2[Table, error] {
		return func(yield func(Table, error) bool) {
			r, err := query()
			if err != nil {
				yield(Table{}, err)
				return
			}
			defer r.Close()
			names, err := r.Columns()
			if err != nil {
				yield(Table{}, err)
				return
			}
			columns := make([][]any, len(names))
			n, first := 0, 0
			flush := func() bool {
				t := Table{Columns: Columns{}, First: first}
				for i, name := range names {
					if _, again := t.Columns[name]; again {
						yield(Table{}, fmt.Errorf("the query has two columns %s", brief.Quote(name)))
						return false
					}
					t.Columns[name], columns[i] = columns[i], nil
				}
				first, n = first+n, 0
				return yield(t, nil)
			}
			for r.Next() {
				row, places := make([]any, len(names)), make([]any, len(names))
				for i := range row {
					places[i] = &row[i]
				}
				if err := r.Scan(places...); err != nil {
					yield(Table{}, fmt.Errorf("row %d: %w", first+n, err))
					return
				}
				for i, v := range row {
					columns[i] = append(columns[i], v)
				}
				if n++; n == tableRows && !flush() {
					return
				}
			}
			if err := r.Err(); err != nil {
				yield(Table{}, fmt.Errorf("row %d: %w", first+n, err))
			} else if n > 0 {
				flush()
			}
		}
	}
}
