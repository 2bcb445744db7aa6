// Package peers has the libraries that Espalier's training is compared with. gonum is always there; the others need the build
// tag peers and what ../../install-peers.sh installs, those in C++ also cgo.
//
// C++, Go and the libraries of other processes each time their steps by a loop of their own, with one reading of the clock
// for each step. The head of each file says how its library is called.
package peers
