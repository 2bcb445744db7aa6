// Package peers has the libraries that Espalier is compared with. gonum is always there; the native ones need cgo, the
// build tag peers and the packages of install-peers.sh.
//
// A native peer is one C or C++ file that prepares a call for a problem and times it in a loop of its own, so that neither
// the crossing from Go nor Go itself is counted against it. The head of each such file says how the library is called.
package peers
