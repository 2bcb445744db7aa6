//go:build unix

package nn

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// Save does to a path what writing to the old file would, but for its content being there at once.
func TestSaveKeepsWhatBelongsToTheFile(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o022))
	m := tiny(t).model
	want := savedBytes(t, m)
	for name, test := range map[string]struct {
		old  func(t *testing.T, folder string) // makes files in it
		path string
		file string // has the model then
		mode fs.FileMode
	}{
		"new":              {func(*testing.T, string) {}, "m", "m", 0o644},
		"mode of a group":  {write("m", 0o664), "m", "m", 0o664},
		"mode of all":      {write("m", 0o666), "m", "m", 0o666},
		"private":          {write("m", 0o600), "m", "m", 0o600},
		"read-only":        {write("m", 0o444), "m", "m", 0o444},
		"link":             {links("target", "m", write("target", 0o640)), "m", "target", 0o640},
		"link to a link":   {links("link", "m", links("target", "link", write("target", 0o640))), "m", "target", 0o640},
		"link to nothing":  {links("target", "m", nil), "m", "target", 0o644},
		"link to a folder": {links("folder/target", "m", write("folder/target", 0o660)), "m", "folder/target", 0o660},
		// folder is a link to other/inner, where m is a link to ../target: not the target beside folder.
		"link in a linked folder": {links("other/inner", "folder", links("../target", "other/inner/m", write("other/target", 0o606))), "folder/m", "other/target", 0o606},
		"above a linked folder":   {links("other/inner", "folder", write("other/inner/x", 0o606)), "folder/../m", "other/m", 0o644},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			test.old(t, folder)
			before := linksIn(t, folder)
			require.NoError(t, m.Save(folder+"/"+test.path))
			file := filepath.Join(folder, test.file)
			have, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, want, have)
			info, err := os.Lstat(file)
			require.NoError(t, err)
			require.Equal(t, test.mode, info.Mode())
			require.Equal(t, before, linksIn(t, folder))
			left, err := filepath.Glob(filepath.Join(folder, "*", ".espalier-*"))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
	t.Run("link in a circle", func(t *testing.T) {
		folder := t.TempDir()
		links("a", "b", links("b", "a", nil))(t, folder)
		require.ErrorContains(t, m.Save(filepath.Join(folder, "a")), "too many symbolic links")
	})
	t.Run("absolute link", func(t *testing.T) {
		folder := t.TempDir()
		require.NoError(t, os.Symlink(filepath.Join(folder, "target"), filepath.Join(folder, "m")))
		require.NoError(t, m.Save(filepath.Join(folder, "m")))
		have, err := os.ReadFile(filepath.Join(folder, "target"))
		require.NoError(t, err)
		require.Equal(t, want, have)
	})
	t.Run("owner", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "m")
		write("m", 0o640)(t, filepath.Dir(path))
		if os.Chown(path, 1234, 2345) != nil {
			t.Skip("only root gives files away")
		}
		require.NoError(t, m.Save(path))
		info, err := os.Stat(path)
		require.NoError(t, err)
		owner := info.Sys().(*syscall.Stat_t)
		require.EqualValues(t, []uint32{1234, 2345}, []uint32{owner.Uid, owner.Gid})
		require.Equal(t, fs.FileMode(0o640), info.Mode())
	})
}

// write returns what makes a file of that mode in a folder.
func write(name string, mode fs.FileMode) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte("old"), mode))
		require.NoError(t, os.Chmod(path, mode))
	}
}

// links returns what makes a symbolic link after what before makes.
func links(target, name string, before func(*testing.T, string)) func(*testing.T, string) {
	return func(t *testing.T, folder string) {
		if before != nil {
			before(t, folder)
		}
		path := filepath.Join(folder, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.Symlink(target, path))
	}
}

// linksIn returns the symbolic links below a folder.
func linksIn(t *testing.T, folder string) map[string]string {
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type() == fs.ModeSymlink {
			all[path], err = os.Readlink(path)
		}
		return err
	}))
	return all
}
