package train

import (
	"fmt"

	"github.com/espalier-ml/espalier/bench/infer"
)

// Row is one line of the comparison.
type Row infer.Row

// String returns the name of the row, by which flags and bars select it.
func (r Row) String() string {
	return fmt.Sprintf("op=train/model=%s/threads=%d/batch=%d", r.Model, r.Threads, r.Batch)
}

// Rows returns the rows for a number of threads. More than one pay only for the large network.
func Rows(threads int) []Row {
	var rows []Row
	for _, n := range infer.Networks {
		for _, batch := range []int{32, 256} {
			if threads == 1 || n.Name == "large" {
				rows = append(rows, Row{n.Name, threads, batch})
			}
		}
	}
	return rows
}
