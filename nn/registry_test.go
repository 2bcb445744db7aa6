package nn

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The losses, metrics and optimizers of this package keep their configuration in a file.
func TestConfigurations(t *testing.T) {
	losses := []Loss{MSE(), MAE(), SparseCategoricalCrossentropy(), CategoricalCrossentropy(FromLogits()), BinaryCrossentropy(FromLogits())}
	for _, l := range losses {
		text, err := encodeJSON(Object[Loss]{l})
		require.NoError(t, err)
		var again Object[Loss]
		require.NoError(t, decodeJSON(string(text), &again))
		require.Equal(t, l, again.Value)
	}
	for _, o := range []Optimizer{SGD(0.5), momentum(0.5), Adam(0.001), RMSprop(0.2)} {
		text, err := encodeJSON(Object[Optimizer]{o})
		require.NoError(t, err)
		var again Object[Optimizer]
		require.NoError(t, decodeJSON(string(text), &again))
		require.Equal(t, o, again.Value)
	}
	text, err := encodeJSON(Object[Optimizer]{Adam(0.001)})
	require.NoError(t, err)
	require.Equal(t, `{"class_name":"Adam","config":{}}`, string(text), "what is as in the defaults is left out")
}

// options is a configuration of fields that differ from their defaults or not.
type options struct {
	zeros
	Size  int                        `json:"size"`
	Names []string                   `json:"names"`
	Act   Object[ActivationFunction] `json:"act"`
	Next  Object[Initializer]        `json:"next"`
}

func init() { Register("Options", options{Size: 3, Act: Object[ActivationFunction]{ReLU}}) }

// A file has what differs from the defaults, and nested values with their own configuration.
func TestObject(t *testing.T) {
	for text, want := range map[string]Initializer{
		`{"class_name":"Options","config":{}}`:                           &options{Size: 3, Act: Object[ActivationFunction]{ReLU}},
		`{"class_name":"Options","config":{"size":0}}`:                   &options{Act: Object[ActivationFunction]{ReLU}},
		`{"class_name":"Options","config":{"names":["<"],"act":"tanh"}}`: &options{Size: 3, Names: []string{"<"}, Act: Object[ActivationFunction]{Tanh}},
		`{"class_name":"Options","config":{"act":null}}`:                 &options{Size: 3},
		`{"class_name":"Options","config":{"next":{"class_name":"RandomUniform","config":{"maxval":1}}}}`: &options{
			Size: 3, Act: Object[ActivationFunction]{ReLU}, Next: Object[Initializer]{RandomUniform(-0.05, 1)}},
	} {
		have, err := encodeJSON(Object[Initializer]{want})
		require.NoError(t, err)
		require.Equal(t, text, string(have))
		var again Object[Initializer]
		require.NoError(t, decodeJSON(text, &again))
		if o, ok := again.Value.(options); ok {
			again.Value = &o
		}
		require.Equal(t, want, again.Value)
	}
	for text, want := range map[string]string{
		`"Options2"`: `unknown initializer "Options2": valid are ["Constant" "GlorotNormal" "GlorotUniform" "HeNormal" "HeUniform" "Identity" "LecunNormal" "LecunUniform" "Ones" "Options" "Orthogonal" "RandomNormal" "RandomUniform" "TruncatedNormal" "VarianceScaling" "Zeros"]; one of your own must be registered before the file is read: nn.Register("Options2", ...)`,
		`{"class_name":"Options","config":{"size":"x"}}`:   "config: json: cannot unmarshal string",
		`{"class_name":"Options","config":{"sise":1}}`:     `config: json: unknown field "sise"`,
		`{"class_name":"Options","conf":{}}`:               `json: unknown field "conf"`,
		`7`:                                                "cannot unmarshal number",
		`{"class_name":"Options","config":{"act":"relo"}}`: `unknown activation "relo"`,
	} {
		var o Object[Initializer]
		require.ErrorContains(t, decodeJSON(text, &o), want)
	}
}

// Values of one type can be classes of their own.
func TestClassOf(t *testing.T) {
	for v, want := range map[any]string{ReLU: "relu", GELU: "gelu", MSE(): "mse", MAE(): "mae", Zeros(): "Zeros"} {
		c, err := classOf(v)
		require.NoError(t, err)
		require.Equal(t, want, c.name)
	}
	for _, c := range []struct {
		v    any
		want string
	}{
		{nil, "is nil"},
		{(*dense)(nil), "is a nil *nn.dense"},
		{ActivationKind(99), "nn.ActivationKind ActivationKind(99) is not one of those that are registered"},
		{3, "int is not registered: call nn.Register with a name for it in an init function"},
	} {
		_, err := classOf(c.v)
		require.EqualError(t, err, c.want)
	}
}
