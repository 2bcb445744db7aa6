package newfile

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// What package nn's tests of Save show of links, modes and errors is not repeated here.

// The content is safe before the file gets its name, and the name is before Save returns.
func TestWriteSyncs(t *testing.T) {
	want := []byte("new")
	write := func(w io.Writer) (int64, error) { return bytes.NewReader(want).WriteTo(w) }
	path := filepath.Join(t.TempDir(), "m")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o644))
	var order []string
	var fails string
	broken := errors.New("broken")
	defer func(old func(*os.File) error) { syncFile = old }(syncFile)
	syncFile = func(f *os.File) error {
		at, err := os.ReadFile(path)
		require.NoError(t, err)
		switch f.Name() {
		case filepath.Dir(path) + "/":
			require.Equal(t, want, at, "the new file has its name")
			order = append(order, "folder")
		default:
			require.Equal(t, "old", string(at))
			written, err := os.ReadFile(f.Name())
			require.NoError(t, err)
			require.Equal(t, want, written, "everything is written")
			order = append(order, "file")
		}
		if order[len(order)-1] == fails {
			return broken
		}
		return nil
	}
	require.NoError(t, Write(path, write))
	require.Equal(t, []string{"file", "folder"}, order)

	order = nil
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o644))
	fails = "file"
	require.ErrorIs(t, Write(path, write), broken)
	require.Equal(t, []string{"file"}, order)
	requireOnly(t, path, "old")

	order = nil
	fails = "folder"
	require.ErrorIs(t, Write(path, write), broken)
	require.Equal(t, []string{"file", "folder"}, order)
	requireOnly(t, path, "new")
}

// requireOnly asks for a file with that content and nothing beside it.
func requireOnly(t *testing.T, path, content string) {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, content, string(text))
	files, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, files, 1)
}
