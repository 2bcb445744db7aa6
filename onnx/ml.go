package onnx

import (
	"math"
	"slices"

	"github.com/espalier-ml/espalier/internal/portable"
)

// The operators of the domain ai.onnx.ml: what scikit-learn's converter writes.

// table returns input 0 as rows of features.
func (c *call) table() (x *tensor, rows, cols int) {
	x = c.arg(0)
	switch len(x.shape) {
	case 1:
		return x, 1, x.shape[0]
	case 2:
		return x, x.shape[0], x.shape[1]
	}
	c.fail("input 0 has shape %v, must have rows and features", x.shape)
	return nil, 0, 0
}

func runScaler(c *call) {
	x := c.arg(0)
	offset, scale := c.floats("offset"), c.floats("scale")
	n := 1
	if len(x.shape) > 0 {
		n = x.shape[len(x.shape)-1]
	}
	if k := len(offset); k != 1 && k != n || len(scale) != k {
		c.fail("has %d offsets and %d scales for %d features", len(offset), len(scale), n)
	}
	y := c.result(0, typeFloat, x.shape)
	if c.compute(y, 2, x) {
		for i, v := range x.data() {
			k := i % n % len(offset)
			y.values[i] = (v - offset[k]) * scale[k]
		}
	}
}

func runNormalizer(c *call) {
	x, rows, cols := c.table()
	norm := c.text("norm", "MAX")
	if !slices.Contains([]string{"MAX", "L1", "L2"}, norm) {
		c.fail("norm %q is unknown: valid are MAX, L1 and L2", norm)
	}
	y := c.result(0, typeFloat, x.shape)
	if c.compute(y, 2, x) {
		for i := range rows {
			normalize(y.values, x.data(), lane{i * cols, 1, cols}, norm)
		}
	}
}

func runArrayFeatureExtractor(c *call) {
	x, at := c.arg(0), c.arg(1)
	if len(x.shape) == 0 {
		c.fail("input 0 is a scalar")
	}
	n := x.shape[len(x.shape)-1]
	shape := append(slices.Clone(x.shape[:len(x.shape)-1]), at.len())
	if len(x.shape) == 1 {
		shape = []int{1, at.len()}
	}
	y := c.result(0, x.elem, shape)
	if c.compute(y, 1, x, at) {
		for i := range y.values {
			y.values[i] = x.data()[i/at.len()*n+c.index(at.data()[i%at.len()], n)]
		}
	}
}

func runZipMap(c *call) {
	x := c.arg(0)
	c.alias(0, x, x.shape)
}

// linear returns the scores of rows, [rows, outputs], of a linear model whose coefficients are [outputs, features].
func (c *call) linear(y []float64, x *tensor, rows, cols, outputs int) {
	coefficients, intercepts := c.floats("coefficients"), c.floats("intercepts")
	multiply(y, x.data(), coefficients, rows, cols, outputs, cols, 1, 1, cols)
	for i := range y {
		if len(intercepts) > 0 {
			y[i] += intercepts[i%outputs]
		}
	}
}

// linearOutputs checks the coefficients for so many outputs.
func (c *call) linearOutputs(cols, outputs int) {
	if n, k := len(c.floats("coefficients")), len(c.floats("intercepts")); outputs < 1 || outputs > n || n != outputs*cols || k != 0 && k != outputs {
		c.fail("has %d coefficients and %d intercepts for %d features and %d outputs", n, k, cols, outputs)
	}
}

// transform applies a post_transform to the scores of each row.
func (c *call) transform(y []float64, cols int) {
	switch t := c.text("post_transform", "NONE"); t {
	case "NONE":
	case "LOGISTIC":
		for i, v := range y {
			y[i] = portable.Sigmoid(v)
		}
	case "SOFTMAX", "SOFTMAX_ZERO":
		for from := 0; from < len(y); from += cols {
			row, sum := y[from:from+cols], 0.0
			top := slices.Max(row)
			for i, v := range row {
				if row[i] = portable.Exp(v - top); t == "SOFTMAX_ZERO" && v == 0 {
					row[i] = 0
				}
				sum += row[i]
			}
			for i := range row {
				row[i] /= sum
			}
		}
	default:
		c.fail("post_transform %q is not supported: valid are NONE, LOGISTIC, SOFTMAX and SOFTMAX_ZERO", t)
	}
}

