// Package bench measures Espalier beside its peers, on the same operands in the same run. It is a module of its own: the
// peers are no dependencies of the library.
//
//	go test -C bench -bench . -count 6
package bench
