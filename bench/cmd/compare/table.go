package main

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"
)

// group names the results that share a heading and a geometric mean.
func (r *result) group() string {
	return fmt.Sprintf("op=%s/isa=%s/threads=%d packed=%t", r.Op, r.ISA, r.Threads, r.Packed)
}

// printTable prints all results by groups, and the geometric means of the groups.
func printTable(w io.Writer, results []*result) error {
	fmt.Fprintln(w)
	fmt.Fprintln(w, "Times are ns per call, medians over the rounds. A ratio is the peer's time divided by Espalier's: above 1, Espalier is faster.")
	fmt.Fprintln(w, "Where the ISA is auto, forced is the same for the fastest of the levels that Espalier can be held to.")

	var names []string
	groups := map[string][]*result{}
	for _, r := range results {
		name := r.group()
		if groups[name] == nil {
			names = append(names, name)
		}
		groups[name] = append(groups[name], r)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, name := range names {
		fmt.Fprintf(w, "\n%s\n", name)
		fmt.Fprintln(t, "m\tk\tn\tespalier ns\tGFLOP/s\tof peak\tforced\tbest ns\tratio\topenblas\t  best peer")
		for _, r := range groups[name] {
			best, _ := r.best()
			fmt.Fprintf(t, "%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t  %s\n", r.M, r.K, r.N,
				number(r.ours.NS, 1), number(r.ours.GFLOPS, 1), r.cell("peak"), r.cell("forced"),
				number(best.NS, 1), r.cell("best"), r.cell("openblas"), best.Lib+" "+best.Way)
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprint(w, "\ngeometric means\n")
	fmt.Fprintln(t, "rows\tof peak\tforced\tbest\topenblas\t  group")
	for _, name := range names {
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t  %s\n", len(groups[name]),
			mean(groups[name], "peak"), mean(groups[name], "forced"), mean(groups[name], "best"), mean(groups[name], "openblas"), name)
	}
	return t.Flush()
}

// number prints a value, or a dash for one that was not measured.
func number(v float64, digits int) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.*f", digits, v)
}

func (r *result) cell(measure string) string {
	v, _ := r.value(measure)
	return number(v, 2)
}

// mean returns the geometric mean of a measure over the results that have it.
func mean[R scored](results []R, measure string) string {
	v, _ := geomean(results, measure)
	return number(v, 2)
}

// geomean returns the geometric mean of a measure and the number of results that have it.
func geomean[R scored](results []R, measure string) (mean float64, n int) {
	sum := 0.0
	for _, r := range results {
		if v, ok := r.value(measure); ok {
			sum += math.Log(v)
			n++
		}
	}
	if n == 0 {
		return 0, 0
	}
	return math.Exp(sum / float64(n)), n
}
