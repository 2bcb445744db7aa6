package nn

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// architectureFile returns a signed file of an architecture, as JSON, and of what follows the metadata in the header. It
// need not be right.
func architectureFile(t testing.TB, architecture, training string, data []byte) []byte {
	text, err := encodeJSON(metadata{Format: fileFormat, Version: fileVersion, Checksum: strings.Repeat("0", checksumDigits), Architecture: architecture, Training: training})
	require.NoError(t, err)
	return file(`{"__metadata__":`+string(text)+`}`, data)
}

// list returns element n times with commas between, %[1]d being the number of each.
func listOf(n int, element string) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		if strings.Contains(element, "%") {
			fmt.Fprintf(&b, element, i)
		} else {
			b.WriteString(element)
		}
	}
	return b.String()
}

// Whatever a file holds, reading it takes at most 8 times its size and 16 MB. What is allocated in all is no less than
// what is held at any time.
func TestHostileHeaders(t *testing.T) {
	const input = `{"class_name":"InputLayer","name":"x","config":{"shape":[1]},"trainable":true}`
	join := input + `,{"class_name":"Concatenate","name":"c","config":{},"trainable":true}`
	dense := input + `,{"class_name":"Dense","name":"y","config":{"units":1,"activation":"linear"},"trainable":true}`
	arch := func(layers, nodes, inputs, outputs string) string {
		return `{"name":"m","seed":0,"layers":[` + layers + `],"nodes":[` + nodes + `],"inputs":[` + inputs + `],"outputs":[` + outputs + `]}`
	}
	const n = 1_100_000
	long := strings.Repeat("long", n/2)
	nodes := `{"layer":"x"},{"layer":"y","on":[0]}`
	const tooLong = "a name has at most 4096"
	good := arch(dense, nodes, "0", "1")
	heads := func(head string) string {
		return `{"optimizer":{"class_name":"SGD","config":{"learning_rate":1}},"iterations":0,"heads":[` + head + `]}`
	}
	for name, test := range map[string]struct{ architecture, training, want string }{
		"operands":          {arch(join, `{"layer":"x"},{"layer":"c","on":[`+listOf(n, "0")+`]}`, "0", "1"), "", "values"},
		"many operands":     {arch(join, `{"layer":"x"},`+listOf(9, `{"layer":"c","on":[`+listOf(maxEdges-1, "0")+`]}`), "0", "1"), "", "called on 589815 nodes in all, at most 65536 are possible"},
		"inputs":            {arch(dense, nodes, listOf(n, "0"), "1"), "", "values"},
		"outputs":           {arch(dense, nodes, "0", listOf(maxEdges+1, "1")), "", "a list has 65537 elements, at most 65536 are possible"},
		"shape":             {arch(strings.Replace(dense, "[1]", "["+listOf(n, "1")+"]", 1), nodes, "0", "1"), "", "values"},
		"shapes":            {arch(listOf(1<<14, strings.Replace(input, "[1]", "["+listOf(33, "1")+"]", 1)), nodes, "0", "1"), "", "a list has 33 elements"},
		"metrics":           {good, heads(`{"output":"y","loss":"mse","loss_weight":1,"metrics":[` + listOf(n, `"mae"`) + `]}`), "values"},
		"some metrics":      {good, heads(`{"output":"y","loss":"mse","loss_weight":1,"metrics":[` + listOf(999, `"mae"`) + `]}`), "metric mae is given twice"},
		"heads":             {good, heads(listOf(n, `0`)), "values"},
		"layers":            {arch(listOf(n, "0"), nodes, "0", "1"), "", "values"},
		"empty layers":      {arch(listOf(maxNodes+1, "{}"), nodes, "0", "1"), "", "a list has more than 16384 elements"},
		"nested":            {arch(strings.Repeat("[", n), nodes, "0", "1"), "", "values"},
		"less nested":       {arch(strings.Repeat("[", n/4), nodes, "0", "1"), "", "exceeded max depth"},
		"name":              {strings.ReplaceAll(good, `"y"`, `"`+long+`"`), "", tooLong},
		"model name":        {strings.Replace(good, `"m"`, `"`+long+`"`, 1), "", tooLong},
		"class":             {strings.Replace(good, `"Dense"`, `"`+long+`"`, 1), "", tooLong},
		"activation":        {strings.Replace(good, `"linear"`, `"`+long+`"`, 1), "", tooLong},
		"layer of a node":   {strings.Replace(good, `"layer":"y"`, `"layer":"`+long+`"`, 1), "", tooLong},
		"field":             {strings.Replace(good, `"seed"`, `"`+long+`"`, 1), "", tooLong},
		"number":            {strings.Replace(good, `"seed":0`, `"seed":1`+strings.Repeat("0", n), 1), "", "cannot unmarshal number"},
		"config":            {strings.Replace(good, `{"units"`, `{"x":"`+long+`","units"`, 1), "", tooLong},
		"loss":              {good, heads(`{"output":"y","loss":"` + long + `","loss_weight":1}`), tooLong},
		"output":            {good, heads(`{"output":"` + long + `","loss":"mse","loss_weight":1}`), tooLong},
		"metric":            {good, heads(`{"output":"y","loss":"mse","loss_weight":1,"metrics":["` + long + `"]}`), tooLong},
		"optimizer":         {good, `{"optimizer":{"class_name":"` + long + `"}}`, tooLong},
		"escapes":           {strings.Replace(good, `"m"`, `"`+strings.Repeat(`\u0001`, 200_000)+`"`, 1), "", tooLong},
		"nothing wrong yet": {good, "", "header does not fit its architecture"},
	} {
		t.Run(name, func(t *testing.T) {
			b := architectureFile(t, test.architecture, test.training, nil)
			for _, signed := range []bool{true, false} {
				if !signed {
					b[checksumAt] ^= 1
				}
				var err error
				held := allocated(func() { _, err = parse(b) })
				require.ErrorContains(t, err, test.want)
				require.Less(t, len(err.Error()), 5<<10)
				require.LessOrEqual(t, held, uint64(8*len(b)+16<<20), "a file of %d bytes", len(b))
			}
		})
	}
}

