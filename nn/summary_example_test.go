package nn_test

import (
	"fmt"
	"os"

	"github.com/espalier-ml/espalier/nn"
)

// One trunk, two heads that predict different things from it.
func ExampleModel_Summary_multiTask() {
	x := nn.Input("features", 20)
	h := nn.Dense(128, nn.ReLU, nn.Name("trunk_1")).On(x)
	h = nn.Dense(64, nn.ReLU, nn.Name("trunk_2")).On(h)
	value := nn.Dense(1, nn.Linear, nn.Name("value")).On(h)
	label := nn.Dense(10, nn.Softmax, nn.Name("label")).On(h)
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{value, label}, nn.Name("multi_task"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Summary(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Model: "multi_task"
	// ┏━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━┓
	// ┃ Layer (type)          ┃ Output Shape      ┃     Param # ┃ Connected to       ┃
	// ┡━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━┩
	// │ features (InputLayer) │ (None, 20)        │           0 │ -                  │
	// ├───────────────────────┼───────────────────┼─────────────┼────────────────────┤
	// │ trunk_1 (Dense)       │ (None, 128)       │       2,688 │ features[0][0]     │
	// ├───────────────────────┼───────────────────┼─────────────┼────────────────────┤
	// │ trunk_2 (Dense)       │ (None, 64)        │       8,256 │ trunk_1[0][0]      │
	// ├───────────────────────┼───────────────────┼─────────────┼────────────────────┤
	// │ value (Dense)         │ (None, 1)         │          65 │ trunk_2[0][0]      │
	// ├───────────────────────┼───────────────────┼─────────────┼────────────────────┤
	// │ label (Dense)         │ (None, 10)        │         650 │ trunk_2[0][0]      │
	// └───────────────────────┴───────────────────┴─────────────┴────────────────────┘
	//  Total params: 11,659 (45.54 KB)
	//  Trainable params: 11,659 (45.54 KB)
	//  Non-trainable params: 0 (0.00 B)
}

// Two inputs with encoders of their own, a layer that both share, and one decision from both.
func ExampleModel_Summary_multiModal() {
	image, text := nn.Input("image", 10), nn.Input("text", 10)
	shared := nn.Dense(32, nn.ReLU, nn.Name("shared"))
	i := shared.On(nn.Dense(5, nn.ReLU, nn.Name("image_encoder")).On(image))
	t := shared.On(nn.Dense(5, nn.ReLU, nn.Name("text_encoder")).On(text))
	i = nn.Dense(16, nn.ReLU, nn.Name("image_branch")).On(i)
	t = nn.Dense(16, nn.ReLU, nn.Name("text_branch")).On(t)
	match := nn.Dense(1, nn.Sigmoid, nn.Name("match")).On(nn.Concatenate(nn.Name("both")).On(i, t))
	m, err := nn.NewModel([]*nn.Node{image, text}, []*nn.Node{match}, nn.Name("multi_modal"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Summary(os.Stdout, nn.SummaryWidth(88)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Model: "multi_modal"
	// ┏━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━┓
	// ┃ Layer (type)            ┃ Output Shape         ┃      Param # ┃ Connected to         ┃
	// ┡━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━┩
	// │ image (InputLayer)      │ (None, 10)           │            0 │ -                    │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ text (InputLayer)       │ (None, 10)           │            0 │ -                    │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ image_encoder (Dense)   │ (None, 5)            │           55 │ image[0][0]          │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ text_encoder (Dense)    │ (None, 5)            │           55 │ text[0][0]           │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ shared (Dense)          │ (None, 32)           │          192 │ image_encoder[0][0], │
	// │                         │                      │              │ text_encoder[0][0]   │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ image_branch (Dense)    │ (None, 16)           │          528 │ shared[0][0]         │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ text_branch (Dense)     │ (None, 16)           │          528 │ shared[1][0]         │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ both (Concatenate)      │ (None, 32)           │            0 │ image_branch[0][0],  │
	// │                         │                      │              │ text_branch[0][0]    │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ match (Dense)           │ (None, 1)            │           33 │ both[0][0]           │
	// └─────────────────────────┴──────────────────────┴──────────────┴──────────────────────┘
	//  Total params: 1,391 (5.43 KB)
	//  Trainable params: 1,391 (5.43 KB)
	//  Non-trainable params: 0 (0.00 B)
}

// Two inputs with encoders of their own, a layer that both share, and a task for each.
func ExampleModel_Summary_multiModalMultiTask() {
	image, text := nn.Input("image", 10), nn.Input("text", 10)
	shared := nn.Dense(32, nn.ReLU, nn.Name("shared"))
	i := shared.On(nn.Dense(5, nn.ReLU, nn.Name("image_encoder")).On(image))
	t := shared.On(nn.Dense(5, nn.ReLU, nn.Name("text_encoder")).On(text))
	score := nn.Dense(1, nn.Linear, nn.Name("score")).On(nn.Dense(10, nn.ReLU, nn.Name("image_branch")).On(i))
	topic := nn.Dense(2, nn.Softmax, nn.Name("topic")).On(nn.Dense(10, nn.ReLU, nn.Name("text_branch")).On(t))
	m, err := nn.NewModel([]*nn.Node{image, text}, []*nn.Node{score, topic}, nn.Name("multi_modal_multi_task"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Summary(os.Stdout, nn.SummaryWidth(88)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// Model: "multi_modal_multi_task"
	// ┏━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━━━━━━┓
	// ┃ Layer (type)            ┃ Output Shape         ┃      Param # ┃ Connected to         ┃
	// ┡━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━━━━━━┩
	// │ image (InputLayer)      │ (None, 10)           │            0 │ -                    │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ text (InputLayer)       │ (None, 10)           │            0 │ -                    │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ image_encoder (Dense)   │ (None, 5)            │           55 │ image[0][0]          │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ text_encoder (Dense)    │ (None, 5)            │           55 │ text[0][0]           │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ shared (Dense)          │ (None, 32)           │          192 │ image_encoder[0][0], │
	// │                         │                      │              │ text_encoder[0][0]   │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ image_branch (Dense)    │ (None, 10)           │          330 │ shared[0][0]         │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ text_branch (Dense)     │ (None, 10)           │          330 │ shared[1][0]         │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ score (Dense)           │ (None, 1)            │           11 │ image_branch[0][0]   │
	// ├─────────────────────────┼──────────────────────┼──────────────┼──────────────────────┤
	// │ topic (Dense)           │ (None, 2)            │           22 │ text_branch[0][0]    │
	// └─────────────────────────┴──────────────────────┴──────────────┴──────────────────────┘
	//  Total params: 995 (3.89 KB)
	//  Trainable params: 995 (3.89 KB)
	//  Non-trainable params: 0 (0.00 B)
}

// A layer that two inputs share is one node; its edges carry the number of the call.
func ExampleModel_DOT() {
	before, after := nn.Input("before", 8), nn.Input("after", 8)
	encoder := nn.Dense(4, nn.ReLU, nn.Name("encoder"))
	both := nn.Concatenate(nn.Name("both")).On(encoder.On(before), encoder.On(after))
	m, err := nn.NewModel([]*nn.Node{before, after}, []*nn.Node{nn.Dense(1, nn.Sigmoid, nn.Name("changed")).On(both)})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.DOT(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// digraph "functional" {
	// 	node [shape=box style="rounded,filled" fontname="Helvetica" fontsize=11 fontcolor="#1f2732"]
	// 	edge [color="#7f8a99" fontname="Helvetica" fontsize=9 arrowsize=0.7]
	// 	n0 [label=<<b>before</b><br/>InputLayer<br/>(None, 8)> fillcolor="#e8f1fc" color="#4585cb"]
	// 	n1 [label=<<b>after</b><br/>InputLayer<br/>(None, 8)> fillcolor="#e8f1fc" color="#4585cb"]
	// 	n2 [label=<<b>encoder</b><br/>Dense · relu · called 2×<br/>(None, 4) · 36 params> fillcolor="#f5f6f8" color="#98a2b0" peripheries=2]
	// 	n3 [label=<<b>both</b><br/>Concatenate<br/>(None, 8)> fillcolor="#f5f6f8" color="#98a2b0"]
	// 	n4 [label=<<b>changed</b><br/>Dense · sigmoid<br/>(None, 1) · 9 params> fillcolor="#fdf0e1" color="#d98634"]
	// 	n0 -> n2 [headlabel="[0]"]
	// 	n1 -> n2 [headlabel="[1]"]
	// 	n2 -> n3 [taillabel="[0]"]
	// 	n2 -> n3 [taillabel="[1]"]
	// 	n3 -> n4
	// }
}

// A layer that two inputs share is one node; its edges carry the number of the call.
func ExampleModel_Mermaid() {
	before, after := nn.Input("before", 8), nn.Input("after", 8)
	encoder := nn.Dense(4, nn.ReLU, nn.Name("encoder"))
	both := nn.Concatenate(nn.Name("both")).On(encoder.On(before), encoder.On(after))
	m, err := nn.NewModel([]*nn.Node{before, after}, []*nn.Node{nn.Dense(1, nn.Sigmoid, nn.Name("changed")).On(both)})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := m.Mermaid(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// flowchart TD
	// 	n0(["<b>before</b><br>InputLayer<br>(None, 8)"])
	// 	n1(["<b>after</b><br>InputLayer<br>(None, 8)"])
	// 	n2[["<b>encoder</b><br>Dense · relu · called 2×<br>(None, 4) · 36 params"]]
	// 	n3["<b>both</b><br>Concatenate<br>(None, 8)"]
	// 	n4(["<b>changed</b><br>Dense · sigmoid<br>(None, 1) · 9 params"])
	// 	n0 -->|"[0]"| n2
	// 	n1 -->|"[1]"| n2
	// 	n2 -->|"[0]"| n3
	// 	n2 -->|"[1]"| n3
	// 	n3 --> n4
	// 	classDef input fill:#e8f1fc,stroke:#4585cb,color:#1f2732
	// 	class n0,n1 input
	// 	classDef hidden fill:#f5f6f8,stroke:#98a2b0,color:#1f2732
	// 	class n2,n3 hidden
	// 	classDef output fill:#fdf0e1,stroke:#d98634,color:#1f2732
	// 	class n4 output
}
