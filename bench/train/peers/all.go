package peers

import "github.com/espalier-ml/espalier/bench/train"

// All returns the peers of this build and machine, what is missing for others, and a function that ends the processes that
// some of them use.
func All() (libraries []train.Library, missing []string, stop func()) {
	libraries, missing, stop = others()
	return append(libraries, Gonum{}), missing, stop
}
