package keras

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/nn"
)

// A WeightsOption configures LoadWeights.
type WeightsOption interface{ applyWeights(*bool) }

// A ByNameOption says that layers are found by their names.
type ByNameOption struct{}

// ByName takes the weights of those layers that have a name of the file's, and leaves the others as they are. In files of
// TF-Keras named .keras, layers have no names.
func ByName() ByNameOption { return ByNameOption{} }

func (ByNameOption) applyWeights(byName *bool) { *byName = true }

// LoadWeights replaces the weights of a model by those of a .h5, .weights.h5 or .keras file, whatever else that has. As in Keras,
// layers are found by their order: the first layer of a class has the weights of the first one of that class in the file, or in a
// .h5 file those of the first layer with weights. After an error the weights are as they were. The state of the optimizer stays.
func LoadWeights(m *nn.Model, path string, opts ...WeightsOption) error {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		var info os.FileInfo
		if info, err = f.Stat(); err == nil {
			err = loadWeights(m, f, info.Size(), opts)
		}
	}
	if err != nil {
		return brief.Error(fmt.Errorf("keras: LoadWeights %q: %w", path, err))
	}
	return nil
}

func loadWeights(m *nn.Model, in io.ReaderAt, size int64, opts []WeightsOption) error {
	byName := false
	for i, o := range opts {
		if o == nil {
			return fmt.Errorf("option %d is nil", i)
		}
		o.applyWeights(&byName)
	}
	f, err := open(in, size)
	if err != nil {
		return err
	}
	pairs, err := f.match(treeOf(m), variablesOf(m), byName)
	if err != nil {
		return err
	}
	if len(pairs) == 0 {
		return errors.New("has no weights for the model")
	}
	values := map[string][]float32{}
	for _, p := range pairs {
		values[p.Name] = slices.Clone(p.Data)
		if err := p.read(values[p.Name]); err != nil {
			return err
		}
	}
	return m.SetWeights(values)
}

// treeOf returns the layers of a model.
func treeOf(m *nn.Model) *model {
	t := &model{name: m.Name()}
	for _, l := range m.Layers() {
		of := &layer{name: l.Name(), path: fmt.Sprintf("layer %s", brief.Quote(l.Name())), class: l.Class(), kind: l.Kind()}
		if s, err := m.Submodel(l.Name()); err == nil {
			of.sub = treeOf(s)
		}
		t.layers = append(t.layers, of)
	}
	return t
}
