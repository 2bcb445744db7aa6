package nn

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Files of version 1 stay readable. What is saved again is of today's version, and the same model.
func TestVersion1(t *testing.T) {
	b, err := os.ReadFile("testdata/version1.safetensors")
	require.NoError(t, err)
	m, err := parse(b)
	require.NoError(t, err)
	require.EqualValues(t, 4, m.trainer.iterations)
	again, err := parse(savedBytes(t, m))
	require.NoError(t, err)
	require.Equal(t, weightBits(m), weightBits(again))
	require.Equal(t, m.trainer.slots, again.trainer.slots)
	require.Equal(t, savedBytes(t, m), savedBytes(t, again))

	header, data := split(b)
	for old, test := range map[string]struct{ fresh, want string }{
		`\"class\":\"Dense\"`:         {`\"class_name\":\"Dense\"`, `architecture: json: unknown field "class_name"`},
		`\"class\":\"Concatenate\"`:   {`\"class\":\"Concat\"`, `unknown class "Concat"`},
		`\"units\":2`:                 {`\"use_bias\":true,\"units\":2`, `config: json: unknown field "use_bias"`},
		`\"units\":2,`:                {`\"units\":2,\"no_bias\":false,`, "header does not fit its architecture"},
		`\"rate\":0.5`:                {`\"rate\":0.5,\"rate\":0.5`, "header does not fit its architecture"},
		`\"algorithm\":\"sgd\"`:       {`\"algorithm\":\"lion\"`, `unknown optimizer "lion": valid in version 1 are ["sgd" "adam" "rmsprop"]`},
		`\"loss\":{\"name\":\"mse\"}`: {`\"loss\":{\"name\":\"huber\"}`, `unknown loss "huber" of version 1`},
		`\"momentum\":0.9`:            {`\"momentum\":1.9`, "momentum 1.9 is not in [0, 1)"},
		`\"trainable\":true`:          {`\"trainable\": true`, "header does not fit its architecture"},
	} {
		require.Contains(t, header, old)
		requireDamaged(t, file(strings.Replace(header, old, test.fresh, 1), data), test.want)
	}
}

// What version 1 had and Compile refuses since becomes what did the same.
func TestVersion1Optimizers(t *testing.T) {
	for _, c := range []struct {
		old  optimizer1
		want Optimizer
	}{
		{optimizer1{Algorithm: "sgd", LearningRate: 1e-60, Nesterov: true, Beta1: 0.9}, SGD(0)},
		{optimizer1{Algorithm: "sgd", LearningRate: 1, Momentum: 0.5, Nesterov: true}, set(SGD(1), func(o *SGDOptimizer) { o.Momentum, o.Nesterov = 0.5, true })},
		{optimizer1{Algorithm: "adam", LearningRate: 1, Momentum: 0.5, Beta1: 1e-60, Beta2: 0.9, Epsilon: 0.1}, set(Adam(1), func(o *AdamOptimizer) { o.Beta1, o.Beta2, o.Epsilon = 0, 0.9, 0.1 })},
		{optimizer1{Algorithm: "rmsprop", LearningRate: 1, Rho: 0.9, Epsilon: 0.1}, set(RMSprop(1), func(o *RMSpropOptimizer) { o.Epsilon = 0.1 })},
	} {
		have, err := c.old.upgrade()
		require.NoError(t, err)
		require.Equal(t, c.want, have)
		require.NoError(t, checkOptimizer(have))
	}
}

func TestVersion1Losses(t *testing.T) {
	for name, want := range map[string]Loss{
		"mse": MSE(), "mae": MAE(),
		"sparse_categorical_crossentropy": SparseCategoricalCrossentropy(FromLogits()),
		"categorical_crossentropy":        CategoricalCrossentropy(FromLogits()),
		"binary_crossentropy":             BinaryCrossentropy(FromLogits()),
	} {
		have, err := loss1{name, true}.upgrade()
		require.NoError(t, err)
		require.Equal(t, want, have)
	}
}
