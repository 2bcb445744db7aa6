package keras

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/nn"
)

// An object is how Keras writes a layer, a model, an optimizer and everything else that has a class.
type object struct {
	Module     string          `json:"module"`
	Class      string          `json:"class_name"`
	Registered string          `json:"registered_name"`
	Config     json.RawMessage `json:"config"`
}

// An entry is a layer of a model, or the model of a file.
type entry struct {
	object
	Name    string          `json:"name"`
	Inbound json.RawMessage `json:"inbound_nodes"`
	Build   struct {
		InputShape json.RawMessage `json:"input_shape"`
	} `json:"build_config"`
	Compile json.RawMessage `json:"compile_config"`
	Version string          `json:"keras_version"`
}

// fields is a configuration.
type fields map[string]json.RawMessage

// isNull reports a value that is missing or null.
func isNull(text json.RawMessage) bool {
	return len(text) == 0 || string(text) == "null"
}

// name is what an object is registered as: custom objects have a name of their own.
func (o *object) name() string {
	if o.Registered != "" && !o.isKeras() {
		return o.Registered
	}
	return o.Class
}

// isKeras reports an object that does not come from the user's code.
func (o *object) isKeras() bool {
	root, _, _ := strings.Cut(o.Module, ".")
	return slices.Contains([]string{"keras", "tf_keras", "tensorflow", "keras_core"}, root) || o.Module == "" && o.Registered == ""
}

