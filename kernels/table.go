package kernels

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/klauspost/cpuid/v2"
)

// Table is one full set of kernels, written for one ISA. It may be shared by any number of goroutines. Use [Default] or
// one of [Tables]; the zero Table is portable Go.
type Table struct {
	ISA ISA // a name for people: nothing is computed by it

	level *level // nil on Generic
	err   error  // what every kernel returns
}

var generic = Table{ISA: Generic}

var defaultTable, errISA = choose(os.Getenv("ESPALIER_ISA"), Tables())

// Default returns the best of [Tables], with tiles of the others where they are
// faster on this processor, see [Table.Describe]; or exactly the one that the
// environment variable ESPALIER_ISA names. The choice is made once, when the
// program starts, and changes no bit of a result.
func Default() *Table { return defaultTable }

// Err is not nil if ESPALIER_ISA names no table of this machine and build. It
// lists the valid values, and every kernel of [Default] returns it.
func Err() error { return errISA }

// Tables returns every table that both this build has and this machine runs, from
// Generic up to the best.
func Tables() []*Table {
	tables := []*Table{&generic}
	for _, t := range archTables() {
		if t.ISA.supported(cpuid.CPU.Has) {
			tables = append(tables, t)
		}
	}
	return tables
}

// choose returns the table that forced names, or the last one if it is empty.
func choose(forced string, tables []*Table) (*Table, error) {
	if forced == "" {
		return tuned(tables[len(tables)-1], cpuid.CPU.VendorID, cpuid.CPU.Family), nil
	}
	names := make([]string, len(tables))
	for i, t := range tables {
		if names[i] = t.ISA.String(); names[i] == forced {
			return t, nil
		}
	}
	err := fmt.Errorf("kernels: ESPALIER_ISA=%q is not valid here: use %s", forced, strings.Join(names, " or "))
	return &Table{err: err}, err
}

// Scratch holds the buffers that one goroutine's kernels work in. Its zero value
// is ready; it grows to the largest call and never shrinks, so that repeated
// calls allocate nothing. Two calls must not use it at the same time.
type Scratch struct {
	// Pool, if it is not nil, shares large products among several cores.
	Pool *Pool

	a, b   []float32 // copies of operands in the order that a product reads them
	c      []float32 // a result that is computed on its side
	shared *shared
}

// grow returns a slice of n elements with unspecified values, made of buf if it
// is large enough.
func grow(buf []float32, n int) []float32 {
	if cap(buf) < n {
		return make([]float32, n)
	}
	return buf[:n]
}

// Describe says which tiles compute the products, and why.
func (t *Table) Describe() string {
	if t.err != nil {
		return t.err.Error()
	}
	if t.level == nil {
		return t.ISA.String() + ": loops of Go"
	}
	var b strings.Builder
	tiles := func(from ISA, byRows []gemmTile) {
		fmt.Fprintf(&b, "tiles of %s with up to %d rows", from, len(byRows))
	}
	fmt.Fprintf(&b, "%s: ", t.ISA)
	tiles(t.ISA, t.level.byRows)
	for _, n := range slices.Backward(t.level.narrow) {
		fmt.Fprintf(&b, "; for up to %d columns ", n.columns)
		if n.depth > 0 {
			fmt.Fprintf(&b, "and from a depth of %d on ", n.depth)
		}
		tiles(n.from, n.byRows)
		fmt.Fprintf(&b, " (%s)", n.why)
	}
	return b.String()
}
