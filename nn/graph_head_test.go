package nn

import "math"

// A refHead is an output with its loss.
type refHead struct {
	at     int // in nodes
	kind   string
	loss   Loss
	fused  bool // the loss starts from pre
	logits bool // the loss starts from val, which are logits
	weight float64
	name   string
}

// of returns the loss of one sample and adds factor times its gradient to the output's.
func (h *refHead) of(g *refGraph, d Data, row int, factor float64) float64 {
	n := g.nodes[h.at]
	width := len(n.val)
	t := make([]float64, width)
	if labels, ok := d.Targets[h.name].(Labels); ok {
		t[labels[row]] = 1
	} else {
		for j, v := range d.Targets[h.name].(Floats)[row*width : (row+1)*width] {
			t[j] = float64(v)
		}
	}
	scores, grad := n.val, n.dval
	if h.fused {
		scores, grad = n.pre, n.dpre
	}
	columns := float64(width)
	mass, sum := 0.0, 0.0 // of the targets, of what the scores are divided by
	for j, s := range scores {
		mass += t[j]
		if h.fused || h.logits {
			s = math.Exp(s)
		}
		sum += s
	}
	loss := 0.0
	for j, s := range scores {
		var l, dl float64
		switch {
		case h.kind == "mse":
			l, dl = (s-t[j])*(s-t[j])/columns, 2*(s-t[j])/columns
		case h.kind == "mae":
			l = math.Abs(s-t[j]) / columns
			if g.near(s - t[j]); s != t[j] {
				dl = math.Copysign(1, s-t[j]) / columns
			}
		case h.kind == "binary":
			if h.fused || h.logits {
				l = math.Max(s, 0) - s*t[j] + math.Log1p(math.Exp(-math.Abs(s)))
				dl = 1/(1+math.Exp(-s)) - t[j]
			} else {
				g.near(s * 0.1)
				g.near((1 - s) * 0.1)
				l = -t[j]*math.Log(s) - (1-t[j])*math.Log(1-s)
				dl = (s - t[j]) / (s * (1 - s))
			}
			l, dl = l/columns, dl/columns
		case h.fused || h.logits:
			l = t[j] * (math.Log(sum) - s)
			dl = math.Exp(s)/sum*mass - t[j]
		default:
			q := s / sum
			g.near(q * 0.1)
			g.near((1 - q) * 0.1)
			l = -t[j] * math.Log(q)
			dl = (mass - t[j]/q) / sum
		}
		loss += l
		grad[j] += dl * factor
	}
	return loss
}
