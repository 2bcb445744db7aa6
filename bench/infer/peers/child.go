//go:build peers && cgo && amd64

package peers

import (
	"bufio"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/espalier-ml/espalier/bench/child"
	"github.com/espalier-ml/espalier/bench/infer"
)

// torchProgram is the process of PyTorch.
//
//go:embed torch_peer.py
var torchProgram string

// apart is a library in a process of its own, which answers each [question] with an [answer]. The process keeps the last
// problem that it was given, and times its calls itself.
type apart struct {
	name, version string
	process       *child.Process
}

// question asks for one thing: the version if all fields are empty.
type question struct {
	Prepare *preparation `json:"prepare,omitempty"`
	Run     int          `json:"run,omitempty"`   // calls
	Fetch   bool         `json:"fetch,omitempty"` // the outputs of the last call
	Way     string       `json:"way,omitempty"`   // for Run and Fetch
}

type preparation struct {
	infer.Row
	infer.Network
	// File has float32s: weights and biases of each layer in turn, then the inputs.
	File string `json:"file"`
	ONNX string `json:"onnx,omitempty"` // for gonnx, the file of the model
}

type answer struct {
	Version string      `json:"version"`
	Ways    []string    `json:"ways"` // to a preparation
	NS      []uint32    `json:"ns"`
	Outputs [][]float32 `json:"outputs"`
}

// children starts the libraries that have processes of their own, and says why one cannot.
func children() (libraries []infer.Library, missing []string, stop func()) {
	_, here, _, _ := runtime.Caller(0)
	built := func(name string) *exec.Cmd {
		return exec.Command(filepath.Join(filepath.Dir(here), "..", "..", ".peers", name))
	}
	var started []*child.Process
	for _, c := range []struct {
		name, hint string
		cmd        *exec.Cmd
	}{
		{"gomlx", "install-peers.sh builds it", built("gomlx")},
		{"gorgonia", "install-peers.sh builds it", built("gorgonia")},
		{"gonnx", "install-peers.sh builds it", built("gonnx")},
		{"pytorch", "install-peers.sh installs python3-torch", exec.Command("/usr/bin/python3", "-c", torchProgram)},
	} {
		l, err := start(c.name, c.cmd)
		if err != nil {
			missing = append(missing, fmt.Sprintf("%s is not measured (%s): %v", c.name, c.hint, err))
			continue
		}
		started = append(started, l.process)
		libraries = append(libraries, l)
	}
	return libraries, missing, func() {
		for _, p := range started {
			p.Stop()
		}
	}
}

func start(name string, cmd *exec.Cmd) (*apart, error) {
	process, err := child.Start(name, cmd)
	if err != nil {
		return nil, err
	}
	var a answer
	if err := process.Ask(question{}, &a); err != nil {
		process.Stop()
		return nil, err
	}
	return &apart{name, a.Version, process}, nil
}

func (l *apart) Name() string { return l.name }

func (l *apart) Version() string { return l.version }

// Prepare returns no call for the largest rows in GoMLX, whose calls of them would take up most of a run.
func (l *apart) Prepare(p *infer.Problem) ([]infer.Call, error) {
	if l.name == "gomlx" && p.FLOPs(p.Batch) > 1e9 {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "espalier-bench-*")
	if err != nil {
		return nil, err
	}
	q := preparation{Row: p.Row, Network: p.Network, File: filepath.Join(dir, "operands")}
	err = writeOperands(p, q.File)
	if l.name == "gonnx" {
		q.ONNX = filepath.Join(dir, "model.onnx")
		err = errors.Join(err, os.WriteFile(q.ONNX, p.ONNX(), 0o600))
	}
	var a answer
	if err == nil {
		err = l.process.Ask(question{Prepare: &q}, &a)
	}
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		return nil, err
	}
	var calls []infer.Call
	for _, way := range a.Ways {
		calls = append(calls, infer.Call{
			Way: way,
			Run: func(ns []uint32) error {
				var a answer
				err := l.process.Ask(question{Run: len(ns), Way: way}, &a)
				if err == nil && copy(ns, a.NS) < len(ns) {
					err = fmt.Errorf("%d times for %d calls", len(a.NS), len(ns))
				}
				return err
			},
			Fetch: func() error {
				var a answer
				if err := l.process.Ask(question{Fetch: true, Way: way}, &a); err != nil {
					return err
				}
				for o, y := range a.Outputs {
					copy(p.Y[o], y)
				}
				return nil
			},
			Apart: true,
			Close: func() {},
		})
	}
	return calls, nil
}

// writeOperands writes the float32s of a preparation into a file.
func writeOperands(p *infer.Problem, name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	for i := range p.Layers {
		err = errors.Join(err, binary.Write(w, binary.LittleEndian, p.Weights[i]), binary.Write(w, binary.LittleEndian, p.Biases[i]))
	}
	for _, x := range p.X {
		err = errors.Join(err, binary.Write(w, binary.LittleEndian, x))
	}
	return errors.Join(err, w.Flush(), f.Close())
}
