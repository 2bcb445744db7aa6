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
	"github.com/espalier-ml/espalier/bench/train"
)

// torchProgram is the process of PyTorch.
//
//go:embed torch_peer.py
var torchProgram string

// tfjsProgram is the process of TensorFlow.js.
//
//go:embed tfjs_peer.js
var tfjsProgram string

// apart is a library in a process of its own, which answers each [question] with an [answer]. The process keeps the last
// problem that it was given, and times its steps itself.
type apart struct {
	name, version string
	process       *child.Process
}

// question asks for one thing: the version if all fields are empty.
type question struct {
	Prepare *preparation `json:"prepare,omitempty"`
	Run     int          `json:"run,omitempty"`   // steps
	Fetch   bool         `json:"fetch,omitempty"` // the losses
	Way     string       `json:"way,omitempty"`   // for Run and Fetch
}

type preparation struct {
	train.Row
	infer.Network
	Losses  int `json:"losses"`
	Batches int `json:"batches"`
	// File has float32s: weights and biases of each layer in turn, the inputs, and the targets of each batch in turn.
	File string `json:"file"`
}

type answer struct {
	Version string    `json:"version"`
	Ways    []string  `json:"ways"` // to a preparation
	NS      []uint32  `json:"ns"`
	Losses  []float64 `json:"losses"`
}

// children starts the libraries that have processes of their own, and says why one cannot.
func children() (libraries []train.Library, missing []string, stop func()) {
	_, here, _, _ := runtime.Caller(0)
	installed := filepath.Join(filepath.Dir(here), "..", "..", ".peers")
	tfjs := exec.Command("node", "--expose-gc", "-e", tfjsProgram)
	tfjs.Env = append(os.Environ(), "NODE_PATH="+filepath.Join(installed, "tfjs", "node_modules"))
	var started []*child.Process
	for _, c := range []struct {
		name, hint string
		cmd        *exec.Cmd
	}{
		{"pytorch", "install-peers.sh installs python3-torch", exec.Command("/usr/bin/python3", "-c", torchProgram)},
		{"gomlx", "install-peers.sh builds it", exec.Command(filepath.Join(installed, "gomlx-train"))},
		{"gorgonia", "install-peers.sh builds it", exec.Command(filepath.Join(installed, "gorgonia-train"))},
		{"tfjs", "install-peers.sh installs it, next to node", tfjs},
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

// Prepare returns no call for the large network in the libraries whose steps of it would take up most of a run, and in
// Gorgonia, whose gradient of its Concat is wrong: a part that begins at column 512 is taken for one that begins at 0.
func (l *apart) Prepare(p *train.Problem) ([]infer.Call, error) {
	if l.name != "pytorch" && p.Model == "large" {
		return nil, nil
	}
	file, err := writeOperands(p)
	if err != nil {
		return nil, err
	}
	var a answer
	err = l.process.Ask(question{Prepare: &preparation{p.Row, p.Network, len(p.Losses), train.Batches, file}}, &a)
	if err := errors.Join(err, os.Remove(file)); err != nil {
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
					err = fmt.Errorf("%d times for %d steps", len(a.NS), len(ns))
				}
				return err
			},
			Fetch: func() error {
				var a answer
				err := l.process.Ask(question{Fetch: true, Way: way}, &a)
				copy(p.Losses, a.Losses)
				return err
			},
			Apart: true,
			Close: func() {},
		})
	}
	return calls, nil
}

// writeOperands writes the float32s of a preparation into a file.
func writeOperands(p *train.Problem) (name string, err error) {
	f, err := os.CreateTemp("", "espalier-bench-*")
	if err != nil {
		return "", err
	}
	w := bufio.NewWriter(f)
	write := func(values []float32) { err = errors.Join(err, binary.Write(w, binary.LittleEndian, values)) }
	for i := range p.Layers {
		write(p.Weights[i])
		write(p.Biases[i])
	}
	for _, x := range p.X {
		write(x)
	}
	for _, batch := range p.Targets {
		for _, values := range batch {
			write(values)
		}
	}
	return f.Name(), errors.Join(err, w.Flush(), f.Close())
}
