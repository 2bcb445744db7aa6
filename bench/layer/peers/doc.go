// Package peers has the libraries that package layer compares Espalier with. They are compiled under the build tag peers.
package peers
