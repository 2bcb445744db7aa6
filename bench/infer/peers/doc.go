// Package peers has the libraries that Espalier's inference is compared with. gonum is always there; the others need cgo,
// the build tag peers and what ../../install-peers.sh installs.
//
// C, C++, Go and the libraries of other processes each time their calls by a loop of their own, with one reading of the
// clock for each call. The head of each file says how its library is called.
package peers
