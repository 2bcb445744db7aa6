package nn

import (
	"context"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// dataBytes turns arbitrary bytes into Data for a tandem: mostly right, so that errors deep inside are reached too.
type dataBytes []byte

func (b *dataBytes) next() int {
	if len(*b) == 0 {
		return 0
	}
	v := (*b)[0]
	*b = (*b)[1:]
	return int(v)
}

// value is odd for 8 of 256 bytes; finite values stay within 1e6, where no update can overflow.
func (b *dataBytes) value() float32 {
	odd := []float32{nan, inf, -inf, float32(math.Copysign(0, -1)), 1e-45, -1e-38, 1e6, -1e6}
	if v := b.next(); v > 8 {
		return float32(v-132) / 16
	} else if v > 0 {
		return odd[v-1]
	}
	return 0
}

func (b *dataBytes) floats(rows, width int) Floats {
	f := make(Floats, max(0, rows*width))
	for i := range f {
		f[i] = b.value()
	}
	return f
}

func (b *dataBytes) labels(rows int) Labels {
	l := make(Labels, max(0, rows))
	for i := range l {
		if l[i] = int32(b.next()); l[i] < 240 {
			l[i] %= 4
		} else {
			l[i] = (l[i] - 247) << 24 // negative or huge
		}
	}
	return l
}

// array is what want says, unless the bytes want something else.
func (b *dataBytes) array(rows, width int, labels bool) Array {
	switch b.next() {
	case 250:
		return nil
	case 251:
		return Floats(nil)
	case 252:
		return Labels(nil)
	case 253:
		return (*Floats)(nil)
	case 254:
		return &Labels{1}
	case 255:
		labels = !labels
	case 249:
		rows++
	case 248:
		f := b.floats(rows, width)
		return append(f, 1)
	}
	if labels {
		return b.labels(rows)
	}
	return b.floats(rows, width)
}

func (b *dataBytes) data() Data {
	rows := b.next() % 6
	d := Data{
		Inputs:  Arrays{"x": b.array(rows, 3, false), "c": b.array(rows, 2, false)},
		Targets: Arrays{"label": b.array(rows, 4, true), "value": b.array(rows, 2, false)},
	}
	names := []string{"x", "c", "label", "value", "", "trunk"}
	switch b.next() {
	case 1:
		delete(d.Inputs, names[b.next()%6])
	case 2:
		delete(d.Targets, names[b.next()%6])
	case 3:
		d.Inputs[names[b.next()%6]] = b.array(rows, 1, false)
	case 4:
		d.Targets[names[b.next()%6]] = b.array(rows, 1, false)
	case 5:
		d.Inputs = nil
	case 6:
		d.Targets = nil
	case 7, 8:
		d.SampleWeights = map[string][]float32{names[b.next()%6]: b.floats(rows, 1), "label": nil}
	}
	return d
}

// Whatever the data, nothing panics, and either there is an error and no weight has changed, or all is finite.
func FuzzData(f *testing.F) {
	f.Add(byte(0), []byte{})
	good := []byte{2}
	for _, n := range []int{6, 4, 2, 4} {
		good = append(good, 0)
		for i := range n {
			good = append(good, byte(100+10*i))
		}
	}
	for way := range byte(7) {
		f.Add(way, good)
	}
	f.Add(byte(0), append(good[:len(good):len(good)], 7, 2, 200, 200))
	f.Fuzz(func(t *testing.T, way byte, bytes []byte) {
		b := dataBytes(bytes)
		d := b.data()
		optimizer := []Optimizer{SGD(0.01), Adam(0.01), RMSprop(0.01)}[b.next()%3]
		m := tandem(t, optimizer)
		before := weightBits(m)
		ctx := context.Background()
		var err error
		var history *History
		var logs Logs
		switch way % 7 {
		case 0: // one batch: more would change weights before a loss can fail
			history, err = m.Fit(ctx, d, BatchSize(64), ValidationSplit(float64(b.next())/255))
		case 1:
			history, err = m.Fit(ctx, streamOf(d, b.data()), BatchSize(64))
		case 2:
			history, err = m.Fit(ctx, tandemData(5), BatchSize(64), ValidationData(d))
		case 3:
			history, err = m.Fit(ctx, d, BatchSize(b.next()-1), Epochs(b.next()%3),
				ClassWeight("label", map[int]float64{b.next() % 5: float64(b.value())}))
			if err != nil && history != nil && m.trainer.iterations > 0 {
				return // of a later batch
			}
		case 4:
			logs, err = m.TrainOnBatch(d)
		case 5:
			logs, err = m.Evaluate(ctx, d, BatchSize(b.next()))
		case 6:
			_, err = m.Predict(d.Inputs)
		}
		if err != nil {
			require.Equal(t, before, weightBits(m), "weights after %v", err)
		}
		for _, w := range m.Weights() {
			require.Equal(t, -1, nonFinite(w.Data), "%s after %v", w.Name, err)
		}
		if history != nil {
			for name, values := range history.Logs {
				logs = Logs{name: values[0]}
				require.Len(t, values, len(history.Epochs))
			}
		}
		for name, v := range logs {
			require.False(t, math.IsNaN(v) || math.IsInf(v, 0), "%s is %v", name, v)
		}
		y, err := m.Predict(d.Inputs)
		for name, v := range y {
			require.NoError(t, err)
			require.Equal(t, -1, nonFinite(v.Data), name)
		}
	})
}
