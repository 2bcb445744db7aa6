package keras

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/hdf5"
	"github.com/espalier-ml/espalier/nn"
)

// A variable is one weight of a layer, with its name within the layer or the model that it is searched in.
type variable struct {
	name string
	*nn.Weight
}

// variablesOf returns the weights of a model.
func variablesOf(m *nn.Model) []variable {
	var all []variable
	for _, w := range m.Weights() {
		all = append(all, variable{w.Name, w})
	}
	return all
}

// byLayer returns the weights of each layer, in their order.
func byLayer(all []variable) map[string][]variable {
	layers := map[string][]variable{}
	for _, v := range all {
		layer, name, _ := strings.Cut(v.name, "/")
		layers[layer] = append(layers[layer], variable{name, v.Weight})
	}
	return layers
}

// A pair is a weight with what a file has for it: datasets that are beside each other in its last axis.
type pair struct {
	variable
	from []*hdf5.Dataset
}

// match finds the datasets of all weights, or of those of the layers that have a name of the file's.
func (f *file) match(graph *model, all []variable, byName bool) ([]pair, error) {
	if f.byLayer {
		return f.matchLayers(graph, all, byName)
	}
	tree := &tree{groups: map[string]*variables{}, byName: byName}
	if err := tree.walk("", f.weights, 0); err != nil {
		return nil, err
	}
	slices.Sort(tree.order)
	return tree.model("", graph, all)
}

// assign fills a new model.
func (f *file) assign(m *nn.Model, graph *model) error {
	pairs, err := f.match(graph, variablesOf(m), false)
	if err != nil {
		return err
	}
	if n := len(m.Weights()); len(pairs) != n { // the others would stay zero
		return fmt.Errorf("the model has %d weights, the file has %d", n, len(pairs))
	}
	for _, p := range pairs {
		if err := p.read(p.Data); err != nil {
			return err
		}
		for i, v := range p.Data {
			if v-v != 0 { // infinite or not a number
				return fmt.Errorf("weight %s: value %d is %v", brief.Quote(p.Name), i, v)
			}
		}
	}
	return nil
}

// read reads the values.
func (p *pair) read(values []float32) error {
	if len(p.from) == 1 {
		_, err := p.from[0].Float32s(values)
		return err
	}
	at, cols := 0, p.Shape.Last()
	for _, d := range p.from {
		part, err := d.Float32s(nil)
		if err != nil {
			return err
		}
		n := d.Shape[len(d.Shape)-1]
		for row := range len(part) / n {
			copy(values[row*cols+at:], part[row*n:(row+1)*n])
		}
		at += n
	}
	return nil
}

// pairs returns the weights of a layer with the datasets in the same order.
func pairs(path, class string, all []variable, from []*hdf5.Dataset) ([]pair, error) {
	if class == "Normalization" && len(from) == len(all)+1 { // the last one counts what was adapted to
		from = from[:len(all)]
	}
	if len(all) == 3 && (len(from) == 12 || len(from) == 9) {
		return pairs1(path, all, from)
	}
	if len(from) != len(all) {
		return nil, fmt.Errorf("%s (%s): has %d weights, the file has %d", path, class, len(all), len(from))
	}
	var matched []pair
	for i, v := range all {
		if !slices.Equal(v.Shape, from[i].Shape) && !(len(from[i].Shape) == 0 && v.Shape.Elements() == 1) {
			return nil, fmt.Errorf("%s (%s): weight %s has shape %s, the file has %s", path, class, brief.Quote(v.name), v.Shape, nn.Shape(from[i].Shape))
		}
		matched = append(matched, pair{v, from[i : i+1]})
	}
	return matched, nil
}

// pairs1 returns the weights of an LSTM or a GRU of Keras 1, which has kernel, recurrent kernel and bias of each gate: i, c, f, o
// of an LSTM, which has i, f, c, o today.
func pairs1(path string, all []variable, from []*hdf5.Dataset) ([]pair, error) {
	gates := []int{0, 1, 2}
	if len(from) == 12 {
		gates = []int{0, 2, 1, 3}
	}
	var matched []pair
	for i, v := range all {
		p := pair{variable: v}
		want := slices.Clone(v.Shape)
		want[len(want)-1] /= len(gates)
		for _, g := range gates {
			d := from[3*g+i]
			if !slices.Equal(d.Shape, want) {
				return nil, fmt.Errorf("%s: gate %d of weight %s has shape %s, the file has %s", path, g, brief.Quote(v.name), want, nn.Shape(d.Shape))
			}
			p.from = append(p.from, d)
		}
		matched = append(matched, p)
	}
	return matched, nil
}