func runLinearRegressor(c *call) {
	x, rows, cols := c.table()
	outputs := c.integer("targets", 1)
	c.linearOutputs(cols, outputs)
	y := c.result(0, typeFloat, []int{rows, outputs})
	if c.compute(y, cols, x) {
		c.linear(y.values, x, rows, cols, outputs)
		c.transform(y.values, outputs)
	}
}

// classes returns the labels of a classifier; for strings it returns how many there are, and no labels.
func (c *call) classes(strings, ints string) (labels []int, n int) {
	if labels = c.integers(ints); labels != nil {
		return labels, len(labels)
	}
	if a := c.attribute(strings, kindStrings); a != nil {
		return nil, len(a.strings)
	}
	c.fail("has no labels")
	return nil, 0
}

// label makes output 0: the class of the largest score of each row, or with one score whether it is above a threshold.
func (c *call) label(labels []int, rows, cols int, x *tensor, best func(row int) int) {
	if labels == nil {
		c.out[0] = &tensor{elem: typeString, lost: "strings"}
		return
	}
	y := c.result(0, typeInt64, []int{rows})
	if c.compute(y, cols, x) {
		for i := range y.values {
			y.values[i] = float64(labels[best(i)])
		}
	}
}

func runLinearClassifier(c *call) {
	x, rows, cols := c.table()
	labels, classes := c.classes("classlabels_strings", "classlabels_ints")
	outputs := classes
	if n := len(c.floats("coefficients")); classes == 2 && n == cols {
		outputs = 1
	}
	if c.linearOutputs(cols, outputs); classes < 2 {
		c.fail("has %d classes, must have at least 2", classes)
	}
	n := max(2, outputs)
	scores := c.result(1, typeFloat, []int{rows, n})
	known := c.compute(scores, cols, x)
	raw := make([]float64, 0)
	if known {
		raw = make([]float64, rows*outputs)
		c.linear(raw, x, rows, cols, outputs)
	}
	post := c.text("post_transform", "NONE")
	c.label(labels, rows, cols, x, func(row int) int {
		if outputs == 1 {
			return int(step(raw[row] > 0))
		}
		return argmax(raw[row*n : (row+1)*n])
	})
	if !known {
		c.transform(nil, n)
		return
	}
	for i, v := range raw {
		switch {
		case outputs > 1:
			scores.values[i] = v
		case post == "LOGISTIC":
			scores.values[2*i], scores.values[2*i+1] = portable.Sigmoid(-v), portable.Sigmoid(v)
		default:
			scores.values[2*i], scores.values[2*i+1] = -v, v
		}
	}
	if outputs > 1 || post != "LOGISTIC" {
		c.transform(scores.values, n)
	}
}

func argmax(v []float64) int {
	best := 0
	for i := range v {
		if v[i] > v[best] {
			best = i
		}
	}
	return best
}

// A tree is a node of a decision tree, or with mode "LEAF" the end of one.
type tree struct {
	mode    string
	feature int
	value   float64
	yes, no *tree
	missing bool // a NaN goes to yes
	weights []leafWeight
}

type leafWeight struct {
	to    int
	value float64
}

