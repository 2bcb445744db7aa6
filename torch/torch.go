// Package torch takes weights that PyTorch has trained into a model of nn, and writes them back. Build the model with the layers
// that the module has, then
//
//	report, err := torch.Load("weights.pt", m)
//
// sets all of its weights. It reads .safetensors and what torch.save(model.state_dict(), path) writes, .pt or .pth. Such a file
// is a pickle, a program for Python: here it is read as data, nothing of it is executed, and what is not a tensor, a dictionary,
// a list, a tuple, a string or a number is refused by its name, see [RefusedError].
//
// Layouts are changed on the way: nn.Linear has [out, in], [nn.Dense] has [in, out]; nn.Conv1d and nn.Conv2d have [out, in, k...];
// nn.GRU has its gates in another order; recurrent modules have two biases, and a layer k > 0 of one is a module of its own here,
// called "rnn[k]"; nn.MultiheadAttention has query, key and value in one matrix. nn.Embedding, the normalizations, nn.PReLU,
// nn.RNN, nn.LSTM and bidirectional ones come too. Of a layer that PyTorch does not have, the file must have the weights by their
// own names and shapes. The counter num_batches_tracked is left out.
//
// What is not in the file must be right in the model: the activations, PyTorch's epsilon of 1e-5 in normalizations, the order
// of the axes. PyTorch has channels before places: where it flattens a picture in front of an nn.Linear, put nn.Permute([]int{3, 1, 2})
// in front of nn.Flatten.
//
// Which module becomes which layer is said by [Names], a table, or [Rename], a function. With neither, a module goes to the layer
// of its name, dots being underscores; all others go by order: each layer, in the order of [nn.Model.Layers], takes the first
// module left whose tensors have the right names and shapes. Where that could be wrong, it is an error: names in alphabetical order
// may have been sorted, so that of several modules that fit one layer only numbers in their names tell which comes first.
package torch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/newfile"
	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/safetensors"
)

// A LoadOption configures how a file becomes the weights of a model.
type LoadOption interface{ applyLoad(*mapping) }

// A WriteOption configures what the weights of a model are called in a file.
type WriteOption interface{ applyWrite(*mapping) }

// A mapping says what belongs to what.
type mapping struct {
	names   map[string]string
	rename  func(string) string
	under   string
	partial bool
}

// A NamesOption is a table of names.
type NamesOption map[string]string

// Names says where modules go, "trunk.0" to layer "dense", or tensors, "trunk.0.weight" to weight "dense/kernel". What the table
// does not have is not used. [Save] reads it the other way.
func Names(torchToModel map[string]string) NamesOption { return maps.Clone(torchToModel) }

func (o NamesOption) applyLoad(c *mapping)  { c.names = o }
func (o NamesOption) applyWrite(c *mapping) { c.names = o }

// A RenameOption is a function of names.
type RenameOption func(tensor string) string

// Rename says by a function which weight, such as "dense/kernel", a tensor belongs to: "" for none.
func Rename(f func(tensor string) string) RenameOption { return f }

func (o RenameOption) applyLoad(c *mapping) { c.rename = o }

// An UnderOption is the dictionary that has the weights.
type UnderOption string

// Under says that the names of all tensors begin with a prefix and a dot, which other options leave out: "model_state_dict" in many
// checkpoints, "module" after nn.DataParallel. Tensors with other names are not looked at, not even for the report.
func Under(prefix string) UnderOption { return UnderOption(prefix) }

func (o UnderOption) applyLoad(c *mapping)  { c.under = string(o) + "." }
func (o UnderOption) applyWrite(c *mapping) { c.under = string(o) + "." }

// A PartialOption says that some weights and tensors may be left over.
type PartialOption struct{}

// Partial sets the weights that the file has, and says in the report what was left over on either side. Without it each weight of
// the model must be set and each tensor of the file be used.
func Partial() PartialOption { return PartialOption{} }

func (PartialOption) applyLoad(c *mapping) { c.partial = true }

// A Report says what became of a file.
type Report struct {
	Used   []Use    // in the order of the model
	Unused []string // tensors of the file, in its order
	Unset  []string // weights of the model, in its order
}

// A Use is a tensor and what it became, or became a part of.
type Use struct{ Tensor, Weight string }

// String has a line for each tensor and for each weight that is left over.
func (r *Report) String() string {
	var b strings.Builder
	for _, u := range r.Used {
		fmt.Fprintf(&b, "%s -> %s\n", u.Tensor, u.Weight)
	}
	for _, name := range r.Unused {
		fmt.Fprintf(&b, "%s is not used\n", name)
	}
	for _, name := range r.Unset {
		fmt.Fprintf(&b, "%s is not set\n", name)
	}
	return b.String()
}

// Load sets the weights of a model from a file. After an error they are as they were.
func Load(path string, m *nn.Model, opts ...LoadOption) (*Report, error) {
	f, err := os.Open(path)
	return load(path, f, err, m, opts)
}

