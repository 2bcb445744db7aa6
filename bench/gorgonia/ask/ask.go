// Package ask answers what ../infer/peers/child.go and ../train/peers/child.go ask of a process: a line of JSON for each of
// their lines.
package ask

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"time"
)

// A Problem is a network with its operands. A step of a layer below 0 joins values.
type Problem struct {
	Batch   int
	Batches int // of training
	Losses  int // that are kept
	Inputs  []int
	Layers  []struct {
		In, Out int
		Act     string
	}
	Steps []struct {
		Layer int
		On    []int
	}
	Outputs []int
	File    string
	ONNX    string // the file of the model, for gonnx

	rest []byte // of File
}

// Head returns the layer that an output comes from.
func (p *Problem) Head(output int) int { return p.Steps[p.Outputs[output]-len(p.Inputs)].Layer }

// Next returns the next values of File.
func (p *Problem) Next(n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(p.rest[4*i:]))
	}
	p.rest = p.rest[4*n:]
	return values
}

// A Call is one way to compute a problem.
type Call struct {
	Way   string
	Run   func() error           // computes it once
	Fetch func(to *Answer) error // what Run has left
}

// An Answer has what was asked for.
type Answer struct {
	Error   string      `json:"error,omitempty"`
	Version string      `json:"version,omitempty"`
	Ways    []string    `json:"ways,omitempty"`
	NS      []uint32    `json:"ns,omitempty"`
	Outputs [][]float32 `json:"outputs,omitempty"`
	Losses  []float32   `json:"losses,omitempty"`
}

type question struct {
	Prepare *Problem
	Run     int
	Fetch   bool
	Way     string
}

// Serve answers until there are no more questions. The version is that of a module.
func Serve(module string, prepare func(*Problem) ([]Call, error)) {
	in, out := bufio.NewReader(os.Stdin), json.NewEncoder(os.Stdout)
	var calls []Call // of the last problem
	for {
		line, err := in.ReadBytes('\n')
		if err != nil {
			return
		}
		var q question
		var a Answer
		if err = json.Unmarshal(line, &q); err == nil {
			switch {
			case q.Prepare != nil:
				if q.Prepare.rest, err = os.ReadFile(q.Prepare.File); err == nil {
					calls, err = prepare(q.Prepare)
				}
				for _, c := range calls {
					a.Ways = append(a.Ways, c.Way)
				}
			case q.Way != "":
				a, err = answer(q, calls)
			default:
				a.Version = version(module)
			}
		}
		if err != nil {
			a = Answer{Error: err.Error()}
		}
		if err := out.Encode(a); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func answer(q question, calls []Call) (a Answer, err error) {
	for _, c := range calls {
		if c.Way != q.Way {
			continue
		}
		if q.Fetch {
			err = c.Fetch(&a)
			return a, err
		}
		a.NS = make([]uint32, q.Run)
		return a, run(c, a.NS)
	}
	return a, fmt.Errorf("no way is named %q", q.Way)
}

func run(c Call, ns []uint32) error {
	start := time.Now()
	last := time.Since(start)
	for i := range ns {
		if err := c.Run(); err != nil {
			return err
		}
		now := time.Since(start)
		ns[i] = uint32(min(now-last, math.MaxUint32))
		last = now
	}
	return nil
}

func version(module string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == module {
				return m.Version
			}
		}
	}
	return "unknown"
}
