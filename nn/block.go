package nn

// A block says where the numbers of each weight of a model lie in one slice, which has as many for each weight as that has
// values. A small weight costs more to call an optimizer for than to update, so neighbours are updated by one call.
type block []span

// A span is the place of a weight: from a cache line up to another weight's, which its own numbers need not fill.
type span struct{ from, to int }

func blockOf(weights []*Weight) block {
	b := make(block, len(weights))
	from := 0
	for i, w := range weights {
		b[i] = span{from, from + w.param.size()}
		from = (b[i].to + 15) &^ 15
	}
	return b
}

// memory returns zeros for all weights.
func (b block) memory() []float32 {
	if len(b) == 0 {
		return nil
	}
	return make([]float32, b[len(b)-1].to)
}

// of returns what memory has for weight i.
func (b block) of(memory []float32, i int) []float32 {
	return memory[b[i].from:b[i].to:b[i].to]
}