// LoadFS is Load from a file system, such as an embed.FS.
func LoadFS(fsys fs.FS, name string, m *nn.Model, opts ...LoadOption) (*Report, error) {
	f, err := fsys.Open(name)
	return load(name, f, err, m, opts)
}

func load(path string, f fs.File, err error, m *nn.Model, opts []LoadOption) (*Report, error) {
	var report *Report
	if err == nil {
		defer f.Close()
		report, err = read(f, m, opts)
	}
	if err != nil {
		return nil, brief.Error(fmt.Errorf("torch: Load %q: %w", path, err))
	}
	return report, nil
}

// Read is Load from a reader, which must end with the file. It takes the memory of the file besides that of the weights.
func Read(r io.Reader, m *nn.Model, opts ...LoadOption) (*Report, error) {
	b, err := io.ReadAll(r)
	var report *Report
	if err == nil {
		report, err = read(bytes.NewReader(b), m, opts)
	}
	if err != nil {
		return nil, brief.Error(fmt.Errorf("torch: Read: %w", err))
	}
	return report, nil
}

func read(r io.Reader, m *nn.Model, opts []LoadOption) (*Report, error) {
	var c mapping
	for i, o := range opts {
		if o == nil {
			return nil, fmt.Errorf("option %d is nil", i)
		}
		o.applyLoad(&c)
	}
	if c.names != nil && c.rename != nil {
		return nil, errors.New("Names and Rename are both given")
	}
	at, ok := r.(io.ReaderAt)
	var size int64
	if s, isSeeker := r.(io.Seeker); ok && isSeeker {
		var err error
		if size, err = s.Seek(0, io.SeekEnd); err != nil {
			return nil, err
		}
	} else {
		b, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		at, size = bytes.NewReader(b), int64(len(b))
	}
	tensors, err := readTensors(at, size)
	if err != nil {
		return nil, err
	}
	if tensors, err = c.within(tensors); err != nil {
		return nil, err
	}
	return c.set(m, tensors)
}

// within returns the tensors that are looked at, without the prefix of their names.
func (c *mapping) within(tensors []*Tensor) ([]*Tensor, error) {
	var all []*Tensor
	var others []string
	for _, t := range tensors {
		name, ok := strings.CutPrefix(t.Name, c.under)
		if !ok {
			first, _, _ := strings.Cut(t.Name, ".")
			if !slices.Contains(others, first) && len(others) <= brief.MaxListed {
				others = append(others, first)
			}
			continue
		}
		if name == "num_batches_tracked" || strings.HasSuffix(name, ".num_batches_tracked") {
			continue
		}
		t.Name = name
		all = append(all, t)
	}
	if c.under != "" && len(all) == 0 {
		return nil, fmt.Errorf("no tensor is under %s: there are %s", brief.Quote(strings.TrimSuffix(c.under, ".")), brief.QuoteAll(others))
	}
	return all, nil
}

