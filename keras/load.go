package keras

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/nn"
)

// A LoadOption configures what reads a model.
type LoadOption interface{ applyLoad(*options) }

type options struct {
	shapes map[string][]int
	used   map[string]bool
}

// An InputShapeOption is the shape of an input.
type InputShapeOption struct {
	input string
	shape []int
}

// InputShape gives an input its shape, without the batch, where Keras leaves the size of an axis open or the file does not say
// it: a model of Espalier is for data of one shape.
func InputShape(input string, shape ...int) InputShapeOption { return InputShapeOption{input, shape} }

func (o InputShapeOption) applyLoad(c *options) { c.shapes[o.input] = o.shape }

func newOptions(opts []LoadOption) (options, error) {
	c := options{map[string][]int{}, map[string]bool{}}
	for i, o := range opts {
		if o == nil {
			return c, fmt.Errorf("option %d is nil", i)
		}
		o.applyLoad(&c)
	}
	return c, nil
}

// Load returns the model of a .keras or .h5 file; see the package for what is read.
func Load(path string, opts ...LoadOption) (*nn.Model, error) {
	f, err := os.Open(path)
	return load(path, f, err, opts)
}

// LoadFS is Load from a file system, such as an embed.FS.
func LoadFS(fsys fs.FS, name string, opts ...LoadOption) (*nn.Model, error) {
	f, err := fsys.Open(name)
	return load(name, f, err, opts)
}

func load(path string, f fs.File, err error, opts []LoadOption) (*nn.Model, error) {
	var m *nn.Model
	if err == nil {
		defer f.Close()
		m, err = loadFile(f, opts)
	}
	if err != nil {
		return nil, brief.Error(fmt.Errorf("keras: Load %q: %w", path, err))
	}
	return m, nil
}

// errSavedModel says what to do with what TensorFlow saves.
var errSavedModel = errors.New("is a TensorFlow SavedModel, a graph of TensorFlow's own operations: load it in Python with tf.keras.models.load_model " +
	"and save it with model.save(\"model.keras\")")

func loadFile(f fs.File, opts []LoadOption) (*nn.Model, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errSavedModel
	}
	if r, ok := f.(io.ReaderAt); ok {
		return read(r, info.Size(), opts)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return read(bytes.NewReader(text), int64(len(text)), opts)
}

// Read is Load from a reader of size bytes, such as a bytes.Reader.
func Read(r io.ReaderAt, size int64, opts ...LoadOption) (*nn.Model, error) {
	m, err := read(r, size, opts)
	if err != nil {
		return nil, brief.Error(fmt.Errorf("keras: Read: %w", err))
	}
	return m, nil
}

func read(in io.ReaderAt, size int64, opts []LoadOption) (*nn.Model, error) {
	c, err := newOptions(opts)
	if err != nil {
		return nil, err
	}
	f, err := open(in, size)
	if err != nil {
		return nil, err
	}
	if f.config == nil {
		return nil, errors.New("has weights and no model: make the model, with FromJSON or with nn, and load them with LoadWeights")
	}
	m, graph, err := f.model(c)
	if err != nil {
		return nil, err
	}
	if err := f.assign(m, graph); err != nil {
		return nil, err
	}
	if f.compile(m) == nil && versionOf(f.version, f.config) == 3 {
		_ = f.optimizerState(m) // one that does not fit is left out, as Keras does
	}
	return m, nil
}

// FromJSON returns the model of a configuration, what Keras' model.to_json() returns, with weights as at the start of training.
// [LoadWeights] has those of a file.
func FromJSON(text []byte, opts ...LoadOption) (*nn.Model, error) {
	c, err := newOptions(opts)
	if err == nil {
		var m *nn.Model
		if m, _, err = (&file{config: text}).model(c); err == nil {
			return m, nil
		}
	}
	return nil, brief.Error(fmt.Errorf("keras: FromJSON: %w", err))
}

// model makes the model of a file, with weights to start from.
func (f *file) model(c options) (*nn.Model, *model, error) {
	if len(f.config) > maxConfig {
		return nil, nil, fmt.Errorf("the configuration has %d bytes, at most %d are possible", len(f.config), maxConfig)
	}
	var e entry
	if err := json.Unmarshal(f.config, &e); err != nil {
		return nil, nil, fmt.Errorf("config: %w", err)
	}
	if f.version == "" {
		f.version = e.Version
	}
	if f.training == nil {
		f.training = e.Compile
	}
	r := &reader{version: versionOf(f.version, f.config), options: c, hint: f.hint, maxBytes: math.MaxInt64}
	if f.weights != nil {
		r.weights, r.maxBytes = true, 2*f.size+1<<20
	}
	if !e.isModel() {
		return nil, nil, fmt.Errorf("is a model of class %s, whose graph is in Python code and not in the file: rebuild it as a Functional model and save that", brief.Quote(e.name()))
	}
	graph := r.model("", e, 0)
	if len(r.errs) > 0 {
		return nil, nil, errors.Join(r.errs...)
	}
	graph.freeze(!graph.trainable)
	m, err := r.build(graph, graph.name, nil)
	if err != nil {
		return nil, nil, err
	}
	for name := range c.shapes {
		if !c.used[name] {
			return nil, nil, fmt.Errorf("InputShape: unknown input %s: valid are %s", brief.Quote(name), brief.QuoteAll(m.InputNames()))
		}
	}
	return m, graph, nil
}

// maxConfig is how many bytes the configuration of a model may have.
const maxConfig = 16 << 20
