package prep

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/espalier-ml/espalier/internal/brief"
)

// Columns are rows by column: slices of one length, by the name of the column: []float64, []float32, []int, []int64, []int32, []string,
// []bool, []time.Time, []Value, []any, and for columns of lists [][]string, [][]int, [][]float32 and [][]float64.
type Columns map[string]any

// A Table is some rows of a source.
type Table struct {
	Columns Columns
	First   int    // the number of the first row in the source, for errors
	Numbers []int  // of all rows, if they do not count on from First
	Word    string // what is numbered, such as "line"; "" is "row"
}

// Rows are a source of rows, such as a file, in tables of any size. It is called once for each pass. A table may be overwritten
// once the next one is asked for. A yielded error ends the pass.
type Rows func() iter.Seq2[Table, error]

const tableRows = 2048 // of the sources here

// Rows returns the columns as a source.
func (c Columns) Rows() Rows {
	return func() iter.Seq2[Table, error] {
		return func(yield func(Table, error) bool) {
			n, err := c.rows()
			if err != nil {
				yield(Table{}, err)
				return
			}
			for from := 0; from < n; from += tableRows {
				part := make(Columns, len(c))
				for name, column := range c {
					part[name] = reflect.ValueOf(column).Slice(from, min(from+tableRows, n)).Interface()
				}
				if !yield(Table{Columns: part, First: from}, nil) {
					return
				}
			}
		}
	}
}

// rows returns how many rows there are.
func (c Columns) rows() (int, error) {
	n, first := -1, ""
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range c {
			if !yield(name) {
				return
			}
		}
	}) {
		have := -1
		switch column := c[name].(type) {
		case []float64:
			have = len(column)
		case []Value:
			have = len(column)
		default:
			if v := reflect.ValueOf(column); v.Kind() == reflect.Slice {
				have = v.Len()
			}
		}
		switch {
		case have < 0:
			return 0, fmt.Errorf("column %s is %T, must be a slice", brief.Quote(name), c[name])
		case n < 0:
			n, first = have, name
		case n != have:
			return 0, fmt.Errorf("column %s has %d rows, column %s has %d", brief.Quote(name), have, brief.Quote(first), n)
		}
	}
	return max(n, 0), nil
}

// appendRow appends the values of row i of a column.
func appendRow(values []Value, column any, i int) ([]Value, error) {
	switch column := column.(type) {
	case []Value:
		return append(values, column[i]), nil
	case []float64:
		return append(values, NumberOf(column[i])), nil
	case []string:
		return append(values, TextOf(column[i])), nil
	case []int:
		return append(values, IntegerOf(int64(column[i]))), nil
	case []int64:
		return append(values, IntegerOf(column[i])), nil
	case []int32:
		return append(values, IntegerOf(int64(column[i]))), nil
	case []float32:
		return append(values, NumberOf(float64(column[i]))), nil
	case []bool:
		return append(values, boolean(column[i])), nil
	case []time.Time:
		return append(values, TimeOf(column[i])), nil
	case []any:
		return appendValues(values, column[i])
	case [][]Value:
		return append(values, column[i]...), nil
	case [][]string:
		return appendValues(values, column[i])
	case [][]int:
		return appendValues(values, column[i])
	case [][]float32:
		return appendValues(values, column[i])
	case [][]float64:
		return appendValues(values, column[i])
	}
	return values, fmt.Errorf("is %T, valid are the slices that Columns names", column)
}

// where says in an error which row of a table is meant.
func (t *Table) where(i int) string {
	return fmt.Sprintf("%s %d", cmp.Or(t.Word, "row"), t.number(i))
}

func (t *Table) number(i int) int {
	if i < len(t.Numbers) {
		return t.Numbers[i]
	}
	return t.First + i
}

// Records returns maps as a source. What one record lacks and another has is a gap.
func Records(records []map[string]any) Rows {
	return func() iter.Seq2[Table, error] {
		return func(yield func(Table, error) bool) {
			names := map[string]bool{}
			for _, r := range records {
				for name := range r {
					names[name] = true
				}
			}
			for from := 0; from < len(records); from += tableRows {
				if !yield(Table{Columns: columnsOf(records[from:min(from+tableRows, len(records))], names), First: from}, nil) {
					return
				}
			}
		}
	}
}

// columnsOf returns the columns of records, and those of names, to which it adds theirs.
func columnsOf(records []map[string]any, names map[string]bool) Columns {
	for _, r := range records {
		for name := range r {
			names[name] = true
		}
	}
	columns := Columns{}
	for name := range names {
		column := make([]any, len(records))
		for i, r := range records {
			column[i] = r[name]
		}
		columns[name] = column
	}
	return columns
}

