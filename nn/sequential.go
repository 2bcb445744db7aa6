package nn

// Sequential calls the first layer on x, each further one on the result of the one before, and returns the last node: x if there
// are no layers.
func Sequential(x *Node, layers ...*Layer) *Node {
	for _, l := range layers {
		x = l.On(x)
	}
	return x
}