// peak returns by how much f grows the heap at most. Garbage is collected at once, so that it hardly counts.
func peak(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	used := func() int64 {
		sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
		metrics.Read(sample)
		return int64(sample[0].Value.Uint64())
	}
	runtime.GC()
	before := used()
	var most atomic.Int64
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			most.Store(max(most.Load(), used()-before))
			select {
			case <-stop:
				return
			case <-time.After(200 * time.Microsecond):
			}
		}
	}()
	f()
	close(stop)
	<-done
	return most.Load()
}

// The largest graphs that a file can have take no more memory for each of its bytes than others, and no pass over them
// takes a time that grows with a power: this test would.
func TestLargestFiles(t *testing.T) {
	for name, build := range largestModels {
		t.Run(name, func(t *testing.T) {
			if testing.Short() && name != "dense edges" {
				t.Skip("takes long where each instruction is emulated or watched")
			}
			m, err := NewModel(build())
			require.NoError(t, err)
			if name == "chain" {
				require.NoError(t, m.Compile(Adam(1), Losses{m.OutputNames()[0]: MSE()}))
			}
			b := savedBytes(t, m)
			start := time.Now()
			held := peak(func() { m, err = parse(b) })
			require.NoError(t, err)
			require.LessOrEqual(t, held, int64(8*len(b)+16<<20), "a file of %d bytes", len(b))
			log := fmt.Sprintf("%d bytes, %.1f MB held;", len(b), float64(held)/1e6)
			lap := func(what string) {
				log += fmt.Sprintf(" %s %v", what, time.Since(start).Round(time.Millisecond))
				start = time.Now()
			}
			lap("Parse")
			p, err := NewPlan(m, 1)
			require.NoError(t, err)
			lap("NewPlan")
			p.NewSession()
			lap("NewSession")
			for what, draw := range map[string]func(io.Writer) error{
				"Summary": func(w io.Writer) error { return m.Summary(w) }, "SVG": m.SVG, "DOT": m.DOT, "Mermaid": m.Mermaid, "Describe": p.Describe,
			} {
				w := &counter{w: io.Discard}
				require.NoError(t, draw(w))
				require.Less(t, w.n, int64(64<<20), what)
				lap(what)
			}
			t.Log(log)
			arrays, inputs := inputsOf(m, 1)
			want, err := m.Predict(arrays)
			require.NoError(t, err)
			var outputs [][]float32
			for i := range p.OutputNames() {
				outputs = append(outputs, make([]float32, p.OutputFeatures(i)))
			}
			require.NoError(t, p.Predict(inputs, outputs, 1))
			for i, name := range p.OutputNames() {
				requireBits(t, want[name].Data, outputs[i], "output %q", name)
			}
		})
	}
}

