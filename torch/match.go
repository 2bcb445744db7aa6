package torch

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/internal/brief"
)

// match returns which tensor each leaf gets.
func (c *mapping) match(all []*leaf, tensors []*Tensor) (map[*leaf]*Tensor, error) {
	modules := modulesOf(tensors)
	if c.names == nil && c.rename == nil {
		return c.byOrder(all, modules)
	}
	if c.names != nil {
		if err := c.checkTargets(all); err != nil {
			return nil, err
		}
	}
	matched := map[*leaf]*Tensor{}
	found := map[string]bool{} // the keys of Names that are in the file
	var errs []error
	for _, mod := range modules {
		for _, name := range mod.order {
			t := mod.tensors[name]
			var to string
			switch own, ok := c.names[t.Name]; {
			case c.rename != nil:
				to = c.rename(t.Name)
			case ok:
				to = own
				found[t.Name] = true
			default:
				to = c.names[mod.name]
				found[mod.name] = true
			}
			if to == "" {
				continue
			}
			l, err := target(all, to, name)
			if to == c.names[mod.name] && errors.Is(err, errNotTaken) {
				continue // what else the module has is left over
			}
			if err == nil && matched[l] != nil {
				err = fmt.Errorf("goes where %s goes", brief.Quote(matched[l].Name))
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("tensor %s: %w", brief.Quote(t.Name), err))
				continue
			}
			matched[l] = t
		}
	}
	for _, key := range slices.Sorted(maps.Keys(c.names)) {
		if !found[key] {
			errs = append(errs, fmt.Errorf("the file has no module or tensor %s, which Names has: its modules are %s", brief.Quote(key), brief.QuoteAll(moduleList(modules))))
		}
	}
	return matched, errors.Join(errs...)
}

// target returns the leaf that a tensor becomes which is called name in its module and goes to a layer or a weight.
func target(all []*leaf, to, name string) (*leaf, error) {
	var fit []*leaf
	var valid []string
	for _, l := range all {
		isLayer := l.layer == to
		if !isLayer && !slices.ContainsFunc(l.pieces, func(p piece) bool { return p.weight.Name == to }) {
			continue
		}
		valid = append(valid, l.name)
		if l.name == name {
			return l, nil
		}
		if !isLayer {
			fit = append(fit, l)
		}
	}
	if len(fit) == 1 {
		return fit[0], nil
	}
	if valid == nil {
		for _, l := range all {
			for _, p := range l.pieces {
				valid = append(valid, p.weight.Name)
			}
		}
		slices.Sort(valid)
		return nil, fmt.Errorf("goes to %s, which is no weight of the model: valid are %s", brief.Quote(to), brief.QuoteAll(slices.Compact(valid)))
	}
	return nil, fmt.Errorf("%w %s, which takes %s", errNotTaken, brief.Quote(to), brief.QuoteAll(valid))
}

var errNotTaken = errors.New("goes to")

// A module is the tensors that belong together.
type module struct {
	name    string
	order   []string
	tensors map[string]*Tensor
}

// modulesOf groups tensors by module, in the order in which modules first come.
func modulesOf(tensors []*Tensor) []*module {
	names := map[string]bool{}
	for _, t := range tensors {
		names[t.Name] = true
	}
	var all []*module
	byName := map[string]*module{}
	for _, t := range tensors {
		name, leaf := split(t.Name, func(name string) bool { return names[name] })
		m := byName[name]
		if m == nil {
			m = &module{name: name, tensors: map[string]*Tensor{}}
			byName[name] = m
			all = append(all, m)
		}
		m.order = append(m.order, leaf)
		m.tensors[leaf] = t
	}
	return all
}

func moduleList(modules []*module) []string {
	var all []string
	for _, m := range modules {
		all = append(all, m.name)
	}
	return all
}

// byOrder gives each layer a module: the one of its name, or the first that is left and fits.
func (c *mapping) byOrder(all []*leaf, modules []*module) (map[*leaf]*Tensor, error) {
	matched := map[*leaf]*Tensor{}
	taken := map[*module]bool{}
	done := map[string]bool{}
	take := func(leaves []*leaf, mod *module) {
		taken[mod], done[leaves[0].layer] = true, true
		for _, l := range leaves {
			matched[l] = mod.tensors[l.name]
		}
	}
	var layers [][]*leaf
	for _, l := range all {
		if i := len(layers) - 1; i >= 0 && layers[i][0].layer == l.layer {
			layers[i] = append(layers[i], l)
		} else {
			layers = append(layers, []*leaf{l})
		}
	}
	byName := map[string]*module{}
	for _, mod := range modules {
		byName[strings.ReplaceAll(mod.name, ".", "_")] = mod
	}
	for _, l := range layers {
		if mod := byName[strings.ReplaceAll(l[0].layer, "/", "_")]; mod != nil && mod.fits(l) {
			take(l, mod)
		}
	}
	alphabetical := slices.IsSortedFunc(modules, func(a, b *module) int { return cmp.Compare(a.name+".", b.name+".") })
	if alphabetical {
		modules = slices.Clone(modules)
		slices.SortStableFunc(modules, func(a, b *module) int { return compareNumbers(a.name, b.name) })
	}
	for _, l := range layers {
		if done[l[0].layer] {
			continue
		}
		var fit []*module
		for _, mod := range modules {
			if !taken[mod] && mod.fits(l) {
				fit = append(fit, mod)
			}
		}
		if len(fit) == 0 {
			continue
		}
		for _, other := range fit[1:] {
			if alphabetical && digits.ReplaceAllString(other.name, "0") != digits.ReplaceAllString(fit[0].name, "0") {
				return nil, fmt.Errorf("%s could be any of %s, whose order in the file is that of the alphabet: say with Names which it is, or give the layer its name",
					describe(l[0]), brief.QuoteAll(moduleList(fit)))
			}
		}
		take(l, fit[0])
	}
	return matched, nil
}

// fits reports whether the module has exactly these tensors.
func (m *module) fits(leaves []*leaf) bool {
	for _, l := range leaves {
		if t := m.tensors[l.name]; t == nil || !slices.Equal(t.Shape, l.shape) {
			return false
		}
	}
	return len(leaves) == len(m.tensors)
}

var digits = regexp.MustCompile(`[0-9]+`)

// compareNumbers compares names with the numbers in them as numbers: fc2 comes before fc10.
func compareNumbers(a, b string) int {
	for a != "" && b != "" {
		x, y := digits.FindString(a), digits.FindString(b)
		if strings.HasPrefix(a, x) && strings.HasPrefix(b, y) && x != "" && y != "" {
			a, b = a[len(x):], b[len(y):]
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); c != 0 {
				return c
			}
			continue
		}
		if a[0] != b[0] {
			break
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(a, b)
}