// matchLayers finds weights in the layout of .h5 files: layers by name if all are there, else in their order.
func (f *file) matchLayers(graph *model, all []variable, byName bool) ([]pair, error) {
	names, _, err := f.weights.StringList("layer_names")
	if err != nil {
		return nil, err
	}
	stored := map[string][]*hdf5.Dataset{}
	var filled []string
	for _, name := range names {
		datasets, err := layerDatasets(f.weights, name)
		if err != nil {
			return nil, err
		}
		if len(datasets) > 0 {
			if stored[name] == nil {
				filled = append(filled, name)
			}
			stored[name] = datasets
		}
	}
	layers := byLayer(all)
	var own []*layer
	named := true
	for _, l := range graph.layers {
		if len(layers[cleanName(l.name)]) == 0 || byName && stored[l.name] == nil {
			continue
		}
		own = append(own, l)
		named = named && stored[l.name] != nil
	}
	if len(own) != len(filled) && !byName {
		return nil, fmt.Errorf("the model has %d layers with weights, the file has %d: %s", len(own), len(filled), brief.QuoteAll(filled))
	}
	var matched []pair
	for i, l := range own {
		name := filled[i]
		if named {
			name = l.name
		}
		p, err := pairs(l.path, l.class, l.flat(layers[cleanName(l.name)]), stored[name])
		if err != nil {
			return nil, err
		}
		matched = append(matched, p...)
	}
	return matched, nil
}

