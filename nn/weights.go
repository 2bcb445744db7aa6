package nn

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/newfile"
	"github.com/espalier-ml/espalier/safetensors"
)

// SaveWeights writes the weights alone to a file in the safetensors format, under their names, such as "dense/kernel". The
// file is complete or not there at all, as that of [Model.Save]. Weights that are not finite are an error.
func (m *Model) SaveWeights(path string) error {
	var tensors []safetensors.Tensor
	for _, w := range m.weights {
		t := tensor{w.Name, w.Shape, &w.Data}
		if err := t.check(); err != nil {
			return brief.Error(fmt.Errorf("nn: SaveWeights %q: %w", path, err))
		}
		tensors = append(tensors, safetensors.Tensor{Name: w.Name, Shape: w.Shape, Data: w.Data[:w.Shape.Elements()]})
	}
	err := newfile.Write(path, func(w io.Writer) (int64, error) { return 0, safetensors.Write(w, nil, tensors) })
	if err != nil {
		return brief.Error(fmt.Errorf("nn: SaveWeights %q: %w", path, err))
	}
	return nil
}

// LoadWeights replaces all weights by those of a file that SaveWeights wrote, or any other file in the safetensors format that
// has the same names and shapes and no others. After an error the weights are as they were. The state of the optimizer stays.
func (m *Model) LoadWeights(path string) error {
	if err := m.loadWeights(path); err != nil {
		return brief.Error(fmt.Errorf("nn: LoadWeights %q: %w", path, err))
	}
	return nil
}

func (m *Model) loadWeights(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, tensors, err := safetensors.Read(f)
	if err != nil {
		return err
	}
	values, shapes := map[string][]float32{}, map[string]Shape{}
	for _, t := range tensors {
		values[t.Name], shapes[t.Name] = t.Data, t.Shape
	}
	mine := map[string]bool{}
	var errs []error
	for _, w := range m.weights {
		mine[w.Name] = true
		if s, ok := shapes[w.Name]; ok && !slices.Equal(s, w.Shape) {
			errs = append(errs, fmt.Errorf("weight %s has shape %s, that of the file %s", brief.Quote(w.Name), w.Shape, s))
		}
	}
	errs = append(errs, checkUnknown("weight", values, mine), checkMissing("weight", values, mine))
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return m.SetWeights(values)
}
