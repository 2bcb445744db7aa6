package torch_test

import (
	"bytes"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/torch"
)

// In Python: torch.save(nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 2, bias=False)).state_dict(), "model.pt")
func ExampleLoad() {
	x := nn.Input("x", 3)
	y := nn.Sequential(x, nn.Dense(5, nn.ReLU), nn.Dense(5, nn.Tanh), nn.Dense(2, nn.Linear, nn.NoBias()))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{y})
	check(err)
	report, err := torch.Load("testdata/torch/linear/model.pt", m)
	check(err)
	fmt.Print(report)
	// Output:
	// 0.weight -> dense/kernel
	// 0.bias -> dense/bias
	// 2.weight -> dense_1/kernel
	// 2.bias -> dense_1/bias
	// 4.weight -> dense_2/kernel
}

// A checkpoint has more than the weights, and the model has other names.
func ExampleNames() {
	x := nn.Input("x", 3)
	trunk := nn.Dense(5, nn.ReLU, nn.Name("trunk")).On(x)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(2, nn.Linear, nn.Name("head")).On(trunk)})
	check(err)
	report, err := torch.LoadFS(os.DirFS("testdata/torch/checkpoint"), "model.pt", m,
		torch.Under("model_state_dict"), torch.Names(map[string]string{"0": "trunk", "4.weight": "head/kernel"}), torch.Partial())
	check(err)
	fmt.Print(report)
	// Output:
	// 0.weight -> trunk/kernel
	// 0.bias -> trunk/bias
	// 4.weight -> head/kernel
	// 2.weight is not used
	// 2.bias is not used
	// head/bias is not set
}

func ExampleWrite() {
	x := nn.Input("x", 3)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(2, nn.Linear, nn.Name("fc")).On(x)})
	check(err)
	var file bytes.Buffer
	check(torch.Write(&file, m, torch.Names(map[string]string{"encoder.fc": "fc"})))
	tensors, err := torch.Tensors(bytes.NewReader(file.Bytes()), int64(file.Len()))
	check(err)
	for _, t := range tensors {
		fmt.Println(t.Name, t.DType, t.Shape)
	}
	report, err := torch.Read(&file, m, torch.Rename(func(tensor string) string {
		return map[string]string{"encoder.fc.weight": "fc/kernel", "encoder.fc.bias": "fc/bias"}[tensor]
	}))
	check(err)
	fmt.Print(report)
	// Output:
	// encoder.fc.weight F32 [2 3]
	// encoder.fc.bias F32 [2]
	// encoder.fc.weight -> fc/kernel
	// encoder.fc.bias -> fc/bias
}

func ExampleSave() {
	x := nn.Input("x", 3)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{nn.Dense(2, nn.Linear, nn.Name("fc")).On(x)})
	check(err)
	folder, err := os.MkdirTemp("", "")
	check(err)
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "model.safetensors")
	check(torch.Save(path, m))
	report, err := torch.Load(path, m)
	check(err)
	fmt.Print(report)
	// Output:
	// fc.weight -> fc/kernel
	// fc.bias -> fc/bias
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
