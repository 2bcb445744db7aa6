package plan

import (
	"cmp"
	"slices"
)

// alias finds values that have the elements of another one, and counts users.
func (l *lowering) alias() {
	for _, v := range l.values {
		switch o := v.step; {
		case o == nil:
		case o.kind == reshape:
			v.same = o.in[0].same
		default:
			for _, x := range o.in {
				x.same.users++
			}
		}
	}
	for _, o := range l.Recorder.outputs {
		o.value.same.users++
	}
}

// computed returns the values that something computes, each after those it depends on and as near to the inputs as
// possible; a function that takes the place of a product is as near as that.
func (l *lowering) computed() []*value {
	var all []*value
	for _, v := range l.values {
		if v.same != v || v.step == nil {
			continue
		}
		all = append(all, v)
		for _, x := range v.step.in {
			v.depth = max(v.depth, x.same.depth+1)
		}
		if x := v.step.in[0].same; x.tail == v {
			v.depth = x.depth
		}
	}
	slices.SortStableFunc(all, func(a, b *value) int { return cmp.Compare(a.depth, b.depth) })
	return all
}