// forest builds the trees of a TreeEnsemble and returns their roots.
func (c *call) forest(prefix string, features, outputs int) []*tree {
	trees, nodes := c.integers("nodes_treeids"), c.integers("nodes_nodeids")
	modes := c.attribute("nodes_modes", kindStrings)
	feature, value := c.integers("nodes_featureids"), c.floats("nodes_values")
	yes, no, missing := c.integers("nodes_truenodeids"), c.integers("nodes_falsenodeids"), c.integers("nodes_missing_value_tracks_true")
	n := len(trees)
	if modes == nil || len(nodes) != n || len(modes.strings) != n || len(feature) != n || len(value) != n || len(yes) != n || len(no) != n || missing != nil && len(missing) != n || n == 0 {
		c.fail("has lists of nodes of different lengths")
	}
	all, first := make(map[[2]int]*tree, n), map[int]bool{}
	var roots []*tree
	for i := range n {
		t := &tree{mode: string(modes.strings[i]), feature: feature[i], value: value[i], missing: missing != nil && missing[i] != 0}
		id := [2]int{trees[i], nodes[i]}
		if all[id] != nil || t.mode != "LEAF" && (t.feature < 0 || t.feature >= features) {
			c.fail("has node %v twice, or one that looks at feature %d of %d", id, t.feature, features)
		}
		if !slices.Contains([]string{"LEAF", "BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"}, t.mode) {
			c.fail("has a node of mode %q", t.mode)
		}
		if all[id] = t; !first[trees[i]] {
			first[trees[i]] = true
			roots = append(roots, t)
		}
	}
	parents := map[*tree]bool{}
	for i := range n {
		t := all[[2]int{trees[i], nodes[i]}]
		if t.mode == "LEAF" {
			continue
		}
		t.yes, t.no = all[[2]int{trees[i], yes[i]}], all[[2]int{trees[i], no[i]}]
		for _, child := range []*tree{t.yes, t.no} {
			if child == nil || parents[child] || slices.Contains(roots, child) {
				c.fail("has a node %d of tree %d whose children are no tree", nodes[i], trees[i])
			}
			parents[child] = true
		}
	}
	at, ids, to, weight := c.integers(prefix+"_treeids"), c.integers(prefix+"_nodeids"), c.integers(prefix+"_ids"), c.floats(prefix+"_weights")
	if len(ids) != len(at) || len(to) != len(at) || len(weight) != len(at) {
		c.fail("has lists of weights of different lengths")
	}
	for i := range at {
		t := all[[2]int{at[i], ids[i]}]
		if t == nil || to[i] < 0 || to[i] >= outputs {
			c.fail("has a weight of node %d of tree %d for output %d of %d", ids[i], at[i], to[i], outputs)
		}
		t.weights = append(t.weights, leafWeight{to[i], weight[i]})
	}
	return roots
}

// leaf returns where a row of features ends.
func (t *tree) leaf(x []float64) *tree {
	for t.mode != "LEAF" {
		v, on := float64(float32(x[t.feature])), false
		switch t.mode {
		case "BRANCH_LEQ":
			on = v <= t.value
		case "BRANCH_LT":
			on = v < t.value
		case "BRANCH_GTE":
			on = v >= t.value
		case "BRANCH_GT":
			on = v > t.value
		case "BRANCH_EQ":
			on = v == t.value
		case "BRANCH_NEQ":
			on = v != t.value
		}
		if on || t.missing && math.IsNaN(v) {
			t = t.yes
		} else {
			t = t.no
		}
	}
	return t
}

func runTreeEnsemble(c *call) {
	x, rows, cols := c.table()
	prefix, outputs := "target", c.integer("n_targets", 1)
	var labels []int
	classifier := c.op == "TreeEnsembleClassifier"
	if classifier {
		prefix = "class"
		labels, outputs = c.classes("classlabels_strings", "classlabels_int64s")
	}
	if outputs < 1 || outputs > maxElements {
		c.fail("has %d outputs", outputs)
	}
	i := 0
	if classifier {
		i = 1
	}
	scores := c.result(i, typeFloat, []int{rows, outputs})
	known := c.compute(scores, 10, x)
	roots := c.forest(prefix, cols, outputs)
	base := c.floats("base_values")
	if base != nil && len(base) != outputs {
		c.fail("has %d base values for %d outputs", len(base), outputs)
	}
	how := c.text("aggregate_function", "SUM")
	if how != "SUM" && how != "AVERAGE" {
		c.fail("aggregate_function %q is not supported: valid are SUM and AVERAGE", how)
	}
	one := classifier && outputs == 2 && !slices.ContainsFunc(c.integers("class_ids"), func(k int) bool { return k != c.integers("class_ids")[0] })
	if one && c.text("post_transform", "NONE") != "NONE" {
		c.fail("has one score for two classes and a post_transform, which is not supported")
	}
	for row := range rows {
		if !known {
			break
		}
		y := scores.values[row*outputs : (row+1)*outputs]
		for _, t := range roots {
			for _, w := range t.leaf(x.data()[row*cols : (row+1)*cols]).weights {
				y[w.to] += w.value
			}
		}
		for i := range y {
			if how == "AVERAGE" {
				y[i] /= float64(len(roots))
			}
			if base != nil {
				y[i] += base[i]
			}
		}
		if one { // of the second class
			v := y[c.integers("class_ids")[0]]
			y[0], y[1] = 1-v, v
		}
	}
	if classifier {
		c.label(labels, rows, outputs, x, func(row int) int { return argmax(scores.values[row*outputs : (row+1)*outputs]) })
	}
	c.transform(scores.values, outputs)
}
