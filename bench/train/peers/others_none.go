//go:build !(peers && cgo && amd64)

package peers

import "github.com/espalier-ml/espalier/bench/train"

func others() (libraries []train.Library, missing []string, stop func()) {
	return nil, nil, func() {}
}
