//go:build peers && cgo && amd64

package peers

import "github.com/espalier-ml/espalier/bench/infer"

func others() (libraries []infer.Library, missing []string, stop func()) {
	for _, l := range natives {
		libraries = append(libraries, l)
	}
	apart, missing, stop := children()
	return append(append(libraries, onnxRuntimeGo{}), apart...), missing, stop
}
