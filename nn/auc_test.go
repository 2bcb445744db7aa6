package nn

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/kernels"
)

// startAUC returns a meter for an output of so many columns.
func startAUC(t testing.TB, out Output, columns int, opts ...MetricOption) *aucMeter {
	out.Shape, out.Targets = Shape{columns}, Probabilities
	m, err := AUC(opts...).Start(out)
	require.NoError(t, err)
	return m.(*aucMeter)
}

// addTo gives a meter some rows.
func addTo(m Meter, columns int, p, y, weights []float32) {
	m.Add(kernels.MatrixOf(p, len(p)/columns, columns), Target{Values: kernels.MatrixOf(y, len(y)/columns, columns)}, weights)
}

// What Keras 3.15.1 has in float64 after each of three batches of five rows, without and with sample weights.
func TestAUCKeras(t *testing.T) {
	probability := []float32{0.5, 0.1478444, 0.04224978, 0.56935644, 0.27803296, 0.59172904, 0.10105136, 0.36967304, 0.72498983, 0.85746384, 0.8887851, 0.2841833, 0.28060412, 0.2492687, 0.29354233}
	positive := []float32{0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1, 1}
	labelled := []float32{
		0.45839268, 0.28247344, 0.59906256, 0.4476065, 0.16244148, 0.040299784, 0.05339964, 0.20266585, 0.06490925, 0.19245233, 0.27341896, 0.21672413, 0.26014766, 0.6477999, 0.7164266,
		0.6904788, 0.38691577, 0.58965594, 0.5128198, 0.8974195, 0.89301544, 0.4849848, 0.98325133, 0.68678427, 0.36856055, 0.2603856, 0.6037111, 0.36134672, 0.5340193, 0.08775124,
		0.21516673, 0.3316984, 0.40131253, 0.81288433, 0.6434234, 0.015512054, 0.106763355, 0.073247194, 0.2718681, 0.4338748, 0.90552986, 0.060263414, 0.34423545, 0.9253062, 0.40929464,
	}
	labels := []float32{
		0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 1, 1, 0,
		0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0,
		0, 1, 1, 1, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 1,
	}
	weights := []float32{0.33990768, 0.18100305, 1.9024955, 1.6546825, 1.55172, 0.3923522, 1.180462, 0.760612, 0.6438905, 1.2894174, 0.913429976, 0.6889345, 1.8158528, 0.14014433, 1.6973618}
	for _, c := range []struct {
		options         []MetricOption
		columns         int
		p, y            []float32
		equal, weighted [3]float64
	}{
		{nil, 1, probability, positive,
			[3]float64{0.5, 0.33333333333333337, 0.32954545454545453}, [3]float64{0.5109007386740951, 0.39113599152514666, 0.4218806416672539}},
		{[]MetricOption{Curve("PR")}, 1, probability, positive,
			[3]float64{0.18906978378367123, 0.07509592103644991, 0.1984674041972328}, [3]float64{0.26028861114682084, 0.12734450117949886, 0.2232515224203686}},
		{[]MetricOption{MultiLabel()}, 3, labelled, labels,
			[3]float64{0.5833333333333334, 0.4566666666666667, 0.520952380952381}, [3]float64{0.6296527133250783, 0.47224186086701203, 0.512721455439039}},
	} {
		for _, weighted := range []bool{false, true} {
			m := startAUC(t, Output{}, c.columns, c.options...)
			for range 2 { // the second time after Reset
				for i := range 3 {
					want, rows := c.equal[i], []float32(nil)
					if weighted {
						want, rows = c.weighted[i], weights[5*i:5*i+5]
					}
					n := 5 * c.columns
					addTo(m, c.columns, c.p[n*i:n*i+n], c.y[n*i:n*i+n], rows)
					require.InDelta(t, want, m.Value(), 1e-12, "%v weighted %v batch %d", c.options, weighted, i)
				}
				m.Reset()
			}
		}
	}
}

