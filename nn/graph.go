package nn

import (
	"cmp"
	"slices"
)

// A graph finds the nodes between inputs and outputs and orders their layers as Keras' Functional does. The call of a model is
// one of its nodes.
type graph struct {
	isInput map[*Node]bool
	nodes   []*Node        // depth first from the outputs: each after those it depends on
	seen    map[*Node]bool // in nodes
	edges   int            // operands of all nodes
	order   map[*Layer]int // the traversal's order: settles ties
	depth   map[*Layer]int // longest distance to an output
}

func newGraph(inputs, outputs []*Node) *graph {
	g := &graph{isInput: map[*Node]bool{}, seen: map[*Node]bool{}, order: map[*Layer]int{}, depth: map[*Layer]int{}}
	for _, n := range inputs {
		g.isInput[n] = true
	}
	for _, o := range outputs {
		g.visit(o)
	}
	nodeDepth := map[*Node]int{}
	for _, n := range slices.Backward(g.nodes) {
		d := max(nodeDepth[n], g.depth[n.layer])
		nodeDepth[n], g.depth[n.layer] = d, d
		for _, in := range n.in {
			nodeDepth[in.top()] = max(nodeDepth[in.top()], d+1)
		}
	}
	for _, n := range inputs { // that no output uses
		if !g.seen[n] {
			g.seen[n] = true
			g.nodes = append(g.nodes, n)
			g.order[n.layer] = -1
			g.depth[n.layer] = 0
		}
	}
	return g
}

func (g *graph) visit(n *Node) {
	if n == nil || n.layer == nil || g.tooLarge() != nil {
		return
	}
	if n = n.top(); g.seen[n] {
		return
	}
	if _, ok := g.order[n.layer]; !ok {
		g.order[n.layer] = len(g.order)
	}
	g.seen[n] = true // a node cannot depend on itself: it is made after its inputs
	g.edges += len(n.in)
	if !g.isInput[n] {
		for _, in := range n.in {
			g.visit(in)
		}
	}
	g.nodes = append(g.nodes, n)
}

// tooLarge reports a graph that no file could hold. The search ends there, so that its recursion has a bound, too.
func (g *graph) tooLarge() error { return checkSize(len(g.seen), g.edges) }

// layers returns the layers by falling depth, ties in the order of the traversal.
func (g *graph) layers() []*Layer {
	var layers []*Layer
	for l := range g.order {
		layers = append(layers, l)
	}
	slices.SortFunc(layers, func(a, b *Layer) int {
		return cmp.Or(
			cmp.Compare(g.depth[b], g.depth[a]),
			cmp.Compare(g.order[a], g.order[b]),
			cmp.Compare(a.created, b.created),
		)
	})
	return layers
}

// dependents returns those of the nodes, each of which comes after those it depends on, that depend on n.
func dependents(nodes []*Node, n *Node) map[*Node]bool {
	all := map[*Node]bool{n: true}
	for _, o := range nodes {
		if slices.ContainsFunc(o.in, func(in *Node) bool { return all[in.top()] }) {
			all[o] = true
		}
	}
	return all
}
