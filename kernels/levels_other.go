//go:build (!amd64 && !arm64) || purego

package kernels

import "github.com/klauspost/cpuid/v2"

// archTables returns the tables of this architecture in ascending order: none.
func archTables() []*Table { return nil }

func tuned(t *Table, _ cpuid.Vendor, _ int) *Table { return t }
