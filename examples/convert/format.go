package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/keras"
	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/onnx"
	"github.com/espalier-ml/espalier/torch"
)

// A format is what files with certain endings hold. What it cannot do is nil.
type format struct {
	endings []string
	about   string
	read    func(path string, shapes map[string][]int) (*nn.Model, error)
	weights func(path string, m *nn.Model) (*torch.Report, error) // sets the weights of m; the report may be nil
	write   func(path string, m *nn.Model) error
	part    bool // write writes weights alone
}

// formats are looked through in their order: .weights.h5 comes before .h5.
var formats = []format{
	{[]string{".espalier"}, "Espalier's own files, with what training needs to go on", readOwn, nil, func(path string, m *nn.Model) error { return m.Save(path) }, false},
	{[]string{".safetensors"}, "weights as PyTorch has them; as a source without -model, Espalier's own file", readOwn, torchWeights, writeTorch, true},
	{[]string{".pt", ".pth"}, "weights as torch.save writes a state_dict; a source only, with -model", nil, torchWeights, nil, false},
	{[]string{".weights.h5"}, "weights of Keras; as a source with -model", nil, kerasWeights, writeKeras, true},
	{[]string{".keras", ".h5"}, "models of Keras; with -model, their weights", readKeras, kerasWeights, writeKeras, false},
	{[]string{".onnx"}, "ONNX", readONNX, nil, func(path string, m *nn.Model) error { return onnx.Save(path, m) }, false},
}

func formatOf(path string) (format, error) {
	var all []string
	for _, f := range formats {
		if slices.ContainsFunc(f.endings, func(ending string) bool { return strings.HasSuffix(strings.ToLower(path), ending) }) {
			return f, nil
		}
		all = append(all, f.endings...)
	}
	return format{}, fmt.Errorf("%s: the ending is none of %s", path, strings.Join(all, ", "))
}

// load returns the model of the source, and says which weights went where if they are in a file of their own.
func (o options) load(stdout io.Writer) (*nn.Model, error) {
	if o.model == "" {
		return read(o.source, o.shapes)
	}
	m, err := read(o.model, o.shapes)
	if err != nil {
		return nil, err
	}
	report, err := setWeights(o.source, m)
	if err == nil && report != nil {
		fmt.Fprint(stdout, report)
	}
	return m, err
}

func read(path string, shapes map[string][]int) (*nn.Model, error) {
	f, err := formatOf(path)
	if err == nil && f.read == nil {
		err = fmt.Errorf("%s has weights alone: give the model that they are for with -model", path)
	}
	if err != nil {
		return nil, err
	}
	return f.read(path, shapes)
}

func setWeights(path string, m *nn.Model) (*torch.Report, error) {
	f, err := formatOf(path)
	if err == nil && f.weights == nil {
		err = fmt.Errorf("%s is a whole model: leave out -model", path)
	}
	if err != nil {
		return nil, err
	}
	return f.weights(path, m)
}

func save(m *nn.Model, path string) error {
	f, err := formatOf(path)
	if err == nil && f.write == nil {
		err = fmt.Errorf("%s: only PyTorch writes this format; it reads weights from .safetensors, too", path)
	}
	if err != nil {
		return err
	}
	return f.write(path, m)
}

func readOwn(path string, _ map[string][]int) (*nn.Model, error) {
	m, err := nn.Load(path)
	if err != nil && strings.HasSuffix(strings.ToLower(path), ".safetensors") {
		err = fmt.Errorf("%w; for weights of PyTorch give the model with -model", err)
	}
	return m, err
}

func readKeras(path string, shapes map[string][]int) (*nn.Model, error) {
	var opts []keras.LoadOption
	for input, shape := range shapes {
		opts = append(opts, keras.InputShape(input, shape...))
	}
	return keras.Load(path, opts...)
}

func readONNX(path string, shapes map[string][]int) (*nn.Model, error) {
	var opts []onnx.Option
	for input, shape := range shapes {
		opts = append(opts, onnx.InputShape(input, shape...))
	}
	return onnx.Load(path, opts...)
}

func kerasWeights(path string, m *nn.Model) (*torch.Report, error) {
	return nil, keras.LoadWeights(m, path)
}
func torchWeights(path string, m *nn.Model) (*torch.Report, error) { return torch.Load(path, m) }
func writeKeras(path string, m *nn.Model) error                    { return keras.Save(m, path) }

func writeTorch(path string, m *nn.Model) error {
	var file bytes.Buffer
	if err := torch.Write(&file, m); err != nil {
		return err
	}
	return os.WriteFile(path, file.Bytes(), 0o666)
}
