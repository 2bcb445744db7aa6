package hdf5

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// An expected is what h5py reads from an object or an attribute, as testdata/make.py describes it.
type expected struct {
	Type  string
	Shape []int
	Runs  [][2]any // a value, and how often it comes
	Attrs map[string]expected
	Names []string
}

// archive returns the files of testdata, without their endings.
func archive(t testing.TB) map[string][]byte {
	files, err := unzip()
	require.NoError(t, err)
	return files
}

var unzip = sync.OnceValues(func() (map[string][]byte, error) {
	z, err := zip.OpenReader("testdata/files.zip")
	if err != nil {
		return nil, err
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, entry := range z.File {
		b, err := fs.ReadFile(z, entry.Name)
		if err != nil {
			return nil, err
		}
		files[strings.TrimSuffix(entry.Name, ".h5")] = b
	}
	return files, nil
})

func decode(t *testing.T, b []byte, v any) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	require.NoError(t, d.Decode(v))
}

func openBytes(b []byte) (*File, error) { return Open(bytes.NewReader(b), int64(len(b))) }

// TestRead compares all objects of files with what h5py read from them.
func TestRead(t *testing.T) {
	files := archive(t)
	var want map[string]map[string]expected
	decode(t, files["expected.json"], &want)
	for name, objects := range want {
		t.Run(strings.TrimSuffix(name, ".h5"), func(t *testing.T) {
			checkFile(t, files[strings.TrimSuffix(name, ".h5")], objects)
		})
	}
}

func checkFile(t *testing.T, b []byte, want map[string]expected) {
	t.Helper()
	f, err := openBytes(b)
	require.NoError(t, err)
	for at, w := range want {
		group, dataset, err := f.Root().Open(at)
		require.NoError(t, err, at)
		o := group
		if w.Names != nil {
			require.NotNil(t, group, at)
			names := group.Names()
			if n, ok := w.withoutTypes(want, at); ok {
				names = slices.DeleteFunc(names, func(s string) bool { return !slices.Contains(n, s) })
				w.Names = n
			}
			require.Equal(t, w.Names, names, at)
			require.Equal(t, path.Join("/", at), group.Path())
			require.Len(t, group.Attrs(), len(w.Attrs), at)
			for name, wa := range w.Attrs {
				a := group.Attr(name)
				require.NotNil(t, a, "%s: %s", at, name)
				checkArray(t, at+": "+name, &a.array, wa)
			}
			continue
		}
		require.Nil(t, o)
		checkArray(t, at, &dataset.array, w)
		require.Len(t, dataset.Attrs(), len(w.Attrs), at)
		for name, wa := range w.Attrs {
			checkArray(t, at+": "+name, &dataset.Attr(name).array, wa)
		}
	}
}

// withoutTypes returns the names of a group without those of types, which are not described.
func (w expected) withoutTypes(want map[string]expected, at string) ([]string, bool) {
	var names []string
	for _, name := range w.Names {
		if _, ok := want[path.Join(at, name)]; ok {
			names = append(names, name)
		}
	}
	return names, len(names) < len(w.Names)
}

func checkArray(t *testing.T, at string, a *array, want expected) {
	t.Helper()
	require.Equal(t, want.Shape, a.Shape, at)
	if want.Type == "text" {
		got, err := a.Strings()
		require.NoError(t, err, at)
		i := 0
		want.each(t, func(v any, n int) {
			for ; n > 0; n-- {
				require.Equal(t, v, got[i], at)
				i++
			}
		})
		require.Len(t, got, i, at)
		if len(got) == 1 {
			s, err := a.Text()
			require.NoError(t, err)
			require.Equal(t, got[0], s)
		}
		return
	}
	got64, err := a.Float64s()
	require.NoError(t, err, at)
	var ints []int64
	if strings.Contains(want.Type, "int") || want.Type == "bool" {
		ints, err = a.Int64s()
		require.NoError(t, err, at)
	}
	lacking := false // a number that float32 does not have
	want.each(t, func(v any, _ int) {
		x, ok := new(big.Float).SetString(fmt.Sprint(v)) // not a NaN
		if !ok {
			return
		}
		y, accuracy := x.Float32()
		if ints != nil {
			lacking = lacking || accuracy != big.Exact
		} else {
			lacking = lacking || math.IsInf(float64(y), 0) && !x.IsInf()
		}
	})
	got, err := a.Float32s(nil)
	if lacking {
		require.ErrorContains(t, err, "float32", at)
	} else {
		require.NoError(t, err, at)
	}
	i := 0
	want.each(t, func(v any, n int) {
		x, err := strconv.ParseFloat(fmt.Sprint(v), 64)
		require.NoError(t, err)
		whole, _ := strconv.ParseInt(fmt.Sprint(v), 10, 64)
		for ; n > 0; n-- {
			if math.Float64bits(x) != math.Float64bits(got64[i]) && !(x != x && got64[i] != got64[i]) {
				t.Fatalf("%s: value %d is %v, not %v", at, i, got64[i], v)
			}
			if !lacking && math.Float32bits(float32(x)) != math.Float32bits(got[i]) && !(x != x && got[i] != got[i]) {
				t.Fatalf("%s: value %d is %v, not %v", at, i, got[i], v)
			}
			if ints != nil && whole != ints[i] {
				t.Fatalf("%s: value %d is %d, not %s", at, i, ints[i], v)
			}
			i++
		}
	})
	require.Len(t, got64, i, at)
}

// each calls visit with the runs.
func (w expected) each(t *testing.T, visit func(v any, n int)) {
	for _, run := range w.Runs {
		n, err := run[1].(json.Number).Int64()
		require.NoError(t, err)
		visit(run[0], int(n))
	}
}

// TestReadReal compares all files of folders with what h5py reads from them.
func TestReadReal(t *testing.T) {
	python := os.Getenv("ESPALIER_H5PY") // a Python that has h5py
	if python == "" {
		t.Skip("ESPALIER_H5PY is not set")
	}
	for _, variable := range []string{"ESPALIER_REALMODELS", "ESPALIER_GOLDEN"} {
		folder := os.Getenv(variable)
		if folder == "" {
			continue
		}
		files := 0
		require.NoError(t, filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
			if extension := filepath.Ext(path); err != nil || extension != ".h5" && extension != ".keras" {
				return err
			}
			files++
			t.Run(path, func(t *testing.T) {
				b, err := os.ReadFile(path)
				require.NoError(t, err)
				if z, err := zip.NewReader(bytes.NewReader(b), int64(len(b))); err == nil {
					b, err = fs.ReadFile(z, "model.weights.h5")
					require.NoError(t, err)
				}
				copied := filepath.Join(t.TempDir(), "file.h5")
				require.NoError(t, os.WriteFile(copied, b, 0o666))
				out, err := exec.Command(python, "testdata/make.py", "describe", copied).Output()
				require.NoError(t, err)
				var want map[string]expected
				decode(t, out, &want)
				checkFile(t, b, want)
			})
			return nil
		}))
		t.Logf("%s: %d files", variable, files)
	}
}
