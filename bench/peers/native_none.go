//go:build !(peers && cgo && amd64)

package peers

import "github.com/espalier-ml/espalier/bench"

// Native reports whether this build has the native peers.
const Native = false

func natives() []bench.Library { return nil }
