package examples

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/espalier-ml/espalier/keras"
	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/onnx"
	"github.com/espalier-ml/espalier/torch"
)

// The Go code of docs/ compiles, and the programs of Espalier run where there is the model that they speak of, and print what stands there.
func TestGuides(t *testing.T) {
	folder := t.TempDir()
	writeShop(t, folder)
	guides, err := filepath.Glob(filepath.Join("..", "docs", "*.md"))
	if err != nil || len(guides) == 0 {
		t.Fatal("no guides", err)
	}
	readme := read(t, filepath.Join("..", "README.md"))
	for _, guide := range guides {
		if !strings.Contains(readme, "(docs/"+filepath.Base(guide)+")") {
			t.Errorf("README.md has no link to %s", guide)
		}
		for i, rest := range strings.Split(read(t, guide), "```go\n")[1:] {
			t.Run(fmt.Sprintf("%s/%d", filepath.Base(guide), i+1), func(t *testing.T) {
				source, rest, _ := strings.Cut(rest, "```\n")
				whole := strings.HasPrefix(source, "package main\n")
				if !whole { // declarations
					source = "package main\n\nimport (\n\t\"github.com/espalier-ml/espalier/nn\"\n\t\"github.com/espalier-ml/espalier/ops\"\n)\n\nfunc main() {}\n\n" + source
				}
				of := "." // the module that has what is imported
				if strings.Contains(source, "onnxruntime_go") {
					of = filepath.Join("..", "bench")
				}
				program := build(t, of, source)
				if !whole || of != "." {
					return
				}
				run := exec.Command(program)
				run.Dir = folder
				out, err := run.CombinedOutput()
				if err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				if want, ok := strings.CutPrefix(rest, "\nIt prints\n\n"); ok {
					want, _, _ = strings.Cut(want, "\n\n")
					if got := "    " + strings.ReplaceAll(strings.TrimSuffix(string(out), "\n"), "\n", "\n    "); got != want {
						t.Errorf("prints\n%s\nand not\n%s", got, want)
					}
				}
			})
		}
	}
}

// build compiles a program with the dependencies of the module in a folder.
func build(t *testing.T, module, source string) string {
	t.Helper()
	folder := t.TempDir()
	file, program := filepath.Join(folder, "main.go"), filepath.Join(folder, "program.exe")
	if err := os.WriteFile(file, []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, file)
	command.Dir = module
	if strings.Contains(source, "onnxruntime_go") {
		if _, err := exec.LookPath("gcc"); err != nil {
			t.Skip("onnxruntime_go needs a C compiler")
		}
		command.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// writeShop writes the model of the guides as Python would.
func writeShop(t *testing.T, folder string) {
	t.Helper()
	dense := func(units int, act nn.ActivationFunction, name string, x *nn.Node) *nn.Node {
		return nn.Dense(units, act, nn.Name(name)).On(x)
	}
	customer, page := nn.Input("customer", 2), nn.Input("page", 3)
	both := nn.Concatenate().On(dense(16, nn.ReLU, "dense", customer), dense(16, nn.ReLU, "dense_1", page))
	trunk := dense(32, nn.ReLU, "trunk", both)
	m, err := nn.NewModel([]*nn.Node{customer, page}, []*nn.Node{dense(1, nn.Sigmoid, "buys", trunk), dense(1, nn.Linear, "amount", trunk)})
	check(t, err)
	check(t, m.Compile(nn.Adam(1e-3), nn.Losses{"buys": nn.BinaryCrossentropy(), "amount": nn.MSE()}))
	check(t, keras.Save(m, filepath.Join(folder, "shop.keras")))
	check(t, onnx.Save(filepath.Join(folder, "shop.onnx"), m))
	var weights bytes.Buffer
	check(t, torch.Write(&weights, m, torch.Names(map[string]string{
		"customer": "dense", "page": "dense_1", "trunk": "trunk", "buys": "buys", "amount": "amount",
	})))
	check(t, os.WriteFile(filepath.Join(folder, "shop.safetensors"), weights.Bytes(), 0o600))
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	check(t, err)
	return string(b)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
