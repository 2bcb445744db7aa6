package nn

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The bar of a terminal, at given times.
func TestProgressBar(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	b := &progressBar{w: &out, grows: true, now: func() time.Time { return now }}
	p := Progress{Epoch: 1, Epochs: 3, Batches: 40}
	want := func(text string) {
		t.Helper()
		require.Equal(t, text, out.String())
		out.Reset()
	}
	b.begin(p)
	want("Epoch 2/3\n")
	require.False(t, b.due())
	now = now.Add(barPeriod)
	require.True(t, b.due())
	now = time.Unix(3, 0)
	p.Batch, p.Logs = 9, Logs{"mae": 2, "loss": 0.0001234}
	b.draw(p)
	want("\r10/40 ━━━━━─────────────── 9s 300ms/step - loss: 1.2340e-04 - mae: 2.0000\x1b[K")
	require.False(t, b.due(), "just drawn")
	now = time.Unix(120, 0)
	p.Batch = 39
	b.end(p)
	want("\r40/40 ━━━━━━━━━━━━━━━━━━━━ 2:00 3s/step - loss: 1.2340e-04 - mae: 2.0000\x1b[K\n")

	// In the first epoch of a Stream, and in one that goes on.
	p.Batches = 0
	p.Batch = 30
	b.begin(p)
	out.Reset()
	now = now.Add(5 * time.Millisecond)
	p.Batch = 39
	p.Logs = nil
	b.draw(p)
	want("\r     40/Unknown 0s 500us/step\x1b[K")
	require.Equal(t, "1:01:07", seconds(3667*time.Second))
	require.False(t, (*progressBar)(nil).due())
}

// What is no terminal has a line for each epoch, and nothing is lost by a writer that fails.
func TestVerbose(t *testing.T) {
	x := Input("x", 1)
	m, err := NewModel([]*Node{x}, []*Node{Dense(1, Linear, NoBias(), Name("y")).On(x)})
	require.NoError(t, err)
	require.NoError(t, m.Compile(SGD(0.25), Losses{"y": MSE()}))
	require.NoError(t, m.SetWeights(map[string][]float32{"y/kernel": {1}}))
	data := Data{Inputs: Arrays{"x": Floats{1, 1}}, Targets: Arrays{"y": Floats{2, 2}}}
	var out bytes.Buffer
	_, err = m.Fit(context.Background(), data, Epochs(2), BatchSize(2), ValidationData(data), Verbose(&out))
	require.NoError(t, err)
	text := regexp.MustCompile(`\d+s - \d+[mu]?s/step`).ReplaceAllString(out.String(), "T")
	require.Equal(t, "Epoch 1/2\n1/1 - T - loss: 1.0000 - val_loss: 0.2500\nEpoch 2/2\n1/1 - T - loss: 0.2500 - val_loss: 0.0625\n", text)

	closed, err := os.Create(t.TempDir() + "/closed")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	_, err = m.Fit(context.Background(), data, Verbose(closed))
	require.NoError(t, err)
}
