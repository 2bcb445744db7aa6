package bench

import "fmt"

// Op says what a row computes. X has m rows and k columns, W k rows and n columns, Y m rows and n columns.
type Op string

const (
	Forward      Op = "fwd"          // Y = X·W
	InputGrad    Op = "dx"           // dX = dY·Wᵀ
	WeightGrad   Op = "dw"           // dW = Xᵀ·dY
	Dense        Op = "dense"        // Y = relu(X·W + bias)
	Softmax      Op = "softmax"      // Y = softmax of the rows of an m by n matrix; k is 0
	CrossEntropy Op = "crossentropy" // loss of each row and gradient of such logits with labels, forward and backward
)

// Auto as the ISA of a row lets each library choose for itself.
const Auto = "auto"

// Row is one line of the comparison: what is computed, and under which limits.
type Row struct {
	Op      Op     `json:"op"`
	ISA     string `json:"isa"` // the widest instructions that a library may use, or Auto
	Threads int    `json:"threads"`
	M       int    `json:"m"`
	K       int    `json:"k"`
	N       int    `json:"n"`
	Packed  bool   `json:"packed"` // W may be rearranged before the timing starts, as in inference
}

// String returns the name of the row, by which flags and bars select it.
func (r Row) String() string {
	return fmt.Sprintf("op=%s/isa=%s/threads=%d/m=%d/k=%d/n=%d/packed=%t", r.Op, r.ISA, r.Threads, r.M, r.K, r.N, r.Packed)
}

// FLOPs counts the multiplications and additions of the row's product; it is 0 if the row is no product.
func (r Row) FLOPs() float64 { return 2 * float64(r.M) * float64(r.K) * float64(r.N) }

// Rows returns every row for one ISA and number of threads; with [Auto] only products, whose tiles are chosen. Packed rows
// exist where weights stay the same from call to call: the gradients belong to training, where they change with every step.
func Rows(isa string, threads int) []Row {
	var rows []Row
	seen := map[Row]bool{}
	add := func(op Op, m, k, n int, packed ...bool) {
		for _, p := range packed {
			if r := (Row{op, isa, threads, m, k, n, p}); !seen[r] {
				seen[r] = true
				rows = append(rows, r)
			}
		}
	}
	batches := []int{1, 4, 8, 16, 32, 64, 128, 256, 1024}
	layers := [][2]int{{10, 5}, {5, 32}, {32, 16}, {64, 10}, {20, 128}, {128, 64}, {784, 512}, {512, 512}, {1024, 1024}}
	products := func(op Op, packed ...bool) {
		for _, l := range layers {
			for _, m := range batches {
				add(op, m, l[0], l[1], packed...)
			}
		}
	}
	products(Forward, false, true)
	for _, n := range []int{64, 128, 256, 512, 1024, 2048} {
		add(Forward, n, n, n, false, true)
	}
	// What GoMLX publishes for its backends.
	for _, s := range [][3]int{{25, 69, 4}, {49, 69, 4}, {128, 69, 4}, {192, 384, 192}} {
		add(Forward, s[0], s[1], s[2], false, true)
	}
	products(InputGrad, false)
	products(WeightGrad, false)
	products(Dense, false, true)
	if isa == Auto {
		return rows
	}
	for _, op := range []Op{Softmax, CrossEntropy} {
		for _, s := range [][2]int{{32, 10}, {256, 10}, {256, 1000}, {64, 32000}} {
			add(op, s[0], 0, s[1], false)
		}
	}
	return rows
}