// Three thresholds by hand: above them are 7, 4 and 0 of the positives and 3, 0 and 0 of the negatives.
func TestAUCByHand(t *testing.T) {
	for _, c := range []struct {
		curve, method string
		want          float64
	}{
		{"ROC", "interpolation", (1 + 4.0/7) / 2},
		{"ROC", "minoring", 4.0 / 7},
		{"ROC", "majoring", 1},
		{"PR", "interpolation", (0.5*(3+2*math.Log(10.0/4)) + 4) / 7},
		{"PR", "minoring", 3.0 / 7 * 0.7},
		{"PR", "majoring", 1},
	} {
		m := startAUC(t, Output{}, 1, Thresholds(3), Curve(c.curve), SummationMethod(c.method))
		addTo(m, 1, []float32{0, 0.5, 0.3, 0.9}, []float32{0, 0, 1, 1}, []float32{1, 2, 3, 4})
		require.InDelta(t, c.want, m.Value(), 1e-12, "%s %s", c.curve, c.method)
	}
}

// With a threshold between any two outputs the area is that of all pairs, of probabilities and of their logits.
func TestAUCOfPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, levels := range []int{1, 2, 5, 1000} { // few levels: many ties
		for _, weighted := range []bool{false, true} {
			const n = 200
			p, logits, y, weights := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
			for i := range p {
				p[i] = (float32(r.IntN(levels)) + 0.5) / float32(levels)
				logits[i] = float32(math.Log(float64(p[i]) / (1 - float64(p[i]))))
				weights[i] = 1
				if weighted {
					weights[i] = r.Float32()
				}
				if r.IntN(10) == 0 {
					weights[i] = 0
				}
				if r.IntN(3) == 0 {
					y[i] = float32(r.IntN(2)) - 0.5 // whatever is not 0 is positive
				}
			}
			right, pairs := 0.0, 0.0
			for i := range n {
				for j := range n {
					if y[i] == 0 || y[j] != 0 {
						continue
					}
					pair := float64(weights[i]) * float64(weights[j])
					pairs += pair
					switch {
					case p[i] > p[j]:
						right += pair
					case p[i] == p[j]:
						right += pair / 2
					}
				}
			}
			m, ofLogits := startAUC(t, Output{}, 1, Thresholds(20_000)), startAUC(t, Output{Logits: true}, 1, Thresholds(20_000))
			addTo(m, 1, p, y, weights)
			addTo(ofLogits, 1, logits, y, weights)
			require.InDelta(t, right/pairs, m.Value(), 1e-12, "%d levels", levels)
			require.InDelta(t, right/pairs, ofLogits.Value(), 1e-12, "%d levels, logits", levels)
		}
	}
}

// A bucket begins at the last threshold below a value, exactly: above its own threshold and not above the next one.
func TestAUCBuckets(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{2, 3, 50, 200, 201, 9999, maxThresholds - 1, maxThresholds} {
		m := startAUC(t, Output{}, 1, Thresholds(n))
		threshold := func(i int) *big.Rat {
			switch i {
			case 0:
				return big.NewRat(-1, 1e7)
			case n - 1:
				return big.NewRat(1e7+1, 1e7)
			}
			return big.NewRat(int64(i), int64(n-1))
		}
		values := []float32{0, math.SmallestNonzeroFloat32, 0.25, 0.5, 1, math.Nextafter32(1, 0)}
		for range 300 {
			near := float32(float64(r.IntN(n)) / float64(n-1))
			values = append(values, near, math.Nextafter32(near, 0), math.Nextafter32(near, 1), r.Float32(), r.Float32()/float32(n))
		}
		for _, p := range values {
			i, exact := m.bucket(float64(p)), new(big.Rat).SetFloat64(float64(p))
			require.True(t, i >= 0 && i < n-1 && exact.Cmp(threshold(i)) > 0 && exact.Cmp(threshold(i+1)) <= 0, "%v in bucket %d of %d thresholds", p, i, n)
		}
		for p, want := range map[float64]int{-3: 0, math.Inf(-1): 0, 1.5: n - 2, 7: n - 2, math.Inf(1): n - 2} {
			require.Equal(t, want, m.bucket(p))
			m.logits = true
			require.Equal(t, want, m.bucket(p*1000), "logits")
			m.logits = false
		}
		require.Zero(t, m.bucket(math.NaN()))
	}
}

