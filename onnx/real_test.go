package onnx

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A realCase is a model file that somebody published, with the outputs that the framework computes.
type realCase struct {
	ID              string
	File            string
	Expect          string
	Format          string
	Inputs, Outputs []struct {
		Name  string
		Shape []any
	}
	Groups    []string
	Reference struct{ Spread float64 }
}

// Every file of the folder in ESPALIER_REALMODELS predicts what its framework does, or is refused; the few in testdata always do.
func TestReal(t *testing.T) {
	folder := os.Getenv("ESPALIER_REALMODELS")
	if folder == "" {
		folder = "testdata/real"
	}
	files, err := filepath.Glob(filepath.Join(folder, "*", "case.json"))
	require.NoError(t, err)
	total, right := map[string]int{}, map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var c realCase
		require.NoError(t, json.Unmarshal(text, &c), file)
		if c.Format != "onnx" {
			continue
		}
		total[c.Expect]++
		t.Run(c.ID, func(t *testing.T) {
			switch outcome, err := c.run(t, filepath.Dir(file)); {
			case outcome == "wrong" || c.Expect == "refuse" && outcome != "refused":
				t.Error(outcome, err)
			case outcome == "refused":
				t.Log(c.Expect, "refused:", err)
				if c.Expect == "refuse" {
					right[c.Expect]++
				}
			default:
				right[c.Expect]++
			}
		})
	}
	for _, expect := range []string{"load", "optional", "refuse"} {
		t.Logf("%s: %d of %d", expect, right[expect], total[expect])
	}
	require.GreaterOrEqual(t, float64(right["load"]), 0.92*float64(total["load"]))
}

// run returns right, wrong or refused.
func (c *realCase) run(t *testing.T, folder string) (string, error) {
	var data map[string]*tensor
	if len(c.Groups) > 0 {
		if _, err := os.Stat(filepath.Join(folder, "io.safetensors")); err == nil {
			data = readTensors(t, filepath.Join(folder, "io.safetensors"))
		}
	}
	batches := make([]batch, len(c.Groups))
	for i, g := range c.Groups {
		batches[i] = batch{map[string]*tensor{}, map[string]*tensor{}}
		for name, x := range data {
			if rest, ok := strings.CutPrefix(name, g+"/input/"); ok {
				batches[i].inputs[rest] = x
			} else if rest, ok := strings.CutPrefix(name, g+"/output/"); ok {
				batches[i].outputs[rest] = x
			}
		}
	}
	// The first open axis is that of the batch; the sizes of others are those of the data.
	axes := map[string]int{}
	var opts []Option
	for k, list := range [][]struct {
		Name  string
		Shape []any
	}{c.Inputs, c.Outputs} {
		for _, x := range list {
			open := 0
			var sample []int
			for i, d := range x.Shape {
				if _, ok := d.(float64); !ok {
					if open++; open == 1 {
						axes[x.Name] = i
						continue
					}
				}
				if k == 0 && data != nil {
					sample = append(sample, batches[0].inputs[x.Name].shape[i])
				}
			}
			if k == 0 && open > 1 && data != nil {
				opts = append(opts, InputShape(x.Name, sample...))
			}
		}
	}
	m, err := Load(filepath.Join(folder, c.File), opts...)
	if err != nil {
		return "refused", err
	}
	for _, b := range batches {
		if data == nil {
			break
		}
		err := b.check(m, axes, func(_ string, exact bool, largest, _ float64) float64 {
			if exact {
				return 0
			}
			return 1e-5 + 1e-5*largest + 4*c.Reference.Spread
		})
		if err != nil {
			return "wrong", err
		}
	}
	return "right", nil
}
