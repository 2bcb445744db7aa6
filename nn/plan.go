package nn

import (
	"fmt"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/plan"
)

// A Plan is a model made ready to serve, see [plan.Plan]: immutable and with its own copy of the weights, so any number of
// goroutines may use it, whatever happens to the model. A result has the bits of [Model.Predict], for any batch, but where
// [NewPlan] makes scales and shifts a part of products.
type Plan = plan.Plan

// A Session is the memory in which one goroutine runs a plan, see [plan.Session].
type Session = plan.Session

// A Handle holds the plan that a service uses at present, and lets it change without a pause, see [plan.Handle].
type Handle = plan.Handle

// NewHandle returns a handle that holds p, or no plan if p is nil.
func NewHandle(p *Plan) *Handle { return plan.NewHandle(p) }

// A PlanOption configures a plan.
type PlanOption interface{ applyPlan(*planConfig) }

type planConfig struct {
	workers  int
	maxBytes int64 // 0 is the default
}

func newPlanConfig(opts []PlanOption) (planConfig, error) {
	var c planConfig
	for i, o := range opts {
		if o == nil {
			return c, fmt.Errorf("option %d is nil", i)
		}
		o.applyPlan(&c)
	}
	return c, nil
}

// A MaxBytesOption is a limit to memory.
type MaxBytesOption int64

func (o MaxBytesOption) applyPlan(c *planConfig) { c.maxBytes = max(1, int64(o)) }
func (o MaxBytesOption) applyLoad(c *loading)    { c.maxBytes = max(1, int64(o)) }
func (o MaxBytesOption) applyModel(m *Model)     { m.maxBytes = max(1, int64(o)) }

// MaxBytes limits memory: that of a plan's weights and one session together, that of the weights and the optimizer's
// state of a model that is read, or that of the weights of a new one. What would need more is an error that says how much, before the memory is taken.
//
// A small file can ask for a plan of any size, so a plan has a limit without the option too: twice the bytes of the
// model's weights, and 1 GiB for what a session computes with. A model by itself is never much larger than its file.
func MaxBytes(bytes int64) MaxBytesOption { return MaxBytesOption(bytes) }

// A WorkersOption is a number of goroutines.
type WorkersOption int

func (o WorkersOption) applyPlan(c *planConfig)    { c.workers = int(o) }
func (o WorkersOption) applyFit(c *fitConfig)      { c.workers = int(o) }
func (o WorkersOption) applyEvaluate(c *fitConfig) { c.workers = int(o) }

// Workers shares large products, and in training the updates of large weights, among this many goroutines, which all
// sessions of a plan have in common. No result depends on it. The default is 1: everything is computed where it is called.
func Workers(n int) WorkersOption { return WorkersOption(n) }

// NewPlan lowers a model for batches of up to maxBatch rows, packing the weights that it has now. Dense layers get their
// activation in the same kernel call; narrow ones on one input are one product, as is a layer that is called on several
// nodes; what a Concatenate joins is computed where the joined rows lie; a recurrent layer is one product of all inputs and
// one step for all states; Dropout, Flatten and Reshape vanish.
// A BatchNormalization, Normalization or Rescaling becomes a part of a Dense layer before or behind it: it costs nothing, and
// the result is then within the bound of Predict's that package plan states where it makes scales and shifts a part of products.
func NewPlan(m *Model, maxBatch int, opts ...PlanOption) (*Plan, error) {
	if m == nil {
		return nil, fmt.Errorf("nn: NewPlan: the model is nil")
	}
	if len(m.nodes) == 0 {
		return nil, fmt.Errorf("nn: NewPlan: %w", errEmptyModel)
	}
	c, err := newPlanConfig(opts)
	var p *Plan
	if err == nil {
		r := plan.NewRecorder()
		if err = m.Record(r); err == nil {
			p, err = r.Plan(plan.Config{MaxBatch: maxBatch, Workers: c.workers, MaxBytes: c.maxBytes})
		}
	}
	if err != nil {
		return nil, brief.Error(fmt.Errorf("nn: NewPlan: %w", err))
	}
	return p, nil
}