// layerDatasets returns the weights of a layer of an .h5 file in its order.
func layerDatasets(weights *hdf5.Group, name string) ([]*hdf5.Dataset, error) {
	g, err := weights.Group(name)
	if err != nil {
		return nil, err
	}
	names, _, err := g.StringList("weight_names")
	if err != nil {
		return nil, err
	}
	var all []*hdf5.Dataset
	for _, name := range names {
		d, err := g.Dataset(name)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, nil
}

// flat returns the weights of a layer in the order of .h5 files: those of a model within are trained ones first.
func (l *layer) flat(all []variable) []variable {
	if l.sub == nil {
		return all
	}
	ordered := l.sub.flat(all)
	var trained, others []variable
	for _, v := range ordered {
		if v.Trainable() {
			trained = append(trained, v)
		} else {
			others = append(others, v)
		}
	}
	return append(trained, others...)
}

// flat returns the weights of a model in the order of its layers.
func (m *model) flat(all []variable) []variable {
	layers := byLayer(all)
	var ordered []variable
	for _, l := range m.layers {
		own := layers[cleanName(l.name)]
		if l.sub != nil {
			own = l.sub.flat(own)
		}
		for _, v := range own {
			ordered = append(ordered, variable{cleanName(l.name) + "/" + v.name, v.Weight})
		}
	}
	return ordered
}

// hint returns the number of features that the first weight of a layer wants, 0 if that is not known.
func (f *file) hint(layer string) int {
	if !f.byLayer {
		return 0
	}
	datasets, err := layerDatasets(f.weights, layer)
	if err != nil || len(datasets) == 0 || len(datasets[0].Shape) != 2 {
		return 0
	}
	return datasets[0].Shape[0]
}

// A tree has the weights of a file in Keras 3's layout, by the path of what they belong to: layers/dense.
type tree struct {
	groups map[string]*variables
	order  []string // of the paths
	byName bool
}

// variables are the weights of one object in Keras 3's layout.
type variables struct {
	name     string // of the layer, if the file has it
	datasets []*hdf5.Dataset
}

// walk finds all groups of variables. On Windows, TF-Keras has written paths with backslashes as names of groups.
func (t *tree) walk(at string, g *hdf5.Group, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	for _, name := range g.Names() {
		group, _, err := g.Open(name)
		if err != nil {
			return err
		}
		path := strings.TrimPrefix(at+"/"+strings.ReplaceAll(name, `\`, "/"), "/")
		owner, ok := strings.CutSuffix("/"+path, "/vars")
		switch {
		case group == nil: // in vars, or a stray
		case !ok:
			if err := t.walk(path, group, depth+1); err != nil {
				return err
			}
		default:
			if err := t.read(strings.TrimPrefix(owner, "/"), group); err != nil {
				return err
			}
		}
	}
	return nil
}

// read reads the group of variables 0, 1, ... of an object.
func (t *tree) read(owner string, g *hdf5.Group) error {
	v := &variables{}
	if a := g.Attr("name"); a != nil {
		v.name, _ = a.Text()
	}
	for i := range g.Names() {
		d, err := g.Dataset(strconv.Itoa(i))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		v.datasets = append(v.datasets, d)
	}
	if t.groups[owner] == nil {
		t.order = append(t.order, owner)
	}
	t.groups[owner] = v
	return nil
}

// model finds the weights of a model whose path begins with prefix: the k-th layer of a class has the k-th group that is named
// after the class. Where layers without weights have no groups, the k-th with weights has the k-th with weights.
func (t *tree) model(prefix string, m *model, all []variable) ([]pair, error) {
	layers := byLayer(all)
	container := prefix + "layers/"
	groups := t.children(container)
	if len(groups) == 0 {
		container = prefix + "_layer_checkpoint_dependencies/"
		groups = t.children(container)
	}
	if t.byName {
		return t.named(container, groups, m, layers)
	}
	ofClass := map[string][]*layer{}
	for _, l := range m.layers {
		ofClass[l.group()] = append(ofClass[l.group()], l)
	}
	var matched []pair
	for _, class := range slices.Sorted(maps.Keys(ofClass)) {
		own, stored := ofClass[class], groups[class]
		if len(own) != len(stored) {
			own = slices.DeleteFunc(own, func(l *layer) bool { return len(layers[cleanName(l.name)]) == 0 })
			stored = slices.DeleteFunc(stored, func(g string) bool { return len(t.of(container+g)) == 0 })
		}
		if len(own) != len(stored) && len(own) > 0 {
			return nil, fmt.Errorf("the model has %d layers of class %s with weights, the file has %d at %s: %s",
				len(own), own[0].class, len(stored), brief.Quote(container), brief.QuoteAll(stored))
		}
		for i, l := range own {
			p, err := t.layer(container+stored[i], l, layers[cleanName(l.name)])
			if err != nil {
				return nil, err
			}
			matched = append(matched, p...)
		}
	}
	return matched, nil
}

// named finds the weights of those layers that have a name of the container's.
func (t *tree) named(container string, groups map[string][]string, m *model, layers map[string][]variable) ([]pair, error) {
	places := map[string]string{}
	for _, names := range groups {
		for _, name := range names {
			if v := t.groups[container+name]; v != nil && v.name != "" {
				places[v.name] = container + name
			}
		}
	}
	var matched []pair
	for _, l := range m.layers {
		if places[l.name] == "" {
			continue
		}
		p, err := t.layer(places[l.name], l, layers[cleanName(l.name)])
		if err != nil {
			return nil, err
		}
		matched = append(matched, p...)
	}
	return matched, nil
}

// layer finds the weights of a layer at a path.
func (t *tree) layer(at string, l *layer, all []variable) ([]pair, error) {
	if l.sub != nil {
		return t.model(at+"/", l.sub, all)
	}
	return pairs(l.path, l.class, all, t.of(at))
}

// of returns the variables of an object and of what is within it, in the order that the weights of our layers have.
func (t *tree) of(at string) []*hdf5.Dataset {
	first, _ := slices.BinarySearch(t.order, at+"/")
	end, _ := slices.BinarySearch(t.order, at+"0") // the byte behind the slash
	paths := slices.DeleteFunc(slices.Clone(t.order[first:end]), func(p string) bool { return strings.Contains(p[len(at):], "seed_generator") })
	if t.groups[at] != nil {
		paths = append(paths, at)
	}
	slices.SortStableFunc(paths, func(a, b string) int {
		return slices.Compare(ranks(a[len(at):]), ranks(b[len(at):]))
	})
	var all []*hdf5.Dataset
	for _, p := range paths {
		all = append(all, t.groups[p].datasets...)
	}
	return all
}

// parts are the parts of layers that have weights of their own, in the order of ours.
var parts = []string{"forward_layer", "backward_layer", "query_dense", "key_dense", "value_dense", "output_dense"}

// ranks returns for each part of a path where it comes.
func ranks(path string) []int {
	var all []int
	for name := range strings.SplitSeq(path, "/") {
		all = append(all, slices.Index(parts, strings.TrimPrefix(name, "_")))
	}
	return all
}

// children returns the names of the groups in a container by the class that they are named after, in the order of their numbers.
func (t *tree) children(container string) map[string][]string {
	all := map[string][]string{}
	seen := map[string]bool{}
	first, _ := slices.BinarySearch(t.order, container)
	for _, p := range t.order[first:] {
		rest, ok := strings.CutPrefix(p, container)
		if !ok {
			break
		}
		name, _, _ := strings.Cut(rest, "/")
		if seen[name] {
			continue
		}
		seen[name] = true
		class, _ := splitNumber(name)
		all[class] = append(all[class], name)
	}
	for _, names := range all {
		slices.SortFunc(names, func(a, b string) int {
			_, i := splitNumber(a)
			_, j := splitNumber(b)
			return cmp.Compare(i, j)
		})
	}
	return all
}

// splitNumber splits dense_2 into dense and 2.
func splitNumber(name string) (string, int) {
	i := strings.LastIndexByte(name, '_')
	if i < 0 {
		return name, 0
	}
	n, err := strconv.Atoi(name[i+1:])
	if err != nil {
		return name, 0
	}
	return name[:i], n
}

var (
	noWord    = regexp.MustCompile(`\W+`)
	wordStart = regexp.MustCompile(`(.)([A-Z][a-z]+)`)
	wordEnd   = regexp.MustCompile(`([a-z])([A-Z])`)
)

// snakeCase is what Keras makes of the name of a class: MaxPooling2D becomes max_pooling2d.
func snakeCase(class string) string {
	class = wordStart.ReplaceAllString(noWord.ReplaceAllString(class, ""), "${1}_$2")
	return strings.ToLower(wordEnd.ReplaceAllString(class, "${1}_$2"))
}

// group is what the group of the layer is named after.
func (l *layer) group() string {
	switch l.class {
	case "Model":
		return "functional"
	case groupQuery:
		return snakeCase(groupedQuery)
	}
	_, class, ok := strings.Cut(l.class, ">")
	if !ok {
		class = l.class
	}
	return snakeCase(class)
}
