package layer

import (
	"fmt"

	"github.com/espalier-ml/espalier/bench/infer"
)

// Row is one line of the comparison; its Model is the name of a layer.
type Row infer.Row

// String returns the name of the row, by which flags and bars select it.
func (r Row) String() string {
	return fmt.Sprintf("op=layer/model=%s/threads=%d/batch=%d", r.Model, r.Threads, r.Batch)
}

// Rows returns the rows for a number of threads: all for one.
func Rows(threads int) []Row {
	var rows []Row
	if threads > 1 {
		return nil
	}
	for _, l := range Layers {
		for _, batch := range []int{1, 32} {
			rows = append(rows, Row{l.Name, threads, batch})
		}
	}
	return rows
}