// largestModels are models that reach the limits of files in one way or another, or half of them.
var largestModels = map[string]func() (inputs, outputs []*Node, name ModelOption){
	"chain": func() ([]*Node, []*Node, ModelOption) {
		x := Input("x", 1)
		h := x
		for i := range maxNodes/4 - 1 {
			h = Dense(1, ReLU, Name(fmt.Sprint("a layer ", i))).On(h)
		}
		return []*Node{x}, []*Node{h}, Name("chain")
	},
	"joined": func() ([]*Node, []*Node, ModelOption) {
		var inputs, heads []*Node
		for range maxNodes/2 - 1 {
			x := Input("", 1)
			inputs, heads = append(inputs, x), append(heads, Dense(1, ReLU).On(x))
		}
		return inputs, []*Node{Concatenate().On(heads...)}, Name("joined")
	},
	"heads": func() ([]*Node, []*Node, ModelOption) { // on one input, and of several axes, which are not one product
		x, y := Input("x", 2), Input("y", 2, 2)
		var heads []*Node
		for i := range maxNodes / 8 {
			heads = append(heads, Dense(i%5+1, ActivationKind(i%6)).On(x), Dense(2, Linear).On(y))
		}
		return []*Node{x, y}, heads, Name("heads")
	},
	"shared": func() ([]*Node, []*Node, ModelOption) { // one layer again and again; the last ones use every result
		x := Input("x", 4)
		shared := Dense(4, Tanh, Name("shared"))
		all := []*Node{x}
		for range maxNodes / 4 {
			all = append(all, shared.On(all[len(all)/2]), Activation(GELU).On(all[len(all)-1]))
		}
		return []*Node{x}, []*Node{Add().On(all...), Concatenate(Name("all")).On(append(all, all...)...)}, Name("shared")
	},
	"dense edges": func() ([]*Node, []*Node, ModelOption) { // each adds those before it
		x := Input("x", 3)
		all := []*Node{x}
		for len(all) < 360 {
			all = append(all, Add().On(append(all[:len(all):len(all)], x)...))
		}
		return []*Node{x}, all[len(all)-1:], Name("dense edges")
	},
}