// simplify turns a value into how nn has it: an object has a class and a configuration alone, a tuple is a list, an array of
// numpy is its values, and a function its name.
func simplify(text json.RawMessage, depth int) (json.RawMessage, error) {
	text = bytes.TrimSpace(text)
	if depth > maxDepth {
		return nil, errTooDeep
	}
	switch {
	case bytes.HasPrefix(text, []byte("[")):
		var list []json.RawMessage
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, err
		}
		for i := range list {
			v, err := simplify(list[i], depth+1)
			if err != nil {
				return nil, err
			}
			list[i] = v
		}
		return json.Marshal(list)
	case !bytes.HasPrefix(text, []byte("{")):
		return text, nil
	}
	var of struct {
		object
		Items json.RawMessage `json:"items"` // of a tuple
		Type  string          `json:"type"`  // "ndarray": an array as Keras 2 writes it
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(text, &of); err != nil {
		return nil, err
	}
	switch {
	case of.Type == "ndarray":
		return of.Value, nil
	case of.Class == "__tuple__":
		return simplify(of.Items, depth+1)
	case of.Class == "__numpy__":
		var array struct{ Value json.RawMessage }
		err := json.Unmarshal(of.Config, &array)
		return array.Value, err
	case of.Class == "function":
		if of.isKeras() {
			return of.Config, nil
		}
		return nil, fmt.Errorf("is the Python function %s: register one of the same meaning and name it in the file", brief.Quote(string(of.Config)))
	}
	var config fields
	inner := of.Config
	if of.Class == "" {
		inner = text
	}
	if !isNull(inner) {
		if err := json.Unmarshal(inner, &config); err != nil {
			return nil, err
		}
	}
	for name, v := range config {
		v, err := simplify(v, depth+1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		config[name] = v
	}
	if of.Class == "" {
		return json.Marshal(config)
	}
	return json.Marshal(struct {
		Class  string `json:"class_name"`
		Config fields `json:"config"`
	}{of.name(), config})
}

const maxDepth = 64 // of values within values, and of models within models

var errTooDeep = fmt.Errorf("has more than %d levels", maxDepth)

// A reader turns the configuration of a model into layers. It gathers everything that it doesn't know, so that one error has
// all of it.
type reader struct {
	version  int // of Keras: 1, 2 or 3
	options  options
	hint     func(layer string) int // how many features the weights of a layer want, 0 if that is not known
	calls    int                    // of layers in the file
	nodes    int                    // that the calls of models make
	errs     []error
	bytes    int64 // of the weights of models within models
	maxBytes int64 // of all weights: a file has not many more than its size
	weights  bool  // the file has all weights
	classes  bool  // the error with all valid classes is among errs
}

func (r *reader) errorf(path, format string, args ...any) {
	if len(r.errs) < brief.MaxListed {
		r.errs = append(r.errs, fmt.Errorf("%s: %w", path, fmt.Errorf(format, args...)))
	}
}

// versionOf returns the version of Keras that wrote a configuration, from its name or from what it looks like.
func versionOf(name string, config []byte) int {
	switch {
	case strings.HasPrefix(name, "1."):
		return 1
	case strings.HasPrefix(name, "2."), name == "" && bytes.Contains(config, []byte(`"batch_input_shape"`)):
		return 2
	}
	return 3
}

// kind returns the kind of a layer with a configuration, nil after an error. Arguments of its calls count as configuration.
func (r *reader) kind(path string, o object, arguments fields, depth int) nn.Kind {
	if depth > maxDepth {
		r.errorf(path, "%w", errTooDeep)
		return nil
	}
	if reason, ok := refused[o.Class]; ok && o.isKeras() {
		r.errorf(path, "%s: %s", o.Class, reason)
		return nil
	}
	config := fields{}
	if !isNull(o.Config) {
		if err := json.Unmarshal(o.Config, &config); err != nil {
			r.errorf(path, "config: %w", err)
			return nil
		}
	}
	for name, v := range arguments {
		config[name] = v
	}
	if o.Class == groupQuery {
		o.Class = groupedQuery
	}
	if r.version < 3 {
		o.Class = r.upgrade(o.Class, config)
	}
	if err := checkDType(config["dtype"]); err != nil {
		r.errorf(path, "%w", err)
	}
	for _, f := range layerFields {
		delete(config, f)
	}
	failed := len(r.errs)
	for name, v := range config {
		within := object{}
		if strings.HasSuffix(name, "layer") && json.Unmarshal(v, &within) == nil && within.Class != "" {
			if k := r.kind(path+"/"+name, within, nil, depth+1); k != nil {
				v, err := json.Marshal(nn.Object[nn.Kind]{Value: k})
				if err != nil {
					r.errorf(path+"/"+name, "%w", err)
				}
				config[name] = v
			}
			continue
		}
		v, err := simplify(v, 0)
		if err == nil && strings.HasSuffix(name, "activation") {
			v, err = r.activation(v)
		}
		if err != nil {
			r.errorf(path, "%s %w", name, err)
		}
		config[name] = v
	}
	if len(r.errs) > failed {
		return nil
	}
	k, err := r.decode(path, o, config)
	if err != nil {
		r.errorf(path, "%s: %w", o.Class, err)
		return nil
	}
	if len(r.errs) > failed {
		return nil
	}
	return k
}

// layerFields are in the configuration of each layer, and say nothing about its class.
var layerFields = []string{"name", "trainable", "dtype", "batch_input_shape"}

// decode reads a configuration. Fields that nn does not have are left out if they change nothing, else they are reported.
func (r *reader) decode(path string, o object, config fields) (nn.Kind, error) {
	class := o.name()
	for {
		text, err := json.Marshal(struct {
			Class  string `json:"class_name"`
			Config fields `json:"config"`
		}{class, config})
		if err != nil {
			return nil, err
		}
		var kind nn.Object[nn.Kind]
		err = json.Unmarshal(text, &kind)
		if err == nil {
			if !o.isKeras() && isOurs(kind.Value) {
				return nil, fmt.Errorf("is a class of the Python module %s: register a Kind for it under another name, and name that as its registered_name", brief.Quote(o.Module))
			}
			return kind.Value, nil
		}
		if strings.Contains(err.Error(), "unknown class") {
			if r.classes {
				return nil, errors.New("unknown class")
			}
			r.classes = true
			return nil, err
		}
		field, problem := fieldError(err)
		v, have := config[field]
		if !have {
			return nil, err
		}
		if !harmless(field, v) {
			r.errorf(path, "%s: config field %s is %s, %s", o.Class, brief.Quote(field), brief.Cut(string(v), brief.MaxQuoted), problem)
		}
		delete(config, field)
	}
}

// A field that nn does not take is in one of two errors.
var fieldErrors = []*regexp.Regexp{
	regexp.MustCompile(`json: unknown field "([^"]*)"$`),
	regexp.MustCompile(`field "([^"]*)" is .*, (must be .*)$`),
}

// fieldError returns the field that an error of a configuration is about, and what is wrong with it.
func fieldError(err error) (field, problem string) {
	if m := fieldErrors[0].FindStringSubmatch(err.Error()); m != nil {
		return m[1], "which is not known"
	}
	if m := fieldErrors[1].FindStringSubmatch(err.Error()); m != nil {
		return m[1], m[2]
	}
	return "", ""
}
