package keras

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/hdf5"
	"github.com/espalier-ml/espalier/internal/newfile"
	"github.com/espalier-ml/espalier/nn"
)

// kerasVersion is the version of Keras whose format is written.
const kerasVersion = "3.10.0"

// Save writes a model for Keras 3, in the format of the path's ending: .keras, .h5, or .weights.h5 for the weights alone. It has what
// the model is compiled with if Keras has all of it, and the state of the optimizers Adam, AdamW, Adamax, Lamb, Lion, SGD, RMSprop,
// Adagrad, Adadelta and Ftrl, unless they average weights or accumulate gradients. A layer of your own is written under the name
// that it is registered under. The file is complete or not there at all.
func Save(m *nn.Model, path string) error {
	var write func(w io.Writer, m *nn.Model) error
	switch {
	case strings.HasSuffix(path, ".keras"):
		write = writeZip
	case strings.HasSuffix(path, ".weights.h5"):
		write = writeWeights
	case strings.HasSuffix(path, ".h5"):
		write = writeHDF5
	default:
		return fmt.Errorf("keras: Save %q: the name must end in .keras, .h5 or .weights.h5", path)
	}
	if err := newfile.Write(path, func(w io.Writer) (int64, error) { return 0, write(w, m) }); err != nil {
		return brief.Error(fmt.Errorf("keras: Save %q: %w", path, err))
	}
	return nil
}

// Write writes a model as a .keras file.
func Write(w io.Writer, m *nn.Model) error {
	if err := writeZip(w, m); err != nil {
		return brief.Error(fmt.Errorf("keras: Write: %w", err))
	}
	return nil
}

func writeZip(w io.Writer, m *nn.Model) error {
	config, err := modelConfig(m)
	if err != nil {
		return err
	}
	compiled, err := compileConfig(m)
	if err != nil {
		return err
	}
	if compiled != nil {
		config["compile_config"] = compiled
	}
	var weights bytes.Buffer
	if err := writeWeights(&weights, m); err != nil {
		return err
	}
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	z := zip.NewWriter(w)
	for _, f := range []struct {
		name string
		text []byte
	}{
		{"metadata.json", []byte(`{"keras_version": "` + kerasVersion + `", "date_saved": "1980-01-01@00:00:00"}`)},
		{"config.json", text},
		{"model.weights.h5", weights.Bytes()},
	} {
		part, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Store})
		if err == nil {
			_, err = part.Write(f.text)
		}
		if err != nil {
			return err
		}
	}
	return z.Close()
}

// writeWeights writes model.weights.h5.
func writeWeights(w io.Writer, m *nn.Model) error {
	file := hdf5.NewFile()
	if err := writeLayers(file, "", m.Name(), treeOf(m), variablesOf(m)); err != nil {
		return err
	}
	if _, ok := m.Compiled(); ok {
		if _, err := writeOptimizer(file.Group("optimizer/vars"), m, strconv.Itoa); err != nil {
			return err
		}
	}
	return file.Write(w)
}

// writeLayers writes the weights of a model's layers in Keras 3's layout, the reverse of what tree.model reads.
func writeLayers(file *hdf5.Node, prefix, name string, m *model, all []variable) error {
	file.Group(prefix+"vars").SetText("name", name)
	layers := byLayer(all)
	count := map[string]int{}
	for _, l := range m.layers {
		at := prefix + "layers/" + l.group()
		if n := count[l.group()]; n > 0 {
			at = fmt.Sprintf("%s_%d", at, n)
		}
		count[l.group()]++
		own := layers[l.name]
		if l.sub != nil {
			if err := writeLayers(file, at+"/", l.name, l.sub, own); err != nil {
				return err
			}
			continue
		}
		file.Group(at+"/vars").SetText("name", l.name)
		next := map[string]int{}
		for _, v := range own {
			part := partOf(l.kind, v.name)
			g := file.Group(at + "/" + part + "vars")
			g.Dataset(fmt.Sprint(next[part]), v.Shape, v.Data)
			next[part]++
		}
		if counts(l, own) {
			file.Dataset(at+"/vars/2", nil, []int32{0})
		}
	}
	return nil
}

