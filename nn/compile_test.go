package nn

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// set changes an optimizer.
func set[T any](o *T, change func(*T)) *T { change(o); return o }

func TestCompileErrors(t *testing.T) {
	losses := Losses{"label": SparseCategoricalCrossentropy(), "value": MSE()}
	for _, c := range []struct {
		name      string
		optimizer Optimizer
		opts      []CompileOption
		want      []string
	}{
		{"nothing", Adam(1), nil, []string{`missing output in Losses "label"`, `missing output in Losses "value": needed are ["label" "value"]`}},
		{"nil maps", Adam(1), []CompileOption{Losses(nil), LossWeights(nil), Metrics(nil)}, []string{`missing output in Losses "label"`}},
		{"loss missing", Adam(1), []CompileOption{Losses{"value": MSE()}}, []string{`missing output in Losses "label"`}},
		{"loss unknown", Adam(1), []CompileOption{Losses{"label": SparseCategoricalCrossentropy(), "value": MSE(), "trunk": MSE()}}, []string{`unknown output in Losses "trunk": valid are ["label" "value"]`}},
		{"loss weight unknown", Adam(1), []CompileOption{losses, LossWeights{"Value": 1}}, []string{`unknown output in LossWeights "Value": valid are ["label" "value"]`}},
		{"metric unknown", Adam(1), []CompileOption{losses, Metrics{"x": {MAE()}}}, []string{`unknown output in Metrics "x": valid are ["label" "value"]`}},
		{"names together", Adam(1), []CompileOption{losses, Metrics{"x": nil}, LossWeights{"y": 1}}, []string{`Metrics "x"`, `LossWeights "y"`}},
		{"losses nil", Adam(1), []CompileOption{Losses{"label": nil, "value": (Loss)(nil)}}, []string{"every loss is nil"}},
		{"loss nil LossMetric", Adam(1), []CompileOption{Losses{"label": nil, "value": (LossMetric)(nil)}}, []string{"every loss is nil"}},
		{"metric without loss", Adam(1), []CompileOption{Losses{"label": nil, "value": MSE()}, Metrics{"label": {Accuracy()}}}, []string{`output "label": has metrics but no loss`}},
		{"metric nil", Adam(1), []CompileOption{losses, Metrics{"label": {Accuracy(), nil}}}, []string{`output "label": metric 1 is nil`}},
		{"metric twice", Adam(1), []CompileOption{losses, Metrics{"value": {MAE(), MAE()}}}, []string{`output "value": metric mae is given twice`}},
		{"MAE of labels", Adam(1), []CompileOption{losses, Metrics{"label": {MAE()}}}, []string{`output "label": metric mae: needs targets that are Floats, those of the output's loss are Labels`}},
		{"loss weight NaN", Adam(1), []CompileOption{losses, LossWeights{"value": math.NaN()}}, []string{`output "value": loss weight NaN is not finite`}},
		{"loss weight beyond float32", Adam(1), []CompileOption{losses, LossWeights{"value": 1e39}}, []string{`output "value": loss weight 1e+39`}},
		{"optimizer nil", nil, []CompileOption{losses}, []string{"optimizer is nil"}},
		{"optimizer zero", &AdamOptimizer{}, []CompileOption{losses}, []string{"optimizer adam: epsilon 0 must be positive"}},
		{"optimizer nil pointer", (*AdamOptimizer)(nil), []CompileOption{losses}, []string{"the optimizer is a nil *nn.AdamOptimizer"}},
		{"learning rate -1", SGD(-1), []CompileOption{losses}, []string{"optimizer sgd: learning rate -1"}},
		{"learning rate NaN", Adam(math.NaN()), []CompileOption{losses}, []string{"optimizer adam: learning rate NaN"}},
		{"learning rate Inf", RMSprop(math.Inf(1)), []CompileOption{losses}, []string{"optimizer rmsprop: learning rate +Inf"}},
		{"learning rate beyond float32", SGD(1e39), []CompileOption{losses}, []string{"learning rate 1e+39"}},
		{"momentum 1", set(SGD(1), func(o *SGDOptimizer) { o.Momentum = 1 }), []CompileOption{losses}, []string{"momentum 1 is not in [0, 1)"}},
		{"beta 1", set(Adam(1), func(o *AdamOptimizer) { o.Beta1 = -0.1 }), []CompileOption{losses}, []string{"beta 1 -0.1"}},
		{"beta 2", set(Adam(1), func(o *AdamOptimizer) { o.Beta2 = math.NaN() }), []CompileOption{losses}, []string{"beta 2 NaN"}},
		{"rho", set(RMSprop(1), func(o *RMSpropOptimizer) { o.Rho = 2 }), []CompileOption{losses}, []string{"rho 2"}},
		{"epsilon 0", set(Adam(1), func(o *AdamOptimizer) { o.Epsilon = 0 }), []CompileOption{losses}, []string{"epsilon 0 must be positive"}},
		{"epsilon 0 in float32", set(Adam(1), func(o *AdamOptimizer) { o.Epsilon = 1e-60 }), []CompileOption{losses}, []string{"epsilon 1e-60"}},
		{"learning rate 0 in float32", Adam(1e-60), []CompileOption{losses}, []string{"optimizer adam: learning rate 1e-60 is 0 in float32"}},
		{"first step beyond float32", set(Adam(1e38), func(o *AdamOptimizer) { o.Beta1 = 0.999 }), []CompileOption{losses}, []string{"optimizer adam: learning rate 1e+38 over 1 - beta 1 of 0.999", "beyond float32"}},
		{"momentum 1 in float32", set(SGD(1), func(o *SGDOptimizer) { o.Momentum = 1 - 1e-9 }), []CompileOption{losses}, []string{"optimizer sgd: momentum 0.999999999 is 1 in float32"}},
		{"momentum 0 in float32", set(SGD(1), func(o *SGDOptimizer) { o.Momentum = 1e-60 }), []CompileOption{losses}, []string{"optimizer sgd: momentum 1e-60 is 0 in float32"}},
		{"rho 1 in float32", set(RMSprop(1), func(o *RMSpropOptimizer) { o.Rho = 1 - 1e-9 }), []CompileOption{losses}, []string{"optimizer rmsprop: rho 0.999999999 is 1 in float32"}},
		{"beta 2 0 in float32", set(Adam(1), func(o *AdamOptimizer) { o.Beta2 = 1e-60 }), []CompileOption{losses}, []string{"beta 2 1e-60 is 0 in float32"}},
		{"epsilon beyond float32", set(Adam(1), func(o *AdamOptimizer) { o.Epsilon = 1e39 }), []CompileOption{losses}, []string{"epsilon 1e+39"}},
		{"loss weight 0 in float32", Adam(1), []CompileOption{losses, LossWeights{"value": -1e-60}}, []string{`output "value": loss weight -1e-60 is 0 in float32`}},
		{"losses twice", Adam(1), []CompileOption{Losses{"label": nil}, losses}, []string{"Losses are given twice"}},
		{"loss weights twice", Adam(1), []CompileOption{losses, LossWeights{"label": 2}, LossWeights{"value": 2}}, []string{"LossWeights are given twice"}},
		{"metrics twice", Adam(1), []CompileOption{Metrics{"label": nil}, losses, Metrics{"value": nil}}, []string{"Metrics are given twice"}},
		{"nil option", Adam(1), []CompileOption{losses, nil}, []string{"option 1 is nil"}},
		{"nil option of a loss", Adam(1), []CompileOption{Losses{"label": SparseCategoricalCrossentropy(nil), "value": MSE()}}, []string{`output "label": loss sparse_categorical_crossentropy: option 0 is nil`}},
		{"both", SGD(-1), nil, []string{"learning rate -1", `missing output in Losses "label"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, _, unchanged := trained(t)
			requireError(t, m.Compile(c.optimizer, c.opts...), append(c.want, "nn: Compile: ")...)
			unchanged(t)
		})
	}
}

// An output can be too narrow for its loss, or of a shape that no loss takes.
func TestLossShapeErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		loss Loss
		on   *Layer
		want string
	}{
		{"sparse on one column", SparseCategoricalCrossentropy(), Dense(1, Sigmoid, Name("y")), `output "y": loss sparse_categorical_crossentropy needs an output of at least 2 columns, this one has 1`},
		{"soft on one column", CategoricalCrossentropy(), Dense(1, Sigmoid, Name("y")), `loss categorical_crossentropy needs an output of at least 2 columns`},
		{"rank 2", MSE(), Reshape([]int{2, 2}, Name("y")), `output "y": has shape (2, 2), a loss needs one dimension: add Flatten`},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := Input("x", 4)
			m, err := NewModel([]*Node{x}, []*Node{c.on.On(x)})
			require.NoError(t, err)
			requireError(t, m.Compile(SGD(1), Losses{"y": c.loss}), c.want)
			_, err = m.Evaluate(context.Background(), Data{})
			require.ErrorIs(t, err, ErrNotCompiled)
		})
	}
}

func TestNotCompiled(t *testing.T) {
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear).On(x)})
	require.NoError(t, err)
	history, err := m.Fit(context.Background(), Data{})
	require.ErrorIs(t, err, ErrNotCompiled)
	require.NotNil(t, history)
	_, err = m.Evaluate(context.Background(), nil)
	require.ErrorIs(t, err, ErrNotCompiled)
	_, err = m.TrainOnBatch(Data{})
	requireError(t, err, "nn: TrainOnBatch: the model is not compiled: call Compile first")
	_, err = m.Predict(nil)
	requireError(t, err, `missing input "x"`)
}
