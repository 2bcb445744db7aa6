package infer

import "unsafe"

// WeightBytes is what a call at least reads: weights and biases.
func (n Network) WeightBytes() int { return 4 * n.Parameters() }

// Reader returns a call that reads the memory of a problem's weights and does nothing else: the bandwidth that a batch of
// one can hope for, when they come from the last cache or memory.
func Reader(p *Problem) Call {
	return GoCall("plain loop", func() error {
		for i, w := range p.Weights {
			for _, values := range [][]float32{w, p.Biases[i]} {
				if lines := len(values) / 16; lines > 0 {
					read(unsafe.SliceData(values), lines)
				}
			}
		}
		return nil
	})
}

// sink keeps the compiler from leaving the loads out.
var sink uint64

// readGeneric adds up cache lines from p on, as 64-bit words.
func readGeneric(p *float32, lines int) {
	var a, b, c, d uint64
	all := unsafe.Slice((*[8]uint64)(unsafe.Pointer(p)), lines)
	for i := range all {
		l := &all[i]
		a += l[0] + l[4]
		b += l[1] + l[5]
		c += l[2] + l[6]
		d += l[3] + l[7]
	}
	sink += a + b + c + d
}
