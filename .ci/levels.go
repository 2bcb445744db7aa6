//go:build ignore

// Prints the instruction-set levels that this machine and build run, one a line, for .ci/run to force in turn.
package main

import (
	"fmt"

	"github.com/espalier-ml/espalier/kernels"
)

func main() {
	for _, t := range kernels.Tables() {
		fmt.Println(t.ISA)
	}
}
