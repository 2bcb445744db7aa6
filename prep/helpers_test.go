package prep

import "github.com/espalier-ml/espalier/nn"

// floats returns the numbers of an array.
func floats(a nn.Array) []float32 {
	switch a := a.(type) {
	case nn.Floats:
		return a
	case nn.Labels:
		var x []float32
		for _, l := range a {
			x = append(x, float32(l))
		}
		return x
	}
	return nil
}
