package keras

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/nn"
)

// refused are the layers that no model can have, with what to do instead.
var refused = func() map[string]string {
	all := map[string]string{
		"Lambda":     "holds Python code, which is never executed: write what it does as a class of layers, and register a Kind for it",
		"TFSMLayer":  "holds a TensorFlow SavedModel, whose graph is not in the file: load it in Python and save the model that it was made of",
		"TFOpLambda": "is a call of a TensorFlow function outside of a layer: write it as a class of layers, and register a Kind for it",
	}
	all["SlicingOpLambda"], all["TensorFlowOpLayer"] = all["TFOpLambda"], all["TFOpLambda"]
	for _, class := range []string{
		"CategoryEncoding", "CenterCrop", "Discretization", "Hashing", "HashedCrossing", "IntegerLookup", "RandomBrightness", "RandomContrast",
		"RandomCrop", "RandomFlip", "RandomHeight", "RandomRotation", "RandomTranslation", "RandomWidth", "RandomZoom", "Resizing", "StringLookup", "TextVectorization",
	} {
		all[class] = "prepares data: do that before the model, and save the model that begins behind this layer"
	}
	return all
}()

// A class that Keras exports under another name than it has.
const groupQuery, groupedQuery = "GroupQueryAttention", "GroupedQueryAttention"

// harmless reports a field that changes no prediction with this value, in addition to those that nn knows.
func harmless(field string, value json.RawMessage) bool {
	switch field {
	case "batch_shape", "input_shape", "input_dtype", "input_length", "input_dim": // the graph has the shapes
		return true
	case "unroll", "fused", "build_config": // how it is computed
		return true
	case "return_attention_scores":
		return string(value) == "false"
	}
	return isNull(value)
}

// checkDType reports what a layer would compute with less than float32.
func checkDType(text json.RawMessage) error {
	var policy struct {
		Config struct{ Name string } `json:"config"`
	}
	name := ""
	if isNull(text) || json.Unmarshal(text, &name) != nil && json.Unmarshal(text, &policy) != nil {
		return nil
	}
	if name == "" {
		name = policy.Config.Name
	}
	switch name {
	case "", "float32", "float64", "int32", "int64":
		return nil
	case "string":
		return errStrings
	}
	return fmt.Errorf("dtype %s: only float32 is computed; set the layer's dtype policy to float32 and save the model again", brief.Quote(name))
}

var errStrings = errors.New("is for strings, which are prepared before the model: save the model that begins behind it")

// isOurs reports a value of a class that package nn has.
func isOurs(v any) bool {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath() == reflect.TypeFor[nn.Model]().PkgPath()
}

// upgrade writes a configuration of Keras 1 or 2 as one of Keras 3, and returns the class that it has now.
func (r *reader) upgrade(class string, config fields) string {
	if r.version == 1 {
		class = upgrade1(class, config)
	}
	switch class {
	case "LeakyReLU":
		rename(config, "alpha", "negative_slope")
	case "GRU":
		if _, ok := config["reset_after"]; !ok {
			config["reset_after"] = json.RawMessage("false")
		}
	}
	for _, f := range []string{"activation", "recurrent_activation"} {
		if string(config[f]) == `"hard_sigmoid"` {
			config[f] = json.RawMessage(`"` + hardSigmoid2 + `"`)
		}
	}
	return class
}

func rename(config fields, from, to string) {
	if v, ok := config[from]; ok {
		delete(config, from)
		config[to] = v
	}
}

// upgrade1 writes a configuration of Keras 1 as one of Keras 2.
func upgrade1(class string, config fields) string {
	if class != "Embedding" {
		rename(config, "output_dim", "units")
	}
	for _, n := range [][2]string{
		{"init", "kernel_initializer"}, {"inner_init", "recurrent_initializer"}, {"inner_activation", "recurrent_activation"}, {"bias", "use_bias"},
		{"W_regularizer", "kernel_regularizer"}, {"U_regularizer", "recurrent_regularizer"}, {"b_regularizer", "bias_regularizer"},
		{"W_constraint", "kernel_constraint"}, {"b_constraint", "bias_constraint"},
		{"p", "rate"}, {"sigma", "stddev"}, {"dropout_W", "dropout"}, {"dropout_U", "recurrent_dropout"},
		{"nb_filter", "filters"}, {"border_mode", "padding"}, {"subsample", "strides"}, {"filter_length", "kernel_size"}, {"subsample_length", "strides"},
		{"pool_length", "pool_size"}, {"stride", "strides"}, {"dim_ordering", "data_format"},
		{"beta_init", "beta_initializer"}, {"gamma_init", "gamma_initializer"}, {"forget_bias_init", "unit_forget_bias"},
	} {
		rename(config, n[0], n[1])
	}
	if rows, columns := config["nb_row"], config["nb_col"]; rows != nil && columns != nil {
		config["kernel_size"] = json.RawMessage("[" + string(rows) + "," + string(columns) + "]")
		delete(config, "nb_row")
		delete(config, "nb_col")
	}
	switch string(config["data_format"]) {
	case `"tf"`:
		config["data_format"] = json.RawMessage(`"channels_last"`)
	case `"th"`:
		config["data_format"] = json.RawMessage(`"channels_first"`)
	}
	if v, ok := config["unit_forget_bias"]; ok {
		config["unit_forget_bias"] = json.RawMessage(fmt.Sprint(string(v) == `"one"`))
	}
	if string(config["mode"]) == "0" { // of a batch normalization: each feature by itself
		delete(config, "mode")
	}
	for _, f := range []string{"kernel_initializer", "recurrent_initializer", "consume_less"} { // start values have other names, and are not needed
		delete(config, f)
	}
	delete(config, "beta_initializer")
	delete(config, "gamma_initializer")
	switch class {
	case "Convolution1D", "Convolution2D":
		return "Conv" + strings.TrimPrefix(class, "Convolution")
	}
	return class
}
