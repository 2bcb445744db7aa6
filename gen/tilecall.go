package main

import (
	"fmt"
	"slices"
)

// callFields are the fields of kernels.tileCall, of eight bytes each.
var callFields = []string{"k", "blocks", "n", "a", "aRow", "aCol", "b", "bRow", "bPanel", "c", "cRow", "init", "initRow", "floor"}

// fieldAt returns the address of a field of the call that a register points to.
func fieldAt(name, register string) string {
	return fmt.Sprintf("%d(%s)", 8*slices.Index(callFields, name), register)
}
