// Footprint is a service reduced to what it cannot do without: it turns an embedded model, 20 -> 128 -> 64 -> one number and
// ten classes, into a plan and predicts. It prints how large it is, how long the first prediction takes after the start,
// and the memory of a session. Run it in bench:
//
//	go build -ldflags '-s -w' -o footprint.out ./cmd/footprint && ./footprint.out
package main

import (
	"embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/espalier-ml/espalier/kernels"
	"github.com/espalier-ml/espalier/nn"
)

//go:embed mt.safetensors
var files embed.FS

const starts = 21 // new processes, whose median counts

var (
	once  = flag.Bool("once", false, "print the ns from the embedded file to the first prediction")
	write = flag.String("write", "", "write the model to this `file` instead")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "footprint:", err)
		os.Exit(1)
	}
}

func run() error {
	switch {
	case *write != "":
		return writeModel(*write)
	case *once:
		start := time.Now()
		plan, err := predict()
		if err != nil {
			return err
		}
		took := time.Since(start)
		runtime.KeepAlive(plan)
		fmt.Println(took.Nanoseconds())
		return nil
	}
	program, err := os.Executable()
	if err != nil {
		return err
	}
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	var ns []int
	for range starts {
		out, err := exec.Command(program, "-once").Output()
		if err != nil {
			return fmt.Errorf("-once: %w", err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(out)))
		if err != nil {
			return err
		}
		ns = append(ns, n)
	}
	slices.Sort(ns)
	fmt.Printf("%s, %s/%s, kernels for %s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, kernels.Default().ISA)
	fmt.Printf("this program                          %.2f MB\n", float64(info.Size())/1e6)
	fmt.Printf("embedded file to first prediction     %.0f us, slowest of %d starts %.0f us\n",
		float64(ns[starts/2])/1e3, starts, float64(ns[starts-1])/1e3)
	for _, rows := range []int{1, 64, 256} {
		bytes, err := sessionBytes(rows)
		if err != nil {
			return err
		}
		fmt.Printf("a session for batches of up to %-6d %.1f KB\n", rows, bytes/1e3)
	}
	return nil
}

// loadPlan reads the embedded model.
func loadPlan(maxBatch int) (*nn.Plan, error) {
	m, err := nn.LoadFS(files, "mt.safetensors", nn.ForServing())
	if err != nil {
		return nil, err
	}
	return nn.NewPlan(m, maxBatch)
}

// predict goes from the embedded file to a prediction.
func predict() (*nn.Plan, error) {
	plan, err := loadPlan(1)
	if err != nil {
		return nil, err
	}
	s := plan.NewSession()
	x := s.Input(0)
	for i := range x {
		x[i] = float32(i) / 10
	}
	return plan, s.Run(1)
}

// sessionBytes returns what one of many sessions adds to the heap.
func sessionBytes(rows int) (float64, error) {
	plan, err := loadPlan(rows)
	if err != nil {
		return 0, err
	}
	const n = 1000
	sessions := make([]*nn.Session, n)
	before := heap()
	for i := range sessions {
		sessions[i] = plan.NewSession()
		if err := sessions[i].Run(rows); err != nil {
			return 0, err
		}
	}
	bytes := float64(heap()-before) / n
	runtime.KeepAlive(sessions)
	return bytes, nil
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func writeModel(file string) error {
	x := nn.Input("x", 20)
	h := nn.Dense(64, nn.ReLU, nn.Name("trunk_2")).On(nn.Dense(128, nn.ReLU, nn.Name("trunk_1")).On(x))
	m, err := nn.NewModel([]*nn.Node{x}, []*nn.Node{
		nn.Dense(1, nn.Linear, nn.Name("value")).On(h),
		nn.Dense(10, nn.Softmax, nn.Name("label")).On(h),
	}, nn.Name("mt"))
	if err != nil {
		return err
	}
	return m.Save(file)
}
