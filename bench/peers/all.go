package peers

import (
	"runtime/debug"

	"github.com/espalier-ml/espalier/bench"
)

// All returns the peers of this build.
func All() []bench.Library { return append(natives(), Gonum{}) }

// moduleVersion returns the version that this program was built with.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range info.Deps {
		if m.Path == path {
			return m.Version
		}
	}
	return "unknown"
}
