//go:build !(peers && cgo && amd64)

package peers

import "github.com/espalier-ml/espalier/bench/infer"

func others() (libraries []infer.Library, missing []string, stop func()) {
	return nil, nil, func() {}
}

// Mallocs returns 0: nothing here is written in C.
func Mallocs() int64 { return 0 }
