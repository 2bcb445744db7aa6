package nn

var (
	hinge = (&formula{class: "Hinge", name: "hinge", more: []string{"hinge"},
		row: columnMean(hingeAt), binary: columnMean(func(p, t float64) (loss, slope float64) { return hingeAt(p, 2*t-1) })}).register()
	squaredHinge = (&formula{class: "SquaredHinge", name: "squared_hinge", more: []string{"squared_hinge"},
		row: columnMean(squaredHingeAt), binary: columnMean(func(p, t float64) (loss, slope float64) { return squaredHingeAt(p, 2*t-1) })}).register()
	categoricalHinge = (&formula{class: "CategoricalHinge", name: "categorical_hinge", more: []string{"categorical_hinge"},
		targets: Probabilities, row: categoricalHingeRow}).register()
)

// Hinge is the mean over the columns of max(0, 1-t·p), for targets of 1 and -1. Targets of which all in a batch are 0 or 1
// stand for those.
func Hinge(opts ...LossOption) Loss { return hinge.loss(opts) }

// SquaredHinge is the mean over the columns of max(0, 1-t·p)², for targets as those of [Hinge].
func SquaredHinge(opts ...LossOption) Loss { return squaredHinge.loss(opts) }

// CategoricalHinge is max(0, 1 + max (1-t)·p - Σ t·p) for targets of one probability per class: how much the class of the
// target is short of leading the others by 1.
func CategoricalHinge(opts ...LossOption) Loss { return categoricalHinge.loss(opts) }

func hingeAt(p, t float64) (loss, slope float64) {
	if short := 1 - float64(t*p); short > 0 || short != short {
		return short, -t
	}
	return 0, 0
}

func squaredHingeAt(p, t float64) (loss, slope float64) {
	short, slope := hingeAt(p, t)
	return short * short, 2 * short * slope
}

func categoricalHingeRow(g, p, t []float32, weight float64) float64 {
	right, other, at := 0.0, 0.0, 0
	for j := range p {
		p, t := float64(p[j]), float64(t[j])
		right += float64(t * p)
		if o := float64((1 - t) * p); j == 0 || o > other || o != o {
			other, at = o, j
		}
	}
	short := other - right + 1
	if short <= 0 {
		clear(g)
		return 0
	}
	for j := range g {
		slope := -float64(t[j])
		if j == at {
			slope++
			slope -= float64(t[j])
		}
		g[j] = float32(slope * weight)
	}
	return short
}
