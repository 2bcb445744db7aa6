package prep

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

const maxLine = 16 << 20 // bytes of a line of JSON

// JSONLines returns the rows of a file that has a JSON object in each line. What one object lacks and an earlier one or one of
// the next 2,047 has is a gap, and so is null. Lines of blanks are skipped. Errors name the line.
func JSONLines(path string) Rows {
	return ReadJSONLines(func() (io.ReadCloser, error) { return os.Open(path) })
}

// JSONLinesFS is JSONLines from a file system, such as an embed.FS.
func JSONLinesFS(fsys fs.FS, name string) Rows {
	return ReadJSONLines(func() (io.ReadCloser, error) { return fsys.Open(name) })
}

// ReadJSONLines is JSONLines from what open returns, which is called once for each pass.
func ReadJSONLines(open func() (io.ReadCloser, error)) Rows { return reading(open, readJSONLines) }

func readJSONLines(file io.Reader, yield func(Table) bool) error {
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, maxLine)
	var records []map[string]any
	names := map[string]bool{}
	var numbers []int
	number := 0
	for lines.Scan() {
		number++
		text := bytes.TrimSpace(lines.Bytes())
		if number == 1 {
			text = bytes.TrimPrefix(text, byteOrderMark)
		}
		if len(text) == 0 {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		var record map[string]any
		err := d.Decode(&record)
		if err == nil && record == nil {
			err = errors.New("is null, must be an object")
		}
		if err == nil {
			if _, more := d.Token(); more != io.EOF {
				err = errors.New("goes on after the object")
			}
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if records, numbers = append(records, record), append(numbers, number); len(records) == tableRows {
			if !yield(Table{Columns: columnsOf(records, names), Numbers: numbers, Word: "line"}) {
				return nil
			}
			records, numbers = nil, nil
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	if len(records) > 0 {
		yield(Table{Columns: columnsOf(records, names), Numbers: numbers, Word: "line"})
	}
	return nil
}
