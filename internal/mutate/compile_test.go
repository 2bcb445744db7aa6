package main

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every mutation of Go code compiles.
func TestMutationsCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("checks the types of a package for each mutation")
	}
	all, err := readLists()
	require.NoError(t, err)
	root, err := moduleRoot()
	require.NoError(t, err)
	c := newChecker(t, root)
	for _, m := range all {
		if !strings.HasSuffix(m.file, ".go") || !built(root, m.file) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
		require.NoError(t, err)
		mutated, _, err := m.apply(string(text))
		require.NoError(t, err, "%v", m)
		if err := c.check(m.file, mutated); err != nil {
			t.Errorf("%v: %v", m, err)
		}
	}
}

// A checker checks the types of packages of a module.
type checker struct {
	root     string
	files    *token.FileSet
	packages map[string]*build.Package
	parsed   map[string]*ast.File
	imports  types.Importer
}

func newChecker(t *testing.T, root string) *checker {
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	require.NoError(t, err)
	exports := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		exports[p.ImportPath] = p.Export
	}
	c := &checker{root: root, files: token.NewFileSet(), packages: map[string]*build.Package{}, parsed: map[string]*ast.File{}}
	c.imports = importer.ForCompiler(c.files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	return c
}

// check checks the package of a file that has another text.
func (c *checker) check(file, text string) error {
	dir := filepath.Join(c.root, filepath.FromSlash(path.Dir(file)))
	pkg, err := c.packages[dir], error(nil)
	if pkg == nil {
		if pkg, err = build.ImportDir(dir, 0); err != nil {
			return err
		}
		c.packages[dir] = pkg
	}
	var files []*ast.File
	for _, base := range pkg.GoFiles {
		name := filepath.Join(dir, base)
		f := c.parsed[name]
		if base == path.Base(file) {
			f, err = parser.ParseFile(c.files, file, text, parser.SkipObjectResolution)
		} else if f == nil {
			f, err = parser.ParseFile(c.files, name, nil, parser.SkipObjectResolution)
			c.parsed[name] = f
		}
		if err != nil {
			return err
		}
		files = append(files, f)
	}
	config := types.Config{Importer: c.imports, Sizes: types.SizesFor("gc", build.Default.GOARCH)}
	_, err = config.Check(pkg.Name, c.files, files, nil)
	return err
}
