package nn

import (
	"errors"

	"github.com/espalier-ml/espalier/internal/portable"
	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/ops"
)

// A focal loss is a cross-entropy times (1-p)^gamma, p being the probability of what is true (Lin et al., arXiv:1708.02002).
// Where the output ends in the activation that belongs to it, it comes from the logits, as a cross-entropy does, and nothing
// is clipped. With FromLogits it is what Keras computes: probabilities first, which are clipped.
type focal struct {
	crossentropy
	smoothing
	Alpha float64 `json:"alpha"`
	Gamma float64 `json:"gamma"`
}

var usualFocal = focal{usualCrossentropy, smoothing{}, 0.25, 2}

func (f *focal) check(name string, out Output, own ActivationKind) error {
	return errors.Join(f.crossentropy.check(name, out, own), f.smoothing.check(name),
		checkParameter(name, "alpha", f.Alpha, 0), checkParameter(name, "gamma", f.Gamma, 0))
}

// factor returns miss^gamma, and the derivative of that.
func (f *focal) factor(miss float64) (factor, slope float64) {
	if f.Gamma == 0 || miss <= 0 { // the slope of a root is infinite there
		return portable.Pow(max(miss, 0), f.Gamma), 0
	}
	return portable.Pow(miss, f.Gamma), f.Gamma * portable.Pow(miss, f.Gamma-1)
}

const clipMax = float64(float32(1 - 1e-7)) // as Keras has it in float32

// clip returns p within the bounds, and whether it was.
func clip(p float64) (float64, bool) {
	switch {
	case p < kerasEpsilon:
		return kerasEpsilon, false
	case p > clipMax:
		return clipMax, false
	}
	return p, true
}

type binaryFocal struct {
	focal
	Balancing bool `json:"apply_class_balancing"`
}

func init() {
	Register("BinaryFocalCrossentropy", binaryFocal{focal: usualFocal})
	alias[Loss]("BinaryFocalCrossentropy", "binary_focal_crossentropy")
	Register("CategoricalFocalCrossentropy", categoricalFocal{usualFocal})
	alias[Loss]("CategoricalFocalCrossentropy", "categorical_focal_crossentropy")
}

// A ClassBalancingOption is what ClassBalancing returns.
type ClassBalancingOption float64

// ClassBalancing gives the class 1 of a [BinaryFocalCrossentropy] the weight alpha and the class 0 the weight 1-alpha. Keras'
// alpha is 0.25 unless it is told.
func ClassBalancing(alpha float64) ClassBalancingOption { return ClassBalancingOption(alpha) }

func (a ClassBalancingOption) applyLoss(f *lossFields) error {
	return errors.Join(setField(&f.classBalancing, true, "ClassBalancing"), setField(&f.alpha, float64(a), "ClassBalancing"))
}

// BinaryFocalCrossentropy is the mean over the columns of the [BinaryCrossentropy] times (1-q)^gamma, where q = t·p +
// (1-t)·(1-p) is the probability of what is true: easy rows count less (Lin et al., arXiv:1708.02002). Keras' gamma is 2
// unless it is told.
func BinaryFocalCrossentropy(gamma float64, opts ...LossOption) Loss {
	f := &binaryFocal{focal: usualFocal}
	f.Gamma = gamma
	f.apply(lossFields{fromLogits: &f.FromLogits, labelSmoothing: &f.LabelSmoothing, classBalancing: &f.Balancing, alpha: &f.Alpha}, opts)
	return f
}

func (f *binaryFocal) Name() string                    { return "binary_focal_crossentropy" }
func (f *binaryFocal) Targets() TargetKind             { return Probabilities }
func (f *binaryFocal) Check(out Output) error          { return f.check(f.Name(), out, Sigmoid) }
func (f *binaryFocal) Fuses(a ActivationFunction) bool { return !f.FromLogits && a == Sigmoid }

func (f *binaryFocal) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	return o.CustomLoss(f, out, y, rows)
}

func (f *binaryFocal) FusedLoss(o ops.Losses, x *ops.Tensor, y Target, rows []float32) (loss, out *ops.Tensor) {
	return o.CustomLoss((*fusedBinaryFocal)(f), x, y, rows), Sigmoid.Apply(o, x)
}

// Rows implements [ops.LossFunction].
func (f *binaryFocal) Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	return rowFormula(f.row).rows(f.Name(), 1, loss, grad, pred, y, weights)
}

func (f *binaryFocal) row(g, p, t []float32, weight float64) float64 {
	n, sum := float64(len(p)), 0.0
	for j := range p {
		t, p, chain := f.at(t[j], 2), float64(p[j]), 1.0
		if f.FromLogits {
			p = portable.Sigmoid(p)
			chain = p * (1 - p)
		}
		q, inside := clip(p)
		crossentropy := -float64(t*portable.Log(q)) - float64((1-t)*portable.Log1p(-q))
		factor, factorSlope := f.factor(1 - float64(t*p) - float64((1-t)*(1-p)))
		balance := f.balance(t)
		sum += float64(balance * factor * crossentropy)
		if g == nil {
			continue
		}
		slope := float64(factorSlope * (1 - 2*t) * crossentropy)
		if inside {
			slope += float64(factor * ((q - t) / float64(q*(1-q))))
		}
		g[j] = float32(balance * slope * chain * weight / n)
	}
	return sum / n
}

// balance returns the weight of a target's class.
func (f *binaryFocal) balance(t float64) float64 {
	if !f.Balancing {
		return 1
	}
	return float64(t*f.Alpha) + float64((1-t)*(1-f.Alpha))
}

