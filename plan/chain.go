package plan

// A chain is steps that a session runs one after the other for few samples, then for the next ones, so that what they hand on
// stays in the caches: the scores of an attention are many times its operands.
type chain struct {
	from, to int // steps
	samples  int
}

// They are variables so that a test has chains of small values.
var (
	chainFloats = 1 << 15 // what a chain hands on at a time: 128 KiB
	chainFrom   = 1 << 16 // floats of a batch from which on a chain pays
)

// chains finds chains among the steps. Products are in none, as their weights would have to be read once for each part; nor
// are look-ups, whose errors name a row. What a chain reads and writes is kept until its end, for the parts to come.
func (l *lowering) chains() {
	for i := 0; i < len(l.steps); i++ {
		from := i
		for i < len(l.steps) && l.steps[i].w == nil && l.steps[i].op != "embed" {
			i++
		}
		if c := l.chain(from, i); c.samples > 0 {
			l.Plan.chained = append(l.Plan.chained, c)
		}
	}
}

// chain makes steps a chain if that pays.
func (l *lowering) chain(from, to int) chain {
	inner := 0
	for _, b := range l.buffers {
		if b.within(from, to) {
			inner += b.width
		}
	}
	if inner == 0 || inner <= chainFrom/l.maxBatch {
		return chain{}
	}
	for i := range l.steps[from:to] {
		s := &l.steps[from+i]
		s.inner = make([]bool, 1+len(s.x))
		for j, v := range append([]view{s.y}, s.x...) {
			if v.constant != nil {
				continue
			}
			b := &l.buffers[v.buffer]
			if s.inner[j] = b.within(from, to); !s.inner[j] {
				b.first, b.last = min(b.first, from), max(b.last, to-1)
			}
		}
	}
	return chain{from, to, max(1, chainFloats/inner)}
}

// within reports whether only the steps from (included) to (excluded) use the buffer.
func (b *buffer) within(from, to int) bool { return b.first >= from && b.last < to }

// runChain runs a chain for all samples of a batch.
func (s *Session) runChain(c chain, batch int) error {
	for from := 0; from < batch; from += c.samples {
		n := min(c.samples, batch-from)
		for i := c.from; i < c.to; i++ {
			b, p := &s.steps[i], &s.part
			p.step, p.scratch, p.x = b.step, b.scratch, p.x[:0]
			part := func(j int, v view) int {
				if b.step.inner[j] {
					return 0
				}
				return from * v.lead
			}
			at := part(0, b.step.y)
			p.y = b.y.RowRange(at, at+n*b.step.y.lead)
			for j, v := range b.step.x {
				m := b.x[j]
				if v.constant == nil {
					at := part(1+j, v)
					m = m.RowRange(at, at+n*v.lead)
				}
				p.x = append(p.x, m)
			}
			if err := b.run(s.plan.table, p); err != nil {
				return err
			}
		}
	}
	return nil
}
