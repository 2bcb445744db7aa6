//go:build peers && cgo && amd64

package peers

import "github.com/espalier-ml/espalier/bench/layer"

// All returns the peers of this build.
func All() []layer.Library { return []layer.Library{onnxRuntime{}, oneDNN{}} }