// A small file cannot ask for any memory: what is too much is an error before it is taken.
func TestMaxBytes(t *testing.T) {
	build := func(inputs, outputs []*Node) *Model {
		m, err := NewModel(inputs, outputs)
		require.NoError(t, err)
		return m
	}
	x := Input("x", 1)
	wide := build([]*Node{x}, []*Node{Dense(100, Linear).On(Dense(100_000, ReLU).On(x))})
	for range 8 {
		x = Concatenate().On(x, x, x, x, x, x, x, x)
	}
	tall := build([]*Node{wide.inputs[0]}, []*Node{x}) // 64 MB for a row, of no weight
	words := Input("words", 1)
	table := build([]*Node{words}, []*Node{Flatten().On(Embedding(1_000_000, 8).On(words))})

	// A layer that is one product with another one on each of many nodes is packed for each of them.
	x = Input("x", 1)
	shared := Dense(1, ReLU, Name("shared"))
	var outs []*Node
	for range 100 {
		h := Dense(10_000, ReLU, NoBias()).On(x)
		outs = append(outs, shared.On(h), Dense(1, ReLU).On(h))
	}
	repeated := build([]*Node{x}, []*Node{Concatenate().On(outs...)})

	for name, test := range map[string]struct {
		model    *Model
		maxBatch int
		opts     []PlanOption
		want     string
	}{
		"weights":             {wide, 1, []PlanOption{MaxBytes(40_000_000)}, "for weights and"},
		"weights, more":       {wide, 1, []PlanOption{MaxBytes(80_000_000)}, ""},
		"session":             {tall, 1, []PlanOption{MaxBytes(60_000_000)}, "a session of up to 1 rows; MaxBytes allows 60000000"},
		"session, default":    {tall, 16, nil, "a session of up to 16 rows; MaxBytes allows 1073741824"},
		"session, more":       {tall, 1, nil, ""},
		"batch":               {wide, 10_000, nil, "a session of up to 10000 rows; MaxBytes allows 1155"},
		"batch, overflow":     {wide, math.MaxInt, nil, "together more than"},
		"embeddings":          {table, 1, []PlanOption{MaxBytes(31_999_999)}, "32000000 for weights"},
		"embeddings, default": {table, 1, nil, ""},
		"repeated":            {repeated, 1, []PlanOption{MaxBytes(100_000_000)}, "for weights"},
		"negative":            {wide, 1, []PlanOption{MaxBytes(-1)}, "MaxBytes allows 1"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			var p *Plan
			held := allocated(func() { p, err = NewPlan(test.model, test.maxBatch, test.opts...) })
			if test.want == "" {
				require.NoError(t, err)
				p.NewSession()
				return
			}
			require.True(t, p == nil)
			require.ErrorContains(t, err, "nn: NewPlan: ")
			require.ErrorContains(t, err, test.want)
			require.Less(t, held, uint64(4<<20))
		})
	}

	t.Run("reading", func(t *testing.T) {
		b := savedBytes(t, wide)
		size := int64(4 * wide.CountParams())
		held := allocated(func() {
			_, err := parse(b, MaxBytes(size-1))
			require.ErrorContains(t, err, fmt.Sprintf("has values of %d bytes, MaxBytes allows %d", size, size-1))
			_, err = parsePlan(b, 1, MaxBytes(size-1))
			require.ErrorContains(t, err, "MaxBytes allows")
		})
		require.Less(t, held, uint64(1<<20))
		_, err := parse(b, MaxBytes(size))
		require.NoError(t, err)
		_, err = parsePlan(b, 1, MaxBytes(3*size))
		require.NoError(t, err)
		_, err = parse(b, nil)
		require.EqualError(t, err, "nn: Read: option 0 is nil")
		_, err = NewPlan(wide, 1, Workers(1), nil)
		require.EqualError(t, err, "nn: NewPlan: option 1 is nil")
	})
}