// set gives the tensors to the model.
func (c *mapping) set(m *nn.Model, tensors []*Tensor) (*Report, error) {
	all := leaves(m)
	matched, err := c.match(all, tensors)
	if err != nil {
		return nil, err
	}
	report := &Report{}
	used := map[*Tensor]bool{}
	set, unset := map[*nn.Weight]bool{}, map[*nn.Weight]string{}
	values := map[*nn.Weight][]float32{}
	var errs []error
	for _, l := range all {
		t := matched[l]
		for _, p := range l.pieces {
			if t == nil {
				unset[p.weight] = l.name
				continue
			}
			set[p.weight] = true
			use := Use{t.Name, p.weight.Name}
			if n := len(report.Used); n == 0 || report.Used[n-1] != use { // the gates of a recurrent layer are pieces of one weight
				report.Used = append(report.Used, use)
			}
			if values[p.weight] == nil {
				values[p.weight] = make([]float32, p.weight.Shape.Elements())
			}
		}
		if t == nil {
			continue
		}
		used[t] = true
		if !slices.Equal(t.Shape, l.shape) {
			errs = append(errs, fmt.Errorf("tensor %s has shape %s, %s needs %v", brief.Quote(t.Name), briefInts(t.Shape), describe(l), l.shape))
			continue
		}
		numbers, err := t.Floats()
		if err != nil {
			return nil, err
		}
		l.read(numbers, values)
	}
	for _, w := range m.Weights() {
		switch missing, ok := unset[w]; {
		case !set[w]:
			report.Unset = append(report.Unset, w.Name)
		case ok:
			errs = append(errs, fmt.Errorf("weight %s needs %s too", brief.Quote(w.Name), brief.Quote(missing)))
		}
	}
	for _, t := range tensors {
		if !used[t] {
			report.Unused = append(report.Unused, t.Name)
		}
	}
	if !c.partial && len(report.Unset)+len(report.Unused) > 0 {
		errs = append(errs, c.leftOver(report, all, matched, tensors))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	named := map[string][]float32{}
	for w, v := range values {
		named[w.Name] = v
	}
	return report, m.SetWeights(named)
}

// leftOver says what is left, and what each side would need.
func (c *mapping) leftOver(r *Report, all []*leaf, matched map[*leaf]*Tensor, tensors []*Tensor) error {
	var errs []error
	if len(r.Unset) > 0 {
		var need []string
		for _, l := range all {
			if matched[l] == nil {
				need = append(need, fmt.Sprintf("%s: %s %v", l.layer, l.name, l.shape))
			}
		}
		errs = append(errs, fmt.Errorf("weights %s are not set, the layers need %s", brief.QuoteAll(r.Unset), brief.QuoteAll(need)))
	}
	if len(r.Unused) > 0 {
		var have []string
		for _, t := range tensors {
			if slices.Contains(r.Unused, t.Name) && len(have) <= brief.MaxListed {
				have = append(have, fmt.Sprintf("%s %s", t.Name, briefInts(t.Shape)))
			}
		}
		errs = append(errs, fmt.Errorf("tensors %s of the file are not used", brief.QuoteAll(have)))
	}
	return fmt.Errorf("%w; Partial allows that, Names or Rename say what belongs where", errors.Join(errs...))
}

func describe(l *leaf) string { return fmt.Sprintf("layer %s (%s)", brief.Quote(l.layer), l.class) }

// Save writes the weights of a model to a file in the safetensors format that PyTorch's own modules load, in their layouts; the
// usual ending is .safetensors. Names says what the tensors are called; without it a module has the name of its layer, with dots
// where that is in a model. Where PyTorch has two biases and the layer has one, the second is zero. With safetensors.torch,
// module.load_state_dict(load_file(path)) reads the file, which is complete or not there at all.
func Save(path string, m *nn.Model, opts ...WriteOption) error {
	err := newfile.Write(path, func(w io.Writer) (int64, error) { return 0, write(w, m, opts) })
	if err != nil {
		return brief.Error(fmt.Errorf("torch: Save %q: %w", path, err))
	}
	return nil
}

// Write is Save to a writer.
func Write(w io.Writer, m *nn.Model, opts ...WriteOption) error {
	if err := write(w, m, opts); err != nil {
		return brief.Error(fmt.Errorf("torch: Write: %w", err))
	}
	return nil
}

func write(w io.Writer, m *nn.Model, opts []WriteOption) error {
	var c mapping
	for i, o := range opts {
		if o == nil {
			return fmt.Errorf("option %d is nil", i)
		}
		o.applyWrite(&c)
	}
	var tensors []safetensors.Tensor
	all := leaves(m)
	if err := c.checkTargets(all); err != nil {
		return err
	}
	for _, l := range all {
		name, err := c.nameOf(l)
		if err != nil {
			return err
		}
		tensors = append(tensors, safetensors.Tensor{Name: c.under + name, Shape: l.shape, Data: l.write()})
	}
	return safetensors.Write(w, []safetensors.Entry{{Key: "format", Value: "pt"}}, tensors)
}

// nameOf returns the name of a leaf in a file.
func (c *mapping) nameOf(l *leaf) (string, error) {
	if c.names == nil {
		return join(strings.ReplaceAll(l.layer, "/", "."), l.name), nil
	}
	exists := func(name string) bool { _, ok := c.names[name]; return ok }
	var module, tensor *string
	for _, key := range slices.Sorted(maps.Keys(c.names)) {
		if c.names[key] == l.layer {
			module = &key
		}
		if _, own := split(key, exists); c.names[key] == l.pieces[0].weight.Name && (tensor == nil || own == l.name) {
			tensor = &key
		}
	}
	switch {
	case tensor != nil:
		return *tensor, nil
	case module != nil:
		return join(*module, l.name), nil
	}
	return "", fmt.Errorf("Names has nothing for weight %s or layer %s: it has %s", brief.Quote(l.pieces[0].weight.Name), brief.Quote(l.layer),
		brief.QuoteAll(slices.Sorted(maps.Values(c.names))))
}

// checkTargets reports what Names gives to nothing that the model has.
func (c *mapping) checkTargets(all []*leaf) error {
	valid := map[string]bool{}
	var layers, weights []string
	for _, l := range all {
		if !valid[l.layer] {
			layers = append(layers, l.layer)
		}
		valid[l.layer] = true
		for _, p := range l.pieces {
			if !valid[p.weight.Name] {
				weights = append(weights, p.weight.Name)
			}
			valid[p.weight.Name] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.names)) {
		if to := c.names[key]; !valid[to] {
			return fmt.Errorf("Names gives %s to %s, which has no weights in the model: valid are the layers %s and the weights %s",
				brief.Quote(key), brief.Quote(to), brief.QuoteAll(layers), brief.QuoteAll(weights))
		}
	}
	return nil
}
