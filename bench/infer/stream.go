package infer

import "unsafe"

// WeightBytes is what a call at least reads: weights and biases.
func (n Network) WeightBytes() int { return 4 * n.Parameters() }

// Reader returns a call that reads the memory of a problem's weights and does nothing else: the bandwidth that a batch of
// one can hope for, when they come from the last cache or memory.
func Reader(p *Problem) Call {
	var sums [4]uint64
	return GoCall("plain loop", func() error {
		for i, w := range p.Weights {
			read(&sums, w)
			read(&sums, p.Biases[i])
		}
		return nil
	})
}

// read adds the values up as 64-bit words, one cache line at a time; what is left of the last line is not read.
func read(sums *[4]uint64, values []float32) {
	if len(values) < 16 {
		return
	}
	lines := unsafe.Slice((*[8]uint64)(unsafe.Pointer(unsafe.SliceData(values))), len(values)/16)
	a, b, c, d := sums[0], sums[1], sums[2], sums[3]
	for i := range lines {
		l := &lines[i]
		a += l[0]
		b += l[1]
		c += l[2]
		d += l[3]
		a += l[4]
		b += l[5]
		c += l[6]
		d += l[7]
	}
	sums[0], sums[1], sums[2], sums[3] = a, b, c, d
}