// Every number in a file has a range.
func TestRangesOfNumbers(t *testing.T) {
	const network = `{"name":"m","seed":SEED,"layers":[{"class_name":"InputLayer","name":"x","config":{"shape":[DIM,2]},"trainable":true},` +
		`{"class_name":"Embedding","name":"e","config":{"input_dim":IN,"output_dim":OUT},"trainable":true},` +
		`{"class_name":"Flatten","name":"f","config":{},"trainable":true},{"class_name":"Dropout","name":"d","config":{"rate":RATE},"trainable":true},` +
		`{"class_name":"Dense","name":"y","config":{"units":UNITS,"activation":"linear"},"trainable":true}],` +
		`"nodes":[{"layer":"x"},{"layer":"e","on":[ON]},{"layer":"f","on":[1]},{"layer":"d","on":[2]},{"layer":"y","on":[3]}],"inputs":[INPUT],"outputs":[OUTPUT]}`
	const learning = `{"optimizer":{"class_name":"Adam","config":{"learning_rate":LR,"beta_1":BETA1,"beta_2":BETA2,"epsilon":EPSILON}},"iterations":ITERATIONS,` +
		`"heads":[{"output":"y","loss":"mse","loss_weight":WEIGHT}]}`
	good := map[string]string{"SEED": "18446744073709551615", "DIM": "3", "INPUT": "0", "OUTPUT": "4", "ON": "0", "IN": "16777216", "OUT": "4", "RATE": "0.999", "UNITS": "2",
		"LR": "0.1", "BETA1": "0.9", "BETA2": "0.999", "EPSILON": "1e-7", "ITERATIONS": "9007199254740992", "WEIGHT": "-1"}
	parse := func(name, value string) error {
		a, l := network, learning
		for _, field := range slices.Sorted(maps.Keys(good)) {
			v := good[field]
			if field == name {
				v = value
			}
			old := `:` + field
			if slices.Contains([]string{"DIM", "INPUT", "OUTPUT", "ON"}, field) {
				old = `[` + field
			}
			fresh := old[:1] + v
			require.Equal(t, 1, strings.Count(a+l, old), field)
			a, l = strings.Replace(a, old, fresh, 1), strings.Replace(l, old, fresh, 1)
		}
		m, _, err := parseHeader([]byte(fmt.Sprintf(`{"__metadata__":{"format":"espalier","version":"2","architecture":%q,"training":%q}}`, a, l)))
		if err == nil {
			_, err = m.header(nil, nil)
		}
		return err
	}
	require.NoError(t, parse("", ""))
	for name, test := range map[string]struct{ values, want string }{
		"SEED":       {"-1 18446744073709551616 1e3", "seed"},
		"DIM":        {"0 -1 2147483647 9223372036854775807 9223372036854775808 1e99", `layer "x"`},
		"INPUT":      {"-1 1 5 9223372036854775807 9223372036854775808", ""},
		"OUTPUT":     {"-1 5 9223372036854775808", ""},
		"ON":         {"-1 1 9223372036854775807 0.5", ""},
		"IN":         {"0 -1 16777217 9223372036854775807", `layer "e"`},
		"OUT":        {"0 -1 2147483647 9223372036854775807", `layer "e"`},
		"RATE":       {"1 -0.1 1e308 1e309", `layer "d"`},
		"UNITS":      {"0 -1 2147483647 9223372036854775807", `layer "y"`},
		"LR":         {"-1 1e39 1e309", "learning"},
		"BETA1":      {"-1 1 1e300", "beta"},
		"BETA2":      {"-1 1 1e300", "beta"},
		"EPSILON":    {"-1 0 1e-99 1e39", "epsilon"},
		"ITERATIONS": {"-1 9007199254740993 9223372036854775806 9223372036854775807 9223372036854775808 1.5", "iterations"},
		"WEIGHT":     {"1e39 -1e39 1e309", "weight"},
	} {
		for _, value := range strings.Fields(test.values) {
			require.ErrorContains(t, parse(name, value), test.want, "%s %s", name, value)
		}
	}
}

// A training that has come as far as a file can say goes on.
func TestLastIterations(t *testing.T) {
	c := savedCases(t)["several outputs"]
	c.compile(t, Adam(0.01))
	c.model.trainer.iterations = maxIterations - 8
	m, err := parse(savedBytes(t, c.model))
	require.NoError(t, err)
	c.fit(t, m, Epochs(2)) // 8 steps
	b := savedBytes(t, m)
	m, err = parse(b)
	require.NoError(t, err)
	require.Equal(t, int64(maxIterations), m.trainer.iterations)
	for _, w := range m.Weights() {
		require.Negative(t, nonFinite(w.Data), w.Name)
	}
}

