package plan

import "slices"

// sweep forgets the operations that no output depends on, such as those of a mask that nothing reads.
func (l *lowering) sweep() {
	live := map[*value]bool{}
	for _, o := range l.Recorder.outputs {
		live[o.value] = true
	}
	for _, v := range slices.Backward(l.values) {
		if !live[v] {
			v.step = nil
		}
		if v.step != nil {
			for _, x := range v.step.in {
				live[x] = true
			}
		}
	}
}