// Without a pair there is an area all the same, as in Keras.
func TestAUCOfOneKind(t *testing.T) {
	for _, c := range []struct {
		curve string
		y     float32
		want  float64
	}{{"ROC", 0, 0}, {"ROC", 1, 0}, {"PR", 0, 0}, {"PR", 1, 1}} {
		for _, method := range []string{"interpolation", "minoring", "majoring"} {
			m := startAUC(t, Output{}, 1, Curve(c.curve), SummationMethod(method))
			addTo(m, 1, []float32{0, 0.2, 0.7, 1}, []float32{c.y, c.y, c.y, c.y}, nil)
			want := c.want
			if want == 1 && method == "minoring" {
				want = 0.75 // above the highest threshold there is none, so the precision falls to 0 at the last quarter
			}
			require.Equal(t, want, m.Value(), "%s of %v %s", c.curve, c.y, method)
		}
	}
	m := startAUC(t, Output{}, 1)
	addTo(m, 1, []float32{0.5}, []float32{1}, []float32{0}) // no rows that count
	require.Zero(t, m.Value())
}

// Columns are counted together, or each has an area of its own.
func TestAUCColumns(t *testing.T) {
	p, y := []float32{0.1, 0.9, 0.2, 0.6, 0.3, 0.7, 0.4, 0.8}, []float32{0, 1, 1, 1, 0, 0, 1, 0}
	left, right := startAUC(t, Output{}, 1), startAUC(t, Output{}, 1)
	for i := 0; i < len(p); i += 2 {
		addTo(left, 1, p[i:i+1], y[i:i+1], nil)
		addTo(right, 1, p[i+1:i+2], y[i+1:i+2], nil)
	}
	one, each, all := startAUC(t, Output{}, 2), startAUC(t, Output{}, 2, MultiLabel()), startAUC(t, Output{}, 1)
	addTo(one, 2, p, y, nil)
	addTo(each, 2, p, y, nil)
	addTo(all, 1, p, y, nil)
	require.Equal(t, all.Value(), one.Value())
	require.Equal(t, (left.Value()+right.Value())/2, each.Value())
	require.NotEqual(t, one.Value(), each.Value())
}

func TestAUCAllocations(t *testing.T) {
	for _, options := range [][]MetricOption{nil, {Curve("PR"), MultiLabel()}, {SummationMethod("majoring")}} {
		m := startAUC(t, Output{Logits: true}, 2, options...)
		p, y := []float32{0.1, -0.9, 0.2, 0.6}, []float32{0, 1, 1, 0}
		value := 0.0
		require.Zero(t, testing.AllocsPerRun(20, func() {
			addTo(m, 2, p, y, nil)
			value += m.Value()
			m.Reset()
		}))
	}
}

// aucModel is a model of one output with the given number of columns.
func aucModel(t testing.TB, columns int, act ActivationKind) *Model {
	x := Input("x", 2)
	m, err := NewModel([]*Node{x}, []*Node{Dense(columns, act, Name("y")).On(x)}, Seed(1))
	require.NoError(t, err)
	return m
}

func TestAUCErrors(t *testing.T) {
	for _, c := range []struct {
		columns int
		metric  Metric
		want    string
	}{
		{1, AUC(Thresholds(1)), "1 thresholds for each of 1 curves: valid are at least 2, and at most 1048576 for all of them"},
		{1, AUC(Thresholds(-1)), "-1 thresholds"},
		{1, AUC(Thresholds(1<<20 + 1)), "1048577 thresholds"},
		{3, AUC(Thresholds(1<<19), MultiLabel()), "524288 thresholds for each of 3 curves"},
		{1, AUC(Curve("pr")), `unknown curve "pr": valid are ["ROC" "PR" "PRGAIN"]`},
		{1, AUC(SummationMethod("")), `unknown summation method "": valid are ["interpolation" "minoring" "majoring"]`},
		{1, AUC(Curve("PR"), nil), "option 1 is nil"},
	} {
		err := aucModel(t, c.columns, Sigmoid).Compile(SGD(1), Losses{"y": BinaryCrossentropy()}, Metrics{"y": {c.metric}})
		requireError(t, err, `nn: Compile: output "y": metric auc: `+c.want)
	}
	err := aucModel(t, 3, Softmax).Compile(SGD(1), Losses{"y": SparseCategoricalCrossentropy()}, Metrics{"y": {AUC()}})
	requireError(t, err, "metric auc: needs targets that are Floats", "are Labels: end the output in one sigmoid", "BinaryCrossentropy")
	require.NoError(t, aucModel(t, 3, Sigmoid).Compile(SGD(1), Losses{"y": BinaryCrossentropy()}, Metrics{"y": {AUC(Thresholds(1<<18), MultiLabel())}}))
}

