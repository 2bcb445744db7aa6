//go:build (!amd64 && !arm64) || purego

package kernels

// archTables returns the tables of this architecture in ascending order: none.
func archTables() []*Table { return nil }
