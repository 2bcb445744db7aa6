package plan

import (
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/kernels"
)

// fuse joins a product with the function that only it leads to: an activation goes into the kernel, also that of a
// convolution, any other one is computed where the product lies.
func (l *lowering) fuse() {
	for _, v := range l.values {
		v.same = v.same.same // what it passes on may have been joined since
		o := v.step
		if o == nil || v.same != v || o.kind != function && o.kind != rowwise || slices.ContainsFunc(o.in[1:], isValue) {
			continue
		}
		x := o.in[0].same
		if !x.sums() || x.step.act != kernels.Linear || x.tail != nil || x.users != 1 || x.Cols != v.Cols {
			continue
		}
		switch {
		case o.name == "activate":
			x.step.act = o.act
			x.users = v.users
			v.same = x
		case x.isProduct():
			x.tail = v
		default:
			continue
		}
		x.step.label = joinLabels(x.step.label, o.label)
		o.label = x.step.label
	}
}

// joinLabels returns the label of what is a part of both: of each layer once.
func joinLabels(a, b string) string {
	switch {
	case a == b || strings.HasSuffix(a, "+"+b):
		return a
	case strings.HasPrefix(b, a+"+"):
		return b
	}
	return a + "+" + b
}

func isValue(x *value) bool { return !x.fixed }

// last returns the value that others see: the product, or what takes its place.
func (v *value) last() *value {
	if v.tail != nil {
		return v.tail
	}
	return v
}
