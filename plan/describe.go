package plan

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// Describe prints the steps with their shapes, for one sample: rows x columns; the floating-point operations, the bytes
// of weights, and the memory of a session.
func (p *Plan) Describe(w io.Writer) error {
	if p.isEmpty() {
		return fmt.Errorf("plan: Describe: %w", errEmptyPlan)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "step\tlayers\tin\tout\tactivation\tflops\tweight bytes\t\n")
	flops, bytes := 0, 0
	for _, s := range p.steps {
		var in []string
		for _, x := range s.x {
			if x.constant == nil { // which are among the bytes of weights
				in = append(in, x.String())
			}
		}
		act := ""
		if slices.Contains([]string{"dense", "conv", "depthwise", "activate"}, s.op) {
			act = s.act.String()
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t\n", s.op, s.name, strings.Join(in, " "), s.y, act, s.flops, s.bytes)
		flops += s.flops
		bytes += s.bytes
	}
	fmt.Fprintf(t, "total\t\t\t\t\t%d\t%d\t\n", flops, bytes)
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s kernels; a session for batches of up to %d has %d bytes of memory\n", p.table.ISA, p.maxBatch, 4*p.arena*p.maxBatch)
	return err
}

func (v view) String() string { return fmt.Sprintf("%dx%d", v.lead, v.cols) }
