package plan

import (
	"fmt"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
)

// fold computes what depends on constants only, with the kernels that the plan has: it is a constant then, too.
func (l *lowering) fold() error {
	bytes := int64(0) // which are free again once the plan has its copies
	var computed []*value
	for _, v := range l.values {
		if v.fixed && v.step != nil {
			computed = append(computed, v)
			bytes += 4 * int64(v.elements())
		}
	}
	if bytes > l.maxBytes {
		return fmt.Errorf("computed constants need %d bytes; MaxBytes allows %d", bytes, l.maxBytes)
	}
	for _, v := range computed {
		o, y := v.step, kernels.NewMatrix(v.Rows, v.Cols)
		s := boundStep{step: &step{name: o.label, act: o.act}, y: y}
		for _, x := range o.in {
			s.x = append(s.x, x.Matrix)
		}
		if err := o.run(l.table, &s); err != nil {
			return fmt.Errorf("%s: %s of constants: %w", brief.Quote(o.label), o.name, err)
		}
		v.Matrix, v.step = y, nil
	}
	return nil
}
