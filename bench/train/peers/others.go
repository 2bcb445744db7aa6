//go:build peers && cgo && amd64

package peers

import "github.com/espalier-ml/espalier/bench/train"

func others() (libraries []train.Library, missing []string, stop func()) {
	for _, l := range natives {
		libraries = append(libraries, l)
	}
	apart, missing, stop := children()
	return append(libraries, apart...), missing, stop
}
