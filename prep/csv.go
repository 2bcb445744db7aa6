package prep

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"

	"github.com/espalier-ml/espalier/internal/brief"
)

// A CSVOption configures [CSV] and [ReadCSV].
type CSVOption func(*csvConfig)

type csvConfig struct {
	comma  rune
	gaps   []string
	header []string
}

// Comma is the character between fields, such as ';' or '\t'; the default is ','.
func Comma(c rune) CSVOption { return func(o *csvConfig) { o.comma = c } }

// Gaps are texts that stand for a missing value, such as "NA"; an empty field always does.
func Gaps(texts ...string) CSVOption { return func(o *csvConfig) { o.gaps = texts } }

// Header names the columns of a file that has no line of names.
func Header(names ...string) CSVOption { return func(o *csvConfig) { o.header = names } }

// CSV returns the rows of a file of comma-separated values (RFC 4180) with a line of names. A byte order mark is skipped. Columns
// have no types: what a step of the pipeline reads decides whether a field is a number, a text or a time. Errors name the line.
func CSV(path string, opts ...CSVOption) Rows {
	return ReadCSV(func() (io.ReadCloser, error) { return os.Open(path) }, opts...)
}

// CSVFS is CSV from a file system, such as an embed.FS.
func CSVFS(fsys fs.FS, name string, opts ...CSVOption) Rows {
	return ReadCSV(func() (io.ReadCloser, error) { return fsys.Open(name) }, opts...)
}

// ReadCSV is CSV from what open returns, which is called once for each pass.
func ReadCSV(open func() (io.ReadCloser, error), opts ...CSVOption) Rows {
	config := csvConfig{comma: ','}
	for i, o := range opts {
		if o == nil {
			open = func() (io.ReadCloser, error) { return nil, fmt.Errorf("option %d is nil", i) }
			continue
		}
		o(&config)
	}
	return reading(open, config.read)
}

// reading returns the rows that read finds in what open opens. It closes that, and adds its name to errors.
func reading(open func() (io.ReadCloser, error), read func(r io.Reader, yield func(Table) bool) error) Rows {
	return func() iter.Seq2[Table, error] {
		return func(yield func(Table, error) bool) {
			f, err := open()
			if err != nil {
				yield(Table{}, err)
				return
			}
			defer f.Close()
			stopped := false
			err = read(f, func(t Table) bool {
				stopped = !yield(t, nil)
				return !stopped
			})
			if err != nil && !stopped {
				if named, ok := f.(interface{ Name() string }); ok {
					err = fmt.Errorf("%s: %w", named.Name(), err)
				}
				yield(Table{}, err)
			}
		}
	}
}

var byteOrderMark = []byte{0xEF, 0xBB, 0xBF}

func (config *csvConfig) read(file io.Reader, yield func(Table) bool) error {
	buffered := bufio.NewReaderSize(file, 1<<16)
	switch start, _ := buffered.Peek(3); {
	case bytes.Equal(start, byteOrderMark):
		buffered.Discard(len(start))
	case bytes.HasPrefix(start, []byte{0xFF, 0xFE}), bytes.HasPrefix(start, []byte{0xFE, 0xFF}):
		return errors.New("is UTF-16, must be UTF-8")
	}
	r := csv.NewReader(buffered)
	r.Comma, r.ReuseRecord = config.comma, true
	names := slices.Clone(config.header)
	if len(names) == 0 {
		record, err := r.Read()
		if err == io.EOF {
			return errors.New("has no line of names")
		}
		if err != nil {
			return err
		}
		names = slices.Clone(record)
	}
	r.FieldsPerRecord = len(names)
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return fmt.Errorf("has two columns %s", brief.Quote(name))
		}
	}
	columns := make([][]Value, len(names))
	var lines []int
	table := func() Table {
		t := Table{Columns: make(Columns, len(names)), Numbers: lines, Word: "line"}
		for i, name := range names {
			t.Columns[name] = columns[i]
		}
		return t
	}
	for {
		record, err := r.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			if errors.Is(err, csv.ErrFieldCount) {
				line, _ := r.FieldPos(0)
				return fmt.Errorf("line %d has %d fields, there are %d columns", line, len(record), len(names))
			}
			return err
		}
		line, _ := r.FieldPos(0)
		lines = append(lines, line)
		for i, field := range record {
			v := TextOf(field)
			if field == "" || slices.Contains(config.gaps, field) {
				v = Value{}
			}
			columns[i] = append(columns[i], v)
		}
		if len(lines) == tableRows {
			if !yield(table()) {
				return nil
			}
			lines = lines[:0]
			for i := range columns {
				columns[i] = columns[i][:0]
			}
		}
	}
	if len(lines) > 0 {
		yield(table())
	}
	return nil
}
