package nn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// What only serves does not keep the state of the optimizer.
func TestServingReadsNoState(t *testing.T) {
	c := tiny(t)
	b := savedBytes(t, c.model)
	size := int64(4 * c.model.CountParams())
	_, err := parse(b, MaxBytes(size))
	require.ErrorContains(t, err, fmt.Sprintf("has values of %d bytes", 2*size))
	m, err := parse(b, MaxBytes(size), ForServing())
	require.NoError(t, err)
	require.Nil(t, m.trainer)
}

// Compile starts over; it does so with a loaded model, too.
func TestCompileAfterLoad(t *testing.T) {
	c := savedCases(t)["several outputs"]
	b := savedBytes(t, c.model)
	m, err := parse(b)
	require.NoError(t, err)
	_, err = m.Fit(context.Background(), c.data)
	require.ErrorContains(t, err, "not compiled")
	c.compile(t, Adam(0.01))
	loaded := &savedCase{m, c.data}
	loaded.compile(t, Adam(0.01))
	require.Equal(t, c.fit(t, c.model, Epochs(3)), c.fit(t, m, Epochs(3)))
	require.Equal(t, c.state(t, c.model), c.state(t, m))
}

func TestLoadSources(t *testing.T) {
	c := savedCases(t)["shared"]
	c.compile(t, Adam(0.01))
	b := savedBytes(t, c.model)
	want := c.state(t, c.model)
	equal := func(t *testing.T, m *Model, err error) {
		require.NoError(t, err)
		require.Equal(t, want, c.state(t, m))
	}
	t.Run("fs", func(t *testing.T) {
		files := fstest.MapFS{"models/a.safetensors": {Data: b}}
		m, err := LoadFS(files, "models/a.safetensors")
		equal(t, m, err)
		_, err = LoadFS(files, "models/b.safetensors")
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, `nn: Load "models/b.safetensors": `)
		_, err = LoadFS(files, "models")
		require.ErrorContains(t, err, `nn: Load "models": `)
	})
	t.Run("bytes", func(t *testing.T) {
		given := bytes.Clone(b)
		m, err := parse(given)
		clear(given)
		equal(t, m, err)
	})
	t.Run("byte by byte", func(t *testing.T) {
		m, err := Read(iotest.OneByteReader(bytes.NewReader(b)))
		equal(t, m, err)
	})
	t.Run("end with the last byte", func(t *testing.T) {
		m, err := Read(iotest.DataErrReader(bytes.NewReader(b)))
		equal(t, m, err)
	})
	t.Run("failing reader", func(t *testing.T) {
		broken := errors.New("broken")
		for _, n := range []int{0, 5, 8, 100, len(b) - 1, len(b)} {
			_, err := Read(io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(broken)))
			require.ErrorIs(t, err, broken, n)
			require.ErrorContains(t, err, "nn: Read: ")
		}
	})
	t.Run("missing file", func(t *testing.T) {
		_, err := Load(filepath.Join(t.TempDir(), "none"))
		require.ErrorIs(t, err, fs.ErrNotExist)
	})
	t.Run("folder", func(t *testing.T) {
		_, err := Load(t.TempDir())
		require.ErrorContains(t, err, "nn: Load ")
	})
	t.Run("unfinished files around", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "model")
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(path), ".espalier-0123456789abcdef.tmp"), b[:50], 0o666))
		require.NoError(t, c.model.Save(path))
		m, err := Load(path)
		equal(t, m, err)
	})
}