// A file keeps the options that are not the usual ones, and what is read measures the same. A wrong file is an error.
func TestAUCSaved(t *testing.T) {
	ctx := context.Background()
	d := Data{Inputs: Arrays{"x": savedRows(30, 2)}, Targets: Arrays{"y": Floats(savedRows(60, 1))}}
	for i, v := range d.Targets["y"].(Floats) {
		d.Targets["y"].(Floats)[i] = float32(math.Round(math.Abs(float64(v))))
	}
	for config, metric := range map[string]Metric{
		`{}`: AUC(),
		`{"num_thresholds":40,"curve":"PR","summation_method":"minoring","multi_label":true}`: AUC(Thresholds(40), Curve("PR"), SummationMethod("minoring"), MultiLabel()),
	} {
		for act, loss := range map[ActivationKind]Loss{Sigmoid: BinaryCrossentropy(), Linear: BinaryCrossentropy(FromLogits())} {
			m := aucModel(t, 2, act)
			require.NoError(t, m.Compile(Adam(0.1), Losses{"y": loss}, Metrics{"y": {metric, Accuracy()}}))
			_, err := m.Fit(ctx, d)
			require.NoError(t, err)
			b := savedBytes(t, m)
			require.Contains(t, string(b), fmt.Sprintf(`\"metrics\":[{\"class_name\":\"AUC\",\"config\":%s},\"accuracy\"]`, escaped(config)))
			loaded, err := parse(b)
			require.NoError(t, err)
			require.Equal(t, metric, loaded.trainer.heads[0].measures[0].metric)
			want, err := m.Evaluate(ctx, d, BatchSize(7))
			require.NoError(t, err)
			got, err := loaded.Evaluate(ctx, d, BatchSize(30)) // batches do not matter
			require.NoError(t, err)
			require.Equal(t, want["auc"], got["auc"])
			require.Equal(t, b, savedBytes(t, loaded))
		}
	}

	m := aucModel(t, 2, Sigmoid)
	require.NoError(t, m.Compile(Adam(0.1), Losses{"y": BinaryCrossentropy()}, Metrics{"y": {AUC()}}))
	m.trainer.heads[0].measures[0].metric = AUC(Thresholds(math.MaxInt32), MultiLabel()) // what Compile would not let through
	_, err := parse(savedBytes(t, m))
	requireError(t, err, "metric auc: 2147483647 thresholds for each of 2 curves: valid are at least 2")
}

// escaped returns JSON as it is within a string.
func escaped(text string) string {
	b, _ := encodeJSON(text)
	return string(b[1 : len(b)-1])
}

// An output can have several areas, under names of their own.
func TestAUCNames(t *testing.T) {
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Sigmoid, Name("y")).On(x)})
	require.NoError(t, err)
	losses := Losses{"y": BinaryCrossentropy()}
	require.ErrorContains(t, m.Compile(SGD(0), losses, Metrics{"y": {AUC(), AUC(Curve("PR"))}}), "metric auc is given twice")
	require.ErrorContains(t, m.Compile(SGD(0), losses, Metrics{"y": {AUC(Name(""))}}), "valid are 1 to 4096 bytes")
	require.NoError(t, m.Compile(SGD(0), losses, Metrics{"y": {AUC(), AUC(Curve("PR"), Name("auc_pr"))}}))
	again, err := parse(savedBytes(t, m))
	require.NoError(t, err)
	logs, err := again.Evaluate(t.Context(), Data{Inputs: Arrays{"x": Floats{1, 2, 3}}, Targets: Arrays{"y": Labels{0, 1, 0}}})
	require.NoError(t, err)
	require.Contains(t, logs, "auc")
	require.Contains(t, logs, "auc_pr")
}