// counts reports a layer that has a weight more in Keras: how many rows it has been adapted to.
func counts(l *layer, own []variable) bool { return l.class == "Normalization" && len(own) == 2 }

// partOf returns in which part of a layer a weight is, as a path with a slash at its end, "" for the layer itself.
func partOf(k nn.Kind, weight string) string {
	class, config := classOf(k)
	var within struct {
		Layer object `json:"layer"`
	}
	name, _, nested := strings.Cut(weight, "/")
	switch {
	case class == "LSTM" || class == "GRU" || class == "SimpleRNN":
		return "cell/"
	case class == "Bidirectional" && nested:
		return name + "_layer/cell/"
	case class == "TimeDistributed" && json.Unmarshal(config, &within) == nil:
		if in, err := decodeKind(within.Layer); err == nil {
			return "layer/" + partOf(in, weight)
		}
	case nested && class == "MultiHeadAttention" || class == groupedQuery:
		if name == "attention_output" {
			name = "output"
		}
		if name += "_dense/"; class == groupedQuery {
			name = "_" + name // it has no public property
		}
		return name
	}
	return ""
}

// decodeKind returns the kind of a layer within another one, of its configuration.
func decodeKind(o object) (nn.Kind, error) {
	text, err := json.Marshal(map[string]any{"class_name": o.Class, "config": o.Config})
	if err != nil {
		return nil, err
	}
	var k nn.Object[nn.Kind]
	err = json.Unmarshal(text, &k)
	return k.Value, err
}

// classOf returns the class of a kind and its configuration.
func classOf(k nn.Kind) (string, json.RawMessage) {
	var o object
	text, err := json.Marshal(nn.Object[nn.Kind]{Value: k})
	if err != nil || json.Unmarshal(text, &o) != nil {
		return "", nil
	}
	return o.Class, o.Config
}

// writeHDF5 writes a whole model as .h5.
func writeHDF5(w io.Writer, m *nn.Model) error {
	config, err := modelConfig(m)
	if err != nil {
		return err
	}
	text, err := json.Marshal(map[string]any{"class_name": config["class_name"], "config": config["config"]})
	if err != nil {
		return err
	}
	file := hdf5.NewFile()
	file.SetText("backend", "tensorflow")
	file.SetText("keras_version", kerasVersion)
	file.SetText("model_config", string(text))
	weights := file.Group("model_weights")
	weights.SetText("backend", "tensorflow")
	weights.SetText("keras_version", kerasVersion)
	tree, layers := treeOf(m), byLayer(variablesOf(m))
	var names []string
	for _, l := range tree.layers {
		names = append(names, l.name)
		g := weights.Group(l.name)
		var of []string
		for _, v := range l.flat(layers[l.name]) {
			name := l.name + "/" + v.name
			of = append(of, name)
			g.Dataset(name, v.Shape, v.Data)
		}
		if counts(l, layers[l.name]) {
			of = append(of, l.name+"/count")
			g.Dataset(l.name+"/count", nil, []int32{0})
		}
		g.SetStringList("weight_names", of)
	}
	weights.SetStringList("layer_names", names)
	weights.Group("top_level_model_weights").SetStringList("weight_names", nil)
	compiled, err := compileConfig(m)
	if err != nil {
		return err
	}
	if compiled != nil {
		optimizer := compiled["optimizer"].(map[string]any)
		training, err := json.Marshal(map[string]any{
			"loss": compiled["loss"], "loss_weights": compiled["loss_weights"], "metrics": compiled["metrics"], "weighted_metrics": compiled["weighted_metrics"],
			"optimizer_config": map[string]any{"class_name": optimizer["class_name"], "config": optimizer["config"]},
		})
		if err != nil {
			return err
		}
		file.SetText("training_config", string(training))
		variable := func(i int) string { return fmt.Sprint("variable_", i) }
		g := file.Group("optimizer_weights")
		n, err := writeOptimizer(g, m, variable)
		if err != nil {
			return err
		}
		var of []string
		for i := range n {
			of = append(of, variable(i))
		}
		g.SetStringList("weight_names", of)
	}
	return file.Write(w)
}