// A fusedBinaryFocal is the loss of logits, of which nothing is clipped.
type fusedBinaryFocal binaryFocal

// Rows implements [ops.LossFunction].
func (f *fusedBinaryFocal) Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	return rowFormula(f.row).rows((*binaryFocal)(f).Name(), 1, loss, grad, pred, y, weights)
}

func (f *fusedBinaryFocal) row(g, x, t []float32, weight float64) float64 {
	n, sum := float64(len(x)), 0.0
	for j := range x {
		t, z := f.at(t[j], 2), float64(x[j])
		p, not := portable.Sigmoid(z), portable.Sigmoid(-z)
		crossentropy := float64(t*portable.Softplus(-z)) + float64((1-t)*portable.Softplus(z))
		factor, factorSlope := f.factor(float64(t*not) + float64((1-t)*p))
		balance := (*binaryFocal)(f).balance(t)
		sum += float64(balance * factor * crossentropy)
		if g != nil {
			slope := float64(factorSlope*(1-2*t)*crossentropy*p*not) + float64(factor*(p-t))
			g[j] = float32(balance * slope * weight / n)
		}
	}
	return sum / n
}

type categoricalFocal struct{ focal }

// CategoricalFocalCrossentropy is the sum over the classes of -alpha·(1-p)^gamma·t·log p for targets of one probability per
// class: a [CategoricalCrossentropy] in which easy rows count less (Lin et al., arXiv:1708.02002). Keras' alpha is 0.25 and
// its gamma 2 unless they are told.
func CategoricalFocalCrossentropy(alpha, gamma float64, opts ...LossOption) Loss {
	f := &categoricalFocal{usualFocal}
	f.Alpha, f.Gamma = alpha, gamma
	f.apply(lossFields{fromLogits: &f.FromLogits, labelSmoothing: &f.LabelSmoothing}, opts)
	return f
}

func (f *categoricalFocal) Name() string                    { return "categorical_focal_crossentropy" }
func (f *categoricalFocal) Targets() TargetKind             { return Probabilities }
func (f *categoricalFocal) Check(out Output) error          { return f.check(f.Name(), out, Softmax) }
func (f *categoricalFocal) Fuses(a ActivationFunction) bool { return !f.FromLogits && a == Softmax }

func (f *categoricalFocal) Loss(o ops.Losses, out *ops.Tensor, y Target, rows []float32) *ops.Tensor {
	return o.CustomLoss(f, out, y, rows)
}

func (f *categoricalFocal) FusedLoss(o ops.Losses, x *ops.Tensor, y Target, rows []float32) (loss, out *ops.Tensor) {
	return o.CustomLoss((*fusedCategoricalFocal)(f), x, y, rows), Softmax.Apply(o, x)
}

// Rows implements [ops.LossFunction].
func (f *categoricalFocal) Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	return rowFormula(f.row).rows(f.Name(), 1, loss, grad, pred, y, weights)
}

func (f *categoricalFocal) row(g, p, t []float32, weight float64) float64 {
	if f.FromLogits {
		return f.logitsRow(g, p, t, weight, true)
	}
	total := 0.0
	for _, p := range p {
		total += float64(p)
	}
	sum, slopes := 0.0, 0.0
	for j, p := range p {
		share, inside := clip(float64(p) / total)
		loss, slope := f.class(share, portable.Log(share), f.at(t[j], len(t)), inside)
		sum += float64(loss)
		slopes += float64(slope)
	}
	for j := range g {
		share, inside := clip(float64(p[j]) / total)
		_, slope := f.class(share, portable.Log(share), f.at(t[j], len(t)), inside)
		g[j] = float32((slope/share - slopes) / total * weight)
	}
	return sum
}

// class returns the loss of one class, and p times its slope by p.
func (f *focal) class(p, logP, t float64, inside bool) (loss, slope float64) {
	factor, factorSlope := f.factor(1 - p)
	if inside {
		slope = f.Alpha * t * (float64(factorSlope*logP*p) - factor)
	}
	return -f.Alpha * t * factor * logP, slope
}

// A fusedCategoricalFocal is the loss of logits, of which nothing is clipped.
type fusedCategoricalFocal categoricalFocal

// Rows implements [ops.LossFunction].
func (f *fusedCategoricalFocal) Rows(loss []float32, grad, pred kernels.Matrix, y Target, weights []float32) error {
	return rowFormula(f.row).rows((*categoricalFocal)(f).Name(), 1, loss, grad, pred, y, weights)
}

func (f *fusedCategoricalFocal) row(g, x, t []float32, weight float64) float64 {
	return f.logitsRow(g, x, t, weight, false)
}

// logitsRow is the row of logits, whose probabilities may be clipped.
func (f *focal) logitsRow(g, x, t []float32, weight float64, clipped bool) float64 {
	top, total := float64(x[argmax(x)]), 0.0
	for _, x := range x {
		total += portable.Exp(float64(x) - top)
	}
	top += portable.Log(total)
	class := func(j int) (p, loss, slope float64) {
		logP := float64(x[j]) - top
		p = portable.Exp(logP)
		q, inside := p, true
		if clipped {
			if q, inside = clip(p); !inside {
				logP = portable.Log(q)
			}
		}
		loss, slope = f.class(q, logP, f.at(t[j], len(t)), inside)
		return p, loss, slope
	}
	sum, slopes := 0.0, 0.0
	for j := range x {
		_, loss, slope := class(j)
		sum += float64(loss)
		slopes += float64(slope)
	}
	for j := range g {
		p, _, slope := class(j)
		g[j] = float32((float64(slope) - float64(p*slopes)) * weight)
	}
	return sum
}
