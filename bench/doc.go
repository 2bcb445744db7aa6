// Package bench measures Espalier beside its peers, on the same operands in the same run. It is a module of its own: the
// peers are no dependencies of the library.
//
// Here are the rows that are compared, their operands and their check, the machine's peak, and Espalier's own calls.
// Package peers has the other libraries, cmd/compare the command that sets them side by side. README.md says how each
// library is called.
//
//	go test -bench . -count 6
//	go run -tags peers ./cmd/compare -rows 'op=fwd/.*/m=32/'
package bench
