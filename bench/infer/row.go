package infer

import "fmt"

// Row is one line of the comparison.
type Row struct {
	Model   string `json:"model"`
	Threads int    `json:"threads"`
	Batch   int    `json:"batch"`
}

// String returns the name of the row, by which flags and bars select it.
func (r Row) String() string {
	return fmt.Sprintf("op=infer/model=%s/threads=%d/batch=%d", r.Model, r.Threads, r.Batch)
}

// Rows returns the rows for a number of threads. More than one pay only for the large network and batches of some size.
func Rows(threads int) []Row {
	var rows []Row
	add := func(networks []Network, batches ...int) {
		for _, n := range networks {
			for _, batch := range batches {
				if threads == 1 || n.Name == "large" && batch >= 32 {
					rows = append(rows, Row{n.Name, threads, batch})
				}
			}
		}
	}
	add(Networks, 1, 8, 32, 256)
	add(Towers, 1, 16, 128, 2048)
	return rows
}
