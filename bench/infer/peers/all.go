package peers

import (
	"runtime/debug"

	"github.com/espalier-ml/espalier/bench/infer"
)

// All returns the peers of this build and machine, what is missing for others, and a function that ends the processes that
// some of them use.
func All() (libraries []infer.Library, missing []string, stop func()) {
	libraries, missing, stop = others()
	return append(libraries, Gonum{}), missing, stop
}

// moduleVersion returns the version that this program was built with.
func moduleVersion(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == path {
				return m.Version
			}
		}
	}
	return "unknown"
}
