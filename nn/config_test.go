package nn

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

// idleFields are what Keras writes for many classes.
const idleFields = `"name":"x","trainable":true,"autocast":true,"seed":7,"noise_shape":null,"activity_regularizer":null,"synchronized":true,"implementation":2,
	"dtype":{"module":"keras","class_name":"DTypePolicy","config":{"name":"float32"},"registered_name":null,"shared_object_id":3},"time_major":false,
	"data_format":"channels_last","batch_input_shape":[null,3],"lora_rank":null,"quantization_config":null,"use_gate":false,"renorm":false,
	"renorm_momentum":0.99,"renorm_clipping":null,"rms_scaling":false,"return_state":false,"stateful":false,"sparse":false}`

// Every layer is what it was when its file says all that Keras says.
func TestConfigOfKeras(t *testing.T) {
	eachLayer(t, func(t *testing.T, c layerCase) {
		kind := c.make().kind
		if _, ok := kind.(*functional); ok {
			return // its configuration is a graph, which Load reads
		}
		fields, err := encodeFields(kind)
		require.NoError(t, err)
		own, err := encodeObject(fields)
		require.NoError(t, err)
		config := map[string]json.RawMessage{}
		require.NoError(t, json.Unmarshal([]byte("{"+idleFields), &config))
		require.NoError(t, json.Unmarshal(own, &config)) // takes the place of what the class has itself
		text, err := encodeJSON(config)
		require.NoError(t, err)
		again, err := newObject[Kind](className(kind), text)
		require.NoError(t, err)
		require.Equal(t, kind, again)
	})
}

// What would change a result is an error that names the field and what is valid.
func TestConfigErrors(t *testing.T) {
	for _, c := range []struct{ class, config, want string }{
		{"Dropout", `{"rate":0.5,"noise_shape":[null,1]}`, `config: field "noise_shape" is [null,1], must be null`},
		{"Dense", `{"units":1,"dtype":"float16"}`, `config: field "dtype" is "float16", must be "float32" or null`},
		{"Dense", `{"units":1,"dtype":{"module":"keras","class_name":"DTypePolicy","config":{"name":"mixed_float16"}}}`, `field "dtype" is {"module":`},
		{"Dense", `{"units":1,"trainable":false}`, `field "trainable" is false, must be true or null`},
		{"Dense", `{"units":1,"lora_rank":4}`, `field "lora_rank" is 4, must be null`},
		{"Dense", `{"units":1,"seed":{"class_name":"SeedGenerator"}}`, `field "seed" is {"class_name":"SeedGenerator"}, must be a number or null`},
		{"Dense", `{"units":1,"unit":1}`, `unknown field "unit"`},
		{"Flatten", `{"data_format":"channels_first"}`, `field "data_format" is "channels_first", must be "channels_last" or null`},
		{"Add", `{"activity_regularizer":{"class_name":"L2","config":{"l2":0.01}}}`, `field "activity_regularizer" is {"class_name":"L2"`},
		{"BatchNormalization", `{"renorm":true}`, `field "renorm" is true, must be false or null`},
		{"MultiHeadAttention", `{"num_heads":1,"key_dim":1,"use_gate":true}`, `field "use_gate" is true, must be false or null`},
		{"LSTM", `{"units":1,"time_major":true}`, `field "time_major" is true, must be false or null`},
		{"LSTM", `[]`, `cannot unmarshal array`},
	} {
		_, err := newObject[Kind](c.class, []byte(c.config))
		requireError(t, err, c.want)
	}
}

// What Keras writes around a configuration does not matter for its own classes. Others have names of their own.
func TestEnvelopes(t *testing.T) {
	for _, text := range []string{
		`{"class_name":"L2","config":{"l2":0.5}}`,
		`{"module":"keras.regularizers","class_name":"L2","config":{"l2":0.5},"registered_name":null}`,
		`{"module":"keras.regularizers","class_name":"L2","config":{"l2":0.5},"registered_name":"L2","shared_object_id":7,"build_config":{"input_shape":[null,3]}}`,
		`{"module":null,"class_name":"L2","config":{"l2":0.5},"registered_name":null}`,
	} {
		var o Object[Regularizer]
		require.NoError(t, decodeJSON(text, &o), text)
		require.Equal(t, L2(0.5), o.Value)
	}
	for text, want := range map[string]string{
		`{"module":"my.code","class_name":"L2","config":{},"registered_name":"L2"}`:           `unknown regularizer "my.code>L2"`,
		`{"module":null,"class_name":"L2","config":{},"registered_name":"Custom>L2"}`:         `unknown regularizer "Custom>L2"`,
		`{"module":"builtins","class_name":"function","config":"l2","registered_name":"l2"}`:  `unknown regularizer "function"`,
		`{"module":"keras.regularizers","class_name":"L2","config":{},"compile_config":null}`: `unknown field "compile_config"`,
	} {
		var o Object[Regularizer]
		require.ErrorContains(t, decodeJSON(text, &o), want)
	}
}
