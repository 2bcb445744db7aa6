package nn

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestStreamEqualsData(t *testing.T) {
	d := tandemData(23)
	d.SampleWeights = map[string][]float32{"value": make([]float32, 23)}
	for i := range 23 {
		d.SampleWeights["value"][i] = float32(i%3) / 2
	}
	fit := func(data Dataset) ([]uint32, map[string][]uint64, Logs) {
		m := noisy(t)
		h, err := m.Fit(context.Background(), data, Epochs(2), BatchSize(5), Shuffle(false), ValidationData(data))
		require.NoError(t, err)
		logs, err := m.Evaluate(context.Background(), data, BatchSize(4))
		require.NoError(t, err)
		return weightBits(m), logBits(h), logs
	}
	weights, history, logs := fit(d)
	for _, sizes := range [][]int{{23}, {1, 22}, {5, 5, 5, 5, 3}, {7, 1, 1, 2, 12}, {22, 1}, slices.Repeat([]int{1}, 23)} {
		t.Run(fmt.Sprint(sizes), func(t *testing.T) {
			var chunks []Data
			at := 0
			for i, size := range sizes {
				c := part(d, at, at+size)
				if i%2 == 1 && slices.Equal(c.SampleWeights["value"], slices.Repeat([]float32{1}, size)) {
					c.SampleWeights = nil
				}
				chunks, at = append(chunks, c), at+size
			}
			for _, stream := range []Stream{streamOf(chunks...), streamOf(chunks...).Prefetch()} {
				w, h, l := fit(stream)
				require.Equal(t, weights, w)
				require.Equal(t, history, h)
				require.Equal(t, logs, l)
			}
		})
	}
}

// A stream that is prefetched ends with Fit, however that ends, and fails as it does otherwise.
func TestPrefetchEnds(t *testing.T) {
	d := tandemData(12)
	broken := errors.New("bad sector")
	for _, c := range []struct {
		name   string
		stream Stream
		option FitOption
		want   string
	}{
		{"callback stops", streamOf(d, d, d, d), stopAt(0, 1, ErrStop), ""},
		{"error", func() iter.Seq2[Data, error] {
			return func(yield func(Data, error) bool) { _ = yield(d, nil) && yield(Data{}, broken) }
		}, Epochs(1), "nn: Fit: epoch 0, batch 3: chunk 1 of the stream: bad sector"},
		{"panic", func() iter.Seq2[Data, error] {
			return func(yield func(Data, error) bool) { yield(d, nil); panic("no more") }
		}, Epochs(1), "nn: Fit: epoch 0, batch 3: chunk 1 of the stream: the stream panicked: no more\ngoroutine "},
		{"no iterator", func() iter.Seq2[Data, error] { return nil }, Epochs(1), "nn: Fit: epoch 0, batch 0: chunk 0 of the stream: the stream has no iterator"},
		{"nil", nil, Epochs(1), "nn: Fit: the data is a nil Stream"},
	} {
		t.Run(c.name, func(t *testing.T) {
			ended := true
			stream := c.stream
			if stream != nil {
				stream = func() iter.Seq2[Data, error] {
					pass := c.stream()
					if pass == nil {
						return nil
					}
					return func(yield func(Data, error) bool) {
						ended = false
						defer func() { ended = true }()
						pass(yield)
					}
				}
			}
			_, err := tandem(t, Adam(0.01)).Fit(context.Background(), stream.Prefetch(), BatchSize(4), c.option)
			require.True(t, ended)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			requireError(t, err, c.want)
		})
	}
}

// Once nobody reads a prefetched stream it is told so: it does not run to its end, which it may not have.
func TestPrefetchStops(t *testing.T) {
	asked := 0
	stream := Stream(func() iter.Seq2[Data, error] {
		return func(yield func(Data, error) bool) {
			for asked = 1; asked < 1000 && yield(Data{}, nil); {
				asked++
			}
		}
	})
	for range stream.Prefetch()() {
		break
	}
	require.LessOrEqual(t, asked, 3)
}
