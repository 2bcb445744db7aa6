package plan

import "github.com/espalier-ml/espalier/kernels"

// An alike has products that could be one.
type alike struct {
	values []*value
	tries  int
}

// maxTries bounds the looks for one product among alike ones: each can be in vain and takes linear time.
const maxTries = 64

// eachAlike calls do with each product of which key has a key and those of the same key that come after it.
func eachAlike[K comparable](values []*value, key func(*value) (K, bool), do func(v *value, later []*value) bool) {
	all := map[K]*alike{}
	var keyed []*alike
	for _, v := range values {
		if k, ok := key(v); ok {
			if all[k] == nil {
				all[k] = new(alike)
			}
			all[k].values = append(all[k].values, v)
			keyed = append(keyed, all[k])
		}
	}
	for _, a := range keyed {
		v := a.values[0]
		if a.values = a.values[1:]; a.tries < maxTries && do(v, a.values) {
			a.tries++
		}
	}
}

// flat reports whether a sample of v is one row.
func (v *value) flat() bool { return v.Rows == 1 }

func (v *value) elements() int { return v.Rows * v.Cols }

func (v *value) isProduct() bool { return v.step != nil && v.step.kind == product }

// sums reports whether v is act(sums + bias), each column with weights of its own.
func (v *value) sums() bool {
	return v.isProduct() || v.step != nil && (v.step.kind == convolution || v.step.kind == depthwise)
}

// tailName tells products with different functions behind them apart.
func (v *value) tailName() string {
	if v.tail == nil {
		return ""
	}
	return v.tail.step.name
}

// share makes products with the same weights at one depth one product with more rows: their operands lie side by side,
// which is as good as below each other.
func (l *lowering) share(values []*value) {
	type key struct {
		w, b  *value
		depth int
		act   kernels.Activation
		tail  string
	}
	keyOf := func(v *value) (k key, ok bool) {
		if !v.isProduct() || !v.flat() {
			return k, false
		}
		return key{v.step.in[1], v.step.bias(), v.depth, v.step.act, v.tailName()}, true
	}
	eachAlike(values, keyOf, func(v *value, later []*value) bool {
		if v.group != nil || v.step.in[0].same.step == nil {
			return false
		}
		var calls, in []*value
		seen := map[*value]bool{}
		for _, o := range append([]*value{v}, later...) {
			if x := o.step.in[0].same; !seen[x] {
				seen[x] = true
				calls, in = append(calls, o), append(in, x)
			}
		}
		if len(calls) < 2 || !l.beside(in) {
			return true
		}
		out := l.newBuffer(v.Cols * len(calls))
		for i, o := range calls {
			o.group = calls
			o.put(place{out, i * v.Cols})
			o.last().put(place{out, i * v.Cols})
		}
		return true
	})
}

// bias returns the bias of a product, or nil.
func (o *operation) bias() *value {
	if len(o.in) < 3 {
		return nil
	}
	return o.in[2]
}

// beside puts results side by side in a buffer of their own, or finds them there.
func (l *lowering) beside(values []*value) bool {
	width, found := 0, 0
	for _, v := range values {
		if v.step == nil || !v.flat() || v.Cols != values[0].Cols {
			return false
		}
		if v.laid && v.place == (place{values[0].place.buffer, width}) {
			found++
		} else if v.laid {
			return false
		}
		width += v.Cols
	}
	if found == len(values) {
		return l.buffers[values[0].place.buffer].width == width
	}
	if found > 0 {
		return false
	}
	b := l.newBuffer(width)
	for i, v := range values {
		v.put(place{b, i * v.Cols})
	}
	return true
}

// narrow is the number of columns below which a product wastes most of a tile's.
const narrow = 16

// merge makes narrow products of one operand one product with more columns, if their sums end alike.
func (l *lowering) merge(values []*value) {
	type key struct {
		x    *value
		bias bool
		act  kernels.Activation
	}
	keyOf := func(v *value) (k key, ok bool) {
		if !v.isProduct() || !v.flat() || v.group != nil || v.last().laid || v.Cols >= narrow {
			return k, false
		}
		return key{v.step.in[0].same, v.step.bias() != nil, v.step.act}, true
	}
	eachAlike(values, keyOf, func(v *value, later []*value) bool {
		if v.group != nil {
			return false
		}
		var group []*value
		seen := map[*value]bool{}
		width := 0
		for _, o := range append([]*value{v}, later...) {
			if w := o.step.in[1]; o.group == nil && !seen[w] {
				seen[w] = true
				group = append(group, o)
				width += o.Cols
			}
		}
		if len(group) < 2 {
			return true
		}
		at := place{buffer: l.newBuffer(width)}
		for _, o := range group {
			o.group = group
			o.put(at)
			at.offset += o.Cols
		}
		return true
	})
}
