package nn

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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
	const input = `{"class":"InputLayer","name":"x","config":{"shape":[1]},"trainable":true}`
	join := input + `,{"class":"Concatenate","name":"c","config":{},"trainable":true}`
	dense := input + `,{"class":"Dense","name":"y","config":{"units":1,"activation":"linear"},"trainable":true}`
	arch := func(layers, nodes, inputs, outputs string) string {
		return `{"name":"m","seed":0,"layers":[` + layers + `],"nodes":[` + nodes + `],"inputs":[` + inputs + `],"outputs":[` + outputs + `]}`
	}
	const n = 1_100_000
	long := strings.Repeat("long", n/2)
	nodes := `{"layer":"x"},{"layer":"y","on":[0]}`
	const tooLong = "a name has at most 4096"
	good := arch(dense, nodes, "0", "1")
	heads := func(head string) string {
		return `{"optimizer":{"algorithm":"sgd","learning_rate":1},"iterations":0,"heads":[` + head + `]}`
	}
	for name, test := range map[string]struct{ architecture, training, want string }{
		"operands":          {arch(join, `{"layer":"x"},{"layer":"c","on":[`+listOf(n, "0")+`]}`, "0", "1"), "", "values"},
		"many operands":     {arch(join, `{"layer":"x"},`+listOf(9, `{"layer":"c","on":[`+listOf(maxEdges-1, "0")+`]}`), "0", "1"), "", "called on 589815 nodes in all, at most 65536 are possible"},
		"inputs":            {arch(dense, nodes, listOf(n, "0"), "1"), "", "values"},
		"outputs":           {arch(dense, nodes, "0", listOf(maxEdges+1, "1")), "", "a list has 65537 elements, at most 65536 are possible"},
		"shape":             {arch(strings.Replace(dense, "[1]", "["+listOf(n, "1")+"]", 1), nodes, "0", "1"), "", "values"},
		"shapes":            {arch(listOf(1<<14, strings.Replace(input, "[1]", "["+listOf(33, "1")+"]", 1)), nodes, "0", "1"), "", "a list has 33 elements"},
		"metrics":           {good, heads(`{"output":"y","loss":{"name":"mse"},"loss_weight":1,"metrics":[` + listOf(n, `"mae"`) + `]}`), "values"},
		"some metrics":      {good, heads(`{"output":"y","loss":{"name":"mse"},"loss_weight":1,"metrics":[` + listOf(999, `"mae"`) + `]}`), "a list has 999 elements, at most 32 are possible"},
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
		"loss":              {good, heads(`{"output":"y","loss":{"name":"` + long + `"},"loss_weight":1}`), tooLong},
		"output":            {good, heads(`{"output":"` + long + `","loss":{"name":"mse"},"loss_weight":1}`), tooLong},
		"metric":            {good, heads(`{"output":"y","loss":{"name":"mse"},"loss_weight":1,"metrics":["` + long + `"]}`), tooLong},
		"optimizer":         {good, `{"optimizer":{"algorithm":"` + long + `"}}`, tooLong},
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
				held := allocated(func() { _, err = Parse(b) })
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
			held := peak(func() { m, err = Parse(b) })
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
			for i := range p.outputs {
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