// FuzzFile takes a graph all the way: it is read, planned, run and drawn, with little memory. Each graph is one of the
// small files' with some numbers, names and lists changed, so that most are still graphs.
func FuzzFile(f *testing.F) {
	var graphs []string
	for _, b := range fuzzSeeds(f) {
		var header struct {
			Metadata metadata `json:"__metadata__"`
		}
		text, _ := split(b)
		require.NoError(f, json.Unmarshal([]byte(text), &header))
		graphs = append(graphs, header.Metadata.Architecture)
	}
	slices.Sort(graphs)
	for i := range graphs {
		f.Add(uint(i), []byte{}, []byte("0123456789"))
		f.Add(uint(i), []byte{0, 9, 7, 0, 33, 2, 0, 40, 1}, []byte{})
	}
	f.Fuzz(func(t *testing.T, which uint, edits, data []byte) {
		if len(edits) > 300 {
			return
		}
		architecture := edited(t, graphs[which%uint(len(graphs))], edits)
		header, err := encodeHeader(metadata{Version: fileVersion, Architecture: architecture}, nil)
		require.NoError(t, err)
		m, _, err := parseHeader(header[8:])
		if err != nil {
			require.Less(t, len(err.Error()), 1<<16)
			return
		}
		b, err := m.header(nil, nil)
		require.NoError(t, err)
		size := int64(0)
		for _, w := range m.weights {
			size += 4 * int64(Shape(w.Shape).Elements())
		}
		if size > 1<<20 {
			return
		}
		values := make([]byte, size)
		copy(values, data)
		for i := 3; i < len(values); i += 4 {
			values[i] &= 0xbf // finite
		}
		m, err = parse(sign(append(b, values...)))
		require.NoError(t, err)
		for _, draw := range []func(io.Writer) error{func(w io.Writer) error { return m.Summary(w) }, m.SVG, m.DOT, m.Mermaid} {
			var w counter
			w.w = io.Discard
			require.NoError(t, draw(&w))
			require.Less(t, w.n, int64(2000*(len(architecture)+1)))
		}
		p, err := NewPlan(m, 2, MaxBytes(1<<22))
		if err != nil {
			require.ErrorContains(t, err, "nn: NewPlan: ")
			return
		}
		require.NoError(t, p.Describe(io.Discard))
		arrays, inputs := inputsOf(m, 2)
		s := p.NewSession()
		for i, x := range inputs {
			copy(s.Input(i), x)
		}
		require.NoError(t, s.Run(2))
		want, err := m.Predict(arrays)
		require.NoError(t, err)
		for i, name := range p.OutputNames() {
			requireBits(t, want[name].Data, s.Output(i), "output %q", name)
		}
	})
}

// edited returns JSON in which each three bytes of edits change a number or a string, or double or remove an element.
func edited(t *testing.T, text string, edits []byte) string {
	var root any
	require.NoError(t, json.Unmarshal([]byte(text), &root))
	type spot struct {
		value any
		set   func(any)
	}
	for ; len(edits) >= 3; edits = edits[3:] {
		var spots []spot
		var names []string
		var walk func(v any, set func(any))
		walk = func(v any, set func(any)) {
			switch v := v.(type) {
			case map[string]any:
				for _, k := range slices.Sorted(maps.Keys(v)) {
					walk(v[k], func(x any) { v[k] = x })
				}
				return
			case []any:
				for i, x := range v {
					walk(x, func(x any) { v[i] = x })
				}
			case string:
				names = append(names, v)
			}
			spots = append(spots, spot{v, set})
		}
		walk(root, nil)
		at, b := spots[(int(edits[0])<<8+int(edits[1]))%len(spots)], int(edits[2])
		switch v := at.value.(type) {
		case float64:
			at.set(float64(b%32) - 1)
		case string:
			at.set(names[b%len(names)])
		case bool:
			at.set(!v)
		case []any:
			if i := b / 2; len(v) > 0 && b%2 == 0 {
				at.set(slices.Delete(slices.Clone(v), i%len(v), i%len(v)+1))
			} else if len(v) > 0 && len(v) < 50 {
				at.set(append(slices.Clone(v), v[i%len(v)]))
			}
		}
	}
	edited, err := json.Marshal(root)
	require.NoError(t, err)
	return string(edited)
}
