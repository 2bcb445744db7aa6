package nn

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
)

// readConfig sets the fields that a configuration of Keras has. Those that it has as null become zero: Keras' way to write that
// there is none of it, where a default may be another. A field that the type does not have is an error, unless Keras writes it
// for many classes and it has a value that changes nothing here.
func readConfig(v reflect.Value, config []byte) error {
	if v.Kind() != reflect.Struct {
		return decodeJSON(string(config), v.Addr().Interface())
	}
	if err := checkValues(string(config)); err != nil {
		return err
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(config, &fields); err != nil {
		return err
	}
	known := map[string]bool{}
	for _, f := range reflect.VisibleFields(v.Type()) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "" {
			continue
		}
		known[name] = true
		text, ok := fields[name]
		if !ok || string(text) != "null" || reflect.PointerTo(f.Type).Implements(reflect.TypeFor[json.Unmarshaler]()) {
			continue // an Unmarshaler knows what null is
		}
		if field, err := v.FieldByIndexErr(f.Index); err == nil { // else it is in a nil pointer, and so zero already
			field.SetZero()
		}
		delete(fields, name)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		valid := idleField(name)
		if valid == "" || known[name] {
			continue
		}
		if text := fields[name]; !isOneOf(valid, text) {
			return fmt.Errorf("field %q is %s, must be %s", name, brief.Cut(string(text), brief.MaxQuoted), valid)
		}
		delete(fields, name)
	}
	config, err := json.Marshal(fields)
	if err != nil {
		return err
	}
	return decodeJSON(string(config), v.Addr().Interface())
}

// idleField returns the values of a field of Keras with which a class that has no such field does the same, and "" for other
// fields. Seeds are among them: each layer draws from a stream of its own name here, so that no seed gives Keras' numbers.
func idleField(name string) string {
	switch name {
	case "name":
		return "a string or null"
	case "dtype":
		return `"float32" or null`
	case "seed", "implementation", "renorm_momentum":
		return "a number or null"
	case "trainable", "autocast":
		return "true or null"
	case "synchronized", "jit_compile":
		return "true or false or null"
	case "return_state", "stateful", "time_major", "sparse", "ragged", "optional", "renorm", "rms_scaling", "use_gate", "is_legacy_optimizer":
		return "false or null"
	case "data_format":
		return `"channels_last" or null`
	case "noise_shape", "activity_regularizer", "attention_axes", "quantization_config", "lora_rank", "lora_alpha", "gptq_unpacked_column_size",
		"renorm_clipping", "loss_scale_factor":
		return "null"
	case "batch_input_shape", "query_shape", "key_shape", "value_shape":
		return "a list or null" // the graph has the shapes
	}
	return ""
}

// isOneOf reports a value that is among the valid ones, which stand as in an error.
func isOneOf(valid string, value json.RawMessage) bool {
	var policy struct {
		Class  string `json:"class_name"`
		Config struct{ Name string }
	}
	if json.Unmarshal(value, &policy) == nil && policy.Class == "DTypePolicy" {
		value, _ = json.Marshal(policy.Config.Name)
	}
	for one := range strings.SplitSeq(valid, " or ") {
		first := value[0]
		switch {
		case one == string(value), one == "a string" && first == '"', one == "a list" && first == '[',
			one == "a number" && (first == '-' || first >= '0' && first <= '9'):
			return true
		}
	}
	return false
}

// An envelope is what Keras writes around a configuration. Keras 3 adds where the class is from.
type envelope struct {
	Module     string          `json:"module"`
	Class      string          `json:"class_name"`
	Config     json.RawMessage `json:"config"`
	Registered *string         `json:"registered_name"`
	Shared     int             `json:"shared_object_id"`
	Built      json.RawMessage `json:"build_config"`
}

// class returns the name under which the class must be registered here: that of Keras for one of its own, package and name for one
// that was registered there, module and name for any other.
func (e *envelope) class() string {
	keras := e.Module == "" || e.Module == "builtins" || strings.HasPrefix(e.Module, "keras") || strings.HasPrefix(e.Module, "tf_keras")
	switch {
	case e.Registered != nil && strings.Contains(*e.Registered, ">"):
		return *e.Registered
	case !keras:
		return e.Module + ">" + e.Class
	}
	return e.Class
}
