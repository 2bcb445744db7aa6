package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/espalier-ml/espalier/nn"
)

// shop writes a small model with two inputs and two outputs as Espalier's own file, and four rows for it: twice, with the outputs and without.
func shop(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	customer, page := nn.Input("customer", 2), nn.Input("page", 3)
	trunk := nn.Dense(8, nn.ReLU, nn.Name("trunk")).On(nn.Concatenate().On(customer, nn.BatchNormalization().On(page)))
	m, err := nn.NewModel([]*nn.Node{customer, page}, []*nn.Node{
		nn.Dense(2, nn.Softmax, nn.Name("buys")).On(trunk), nn.Dense(1, nn.Linear, nn.Name("amount")).On(trunk),
	}, nn.Metadata(map[string]string{"currency": "euro"}))
	if err == nil {
		err = m.Save(filepath.Join(folder, "shop.espalier"))
	}
	if err != nil {
		t.Fatal(err)
	}
	var customers, pages nn.Floats
	for i := range 4 {
		customers = append(customers, float32(i)/2, 1)
		pages = append(pages, float32(i), -1, 0.5)
	}
	y, err := m.Predict(nn.Arrays{"customer": customers, "page": pages})
	if err != nil {
		t.Fatal(err)
	}
	inputs, all := "age,visits,x,y,z\n", ""
	for i := range 4 {
		row := fmt.Sprintf("%v,%v,%v,%v,%v", customers[2*i], customers[2*i+1], pages[3*i], pages[3*i+1], pages[3*i+2])
		inputs += row + "\n"
		all += fmt.Sprintf("%s,%v,%v,%v\n", row, y["buys"].Row(i)[0], y["buys"].Row(i)[1], y["amount"].Row(i)[0])
	}
	writeFile(t, filepath.Join(folder, "inputs.csv"), inputs)
	writeFile(t, filepath.Join(folder, "all.csv"), all)
	return folder
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func convert(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(args, &out); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return out.String()
}

var difference = regexp.MustCompile(`largest difference (\S+) in 4 rows`)

// Every format becomes every other one, and the outputs of the first model stay. Files are named as from a shell, by relative paths.
func TestAnyToAny(t *testing.T) {
	t.Chdir(shop(t))
	files := []string{"shop.espalier", "shop.keras", "shop.h5", "shop.onnx", "shop.safetensors", "shop.weights.h5"}
	for _, target := range files[1:] {
		convert(t, files[0], target)
	}
	for _, source := range files {
		for i, target := range files {
			t.Run(source+" to "+target, func(t *testing.T) {
				target = "again" + strings.TrimPrefix(target, "shop")
				args := []string{"-check", "all.csv", source, target}
				if source == "shop.safetensors" || source == "shop.weights.h5" {
					args = append([]string{"-model", files[i%3]}, args...)
				}
				out := convert(t, args...)
				found := difference.FindAllStringSubmatch(out, -1)
				if len(found) != 2 {
					t.Fatalf("%d differences, not those of the rows and of the target:\n%s", len(found), out)
				}
				for _, match := range found {
					if d, err := strconv.ParseFloat(match[1], 64); err != nil || d > 1e-6 {
						t.Error(out)
					}
				}
				path := regexp.MustCompile(`(?m)^wrote (.*)$`).FindStringSubmatch(out)[1]
				if _, err := os.Stat(path); err != nil || !filepath.IsAbs(path) {
					t.Errorf("%s: %v", path, err)
				}
			})
		}
	}
}

func TestDescribe(t *testing.T) {
	t.Chdir(shop(t))
	convert(t, "shop.espalier", "shop.onnx")
	for _, file := range []string{"shop.espalier", "shop.onnx"} {
		out := convert(t, "-describe", file)
		for _, want := range []string{
			file + "\n", `input "customer": [2], columns 1 to 2 of -check`, `input "page": [3], columns 3 to 5 of -check`,
			`output "buys": [2], columns 6 to 7 of -check`, `output "amount": [1], column 8 of -check`, "Dense", "Total params: ",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", file, want, out)
			}
		}
	}
	if out := convert(t, "-describe", "shop.espalier"); !strings.Contains(out, `currency: "euro"`) {
		t.Error(out)
	}
}

// What differs is found: the rows are those of the model but for one number.
func TestDifference(t *testing.T) {
	t.Chdir(shop(t))
	text, err := os.ReadFile("all.csv")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, wrong := range []string{"1000", "NaN"} {
		lines[2] = lines[2][:strings.LastIndex(lines[2], ",")+1] + wrong
		writeFile(t, "wrong.csv", strings.Join(lines, "\n"))
		out := convert(t, "-check", "wrong.csv", "shop.espalier")
		if !strings.Contains(out, `at row 3 of output "amount", column 1: `) || !strings.HasSuffix(out, " and "+wrong+"\n") {
			t.Error(out)
		}
	}
}

// What an axis of any size has is said by -shape.
func TestShape(t *testing.T) {
	source := filepath.Join("..", "..", "onnx", "testdata", "real", "onnx-probe-two-in-three-out", "model.onnx")
	if err := run([]string{"-describe", source}, &bytes.Buffer{}); err == nil {
		t.Error("an open axis has no size, and that is no error")
	}
	out := convert(t, "-describe", "-shape", "in1=4", "-shape", "in2=4", source)
	if !strings.Contains(out, `input "in1": [4]`) {
		t.Error(out)
	}
}

func TestErrors(t *testing.T) {
	t.Chdir(shop(t))
	convert(t, "shop.espalier", "shop.safetensors")
	writeFile(t, "short.csv", "1,2,3\n")
	writeFile(t, "word.csv", "a,b,c,d,e\n1,2,3,4,5\n1,2,x,4,5\n")
	writeFile(t, "empty.csv", "")
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "needs a source"},
		{[]string{"shop.espalier"}, "-describe or -check"},
		{[]string{"shop.espalier", "./shop.espalier"}, "is a file that is read"},
		{[]string{"shop.espalier", "shop.pb"}, ".keras, .h5, .onnx"},
		{[]string{"shop.espalier", "shop.pt"}, "only PyTorch writes"},
		{[]string{"none.keras", "shop.onnx"}, "none.keras"},
		{[]string{"shop.pt", "shop.onnx"}, "with -model"},
		{[]string{"shop.safetensors", "shop.onnx"}, "with -model"},
		{[]string{"-model", "shop.espalier", "shop.onnx", "shop.keras"}, "leave out -model"},
		{[]string{"-shape", "image", "shop.onnx", "shop.keras"}, "image=28,28,1"},
		{[]string{"-shape", "image=a", "shop.onnx", "shop.keras"}, `"a" is not a whole number`},
		{[]string{"-check", "inputs.csv", "shop.espalier"}, "no columns of outputs"},
		{[]string{"-check", "short.csv", "shop.espalier"}, "the inputs need 5, inputs and outputs 8"},
		{[]string{"-check", "word.csv", "shop.espalier"}, `line 3, column 3: "x"`},
		{[]string{"-check", "empty.csv", "shop.espalier"}, "no rows"},
	} {
		err := run(test.args, &bytes.Buffer{})
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, not %q", test.args, err, test.want)
		}
	}
	if _, err := os.Stat("shop.pt"); err == nil {
		t.Error("an error left a file behind")
	}
}