// Structs returns structs as a source: an exported field is the column of its name, or of the name in its tag `prep:"name"`;
// `prep:"-"` leaves it out. A nil pointer is a gap.
func Structs[T any](records []T) Rows {
	return func() iter.Seq2[Table, error] {
		return func(yield func(Table, error) bool) {
			fields, err := fieldsOf(reflect.TypeFor[T]())
			if err != nil {
				yield(Table{}, err)
				return
			}
			for from := 0; from < len(records); from += tableRows {
				part := records[from:min(from+tableRows, len(records))]
				columns := Columns{}
				for name, index := range fields {
					column := make([]any, len(part))
					for i := range part {
						v := reflect.ValueOf(&part[i]).Elem()
						if v.Kind() == reflect.Pointer {
							if v.IsNil() {
								yield(Table{}, fmt.Errorf("row %d is nil", from+i))
								return
							}
							v = v.Elem()
						}
						if v = v.Field(index); v.Kind() == reflect.Pointer {
							if v.IsNil() {
								continue
							}
							v = v.Elem()
						}
						column[i] = v.Interface()
					}
					columns[name] = column
				}
				if !yield(Table{Columns: columns, First: from}, nil) {
					return
				}
			}
		}
	}
}

// fieldsOf returns the fields of a struct type, or of what it points to, by column.
func fieldsOf(t reflect.Type) (map[string]int, error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("a record is %v, must be a struct or map[string]any", t)
	}
	fields := map[string]int{}
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("prep"), ",")
		if name == "-" || !field.IsExported() {
			continue
		}
		if name == "" {
			name = field.Name
		}
		if _, again := fields[name]; again {
			return nil, fmt.Errorf("%v has two fields for column %s", t, brief.Quote(name))
		}
		fields[name] = i
	}
	return fields, nil
}

// Shuffle returns the rows in a new order in each pass, drawn from the seed, window by window: that many rows are in memory at
// once, and no row leaves its window. The first pass has the same order each time the program runs.
func (r Rows) Shuffle(window int, seed uint64) Rows {
	pass := uint64(0)
	return func() iter.Seq2[Table, error] {
		random := rand.New(rand.NewPCG(seed, pass))
		pass++
		return func(yield func(Table, error) bool) {
			if window < 1 {
				yield(Table{}, fmt.Errorf("Shuffle: the window is %d rows, must be at least 1", window))
				return
			}
			var rows []shuffled
			flush := func() bool {
				random.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
				for from := 0; from < len(rows); from += tableRows {
					if t := joined(rows[from:min(from+tableRows, len(rows))]); !yield(t, nil) {
						return false
					}
				}
				rows = rows[:0]
				return true
			}
			for t, err := range r.pass() {
				n := 0
				if err == nil {
					n, err = t.Columns.rows()
				}
				if err != nil {
					yield(Table{}, err)
					return
				}
				for i := range n {
					row := shuffled{values: make(map[string][]Value, len(t.Columns)), number: t.number(i), word: t.Word}
					for name, column := range t.Columns {
						values, err := appendRow([]Value{}, column, i)
						if err != nil {
							yield(Table{}, fmt.Errorf("%s, column %s: %w", t.where(i), brief.Quote(name), err))
							return
						}
						row.values[name] = values
					}
					if rows = append(rows, row); len(rows) == window && !flush() {
						return
					}
				}
			}
			flush()
		}
	}
}

// A shuffled is a row that waits for its turn.
type shuffled struct {
	values map[string][]Value
	number int
	word   string
}

func joined(rows []shuffled) Table {
	t := Table{Columns: Columns{}}
	for i, row := range rows {
		for name, values := range row.values {
			column, ok := t.Columns[name].([][]Value)
			if !ok {
				column = make([][]Value, len(rows))
				t.Columns[name] = column
			}
			column[i] = values
		}
		t.Numbers, t.Word = append(t.Numbers, row.number), row.word
	}
	for _, column := range t.Columns {
		for i, values := range column.([][]Value) {
			if values == nil { // tables before this window had no such column
				column.([][]Value)[i] = make([]Value, 1)
			}
		}
	}
	return t
}

// pass starts a pass; a source that has no iterator yields an error.
func (r Rows) pass() iter.Seq2[Table, error] {
	if r != nil {
		if pass := r(); pass != nil {
			return pass
		}
	}
	return func(yield func(Table, error) bool) { yield(Table{}, errors.New("the rows have no iterator")) }
}
