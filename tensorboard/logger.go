// Package tensorboard writes what happens in training to files that TensorBoard shows: curves of the logs, histograms of the
// weights, and the model's graph.
package tensorboard

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/espalier-ml/espalier/nn"
)

// Logger writes event files for TensorBoard, laid out as those of Keras' callback TensorBoard: "tensorboard --logdir Dir" shows
// them. The folders train and validation in Dir become two runs, whose curves have the same names: epoch_loss, and epoch_ before
// the name of every other log.
//
// The folder train also has the curve epoch_learning_rate and the graph: a node for each call of a layer. The folder validation
// also has each of its logs by the number of batches since the start of Fit, as evaluation_loss_vs_iterations.
//
// A Fit adds a file to each folder that it writes to. An epoch is in the files once it is over.
type Logger struct {
	Dir           string // holds the folders; they are made if they are not there
	UpdateFreq    int    // write the means of the epoch so far after every so many batches, as batch_loss and so on; 0: do not
	HistogramFreq int    // write histograms of the weights after epochs 0, n, 2n and so on; 0: do not
}

// Callback returns the callback for Fit, for one Fit at a time. Each Fit starts it afresh. One that goes on under
// [nn.BackupAndRestore] goes on with the files, where the batch or epoch that it starts with comes next.
func (l Logger) Callback() nn.Callback {
	s := &state{Logger: l}
	c := nn.Callback{
		Begin:    func(nn.Progress) error { return s.named(s.begin()) },
		EpochEnd: func(p nn.Progress) error { return s.named(s.epochEnd(p)) },
		Save:     func(nn.Progress) ([]byte, error) { return json.Marshal(s.progress) },
		Load:     func(_ nn.Progress, b []byte) error { return s.named(s.load(b)) },
	}
	if l.UpdateFreq > 0 { // Fit computes the logs of a batch for those who want them
		c.BatchEnd = func(p nn.Progress) error { return s.named(s.batchEnd(p)) }
	}
	return c
}

type state struct {
	Logger
	progress
}

// progress is what a Fit that goes on needs to know.
type progress struct {
	Batches           int64 // in the epochs that are over
	Train, Validation eventFile
}

func (s *state) named(err error) error {
	if err != nil {
		return fmt.Errorf("tensorboard: Logger %q: %w", s.Dir, err)
	}
	return nil
}

func (s *state) begin() error {
	s.progress = progress{}
	switch {
	case s.Dir == "":
		return errors.New("the folder has no name")
	case s.UpdateFreq < 0 || s.HistogramFreq < 0:
		return fmt.Errorf("UpdateFreq is %d and HistogramFreq is %d, must not be negative", s.UpdateFreq, s.HistogramFreq)
	}
	return nil
}

func (s *state) load(b []byte) error {
	if err := json.Unmarshal(b, &s.progress); err != nil {
		return err
	}
	return errors.Join(s.Train.check(), s.Validation.check())
}

func (s *state) batchEnd(p nn.Progress) error {
	step := s.Batches + int64(p.Batch) + 1
	if step%int64(s.UpdateFreq) != 0 {
		return nil
	}
	var values [][]byte
	for _, name := range slices.Sorted(maps.Keys(p.Logs)) {
		values = append(values, scalar("batch_"+name, p.Logs[name]))
	}
	return s.writeTrain(p, event(step, summaryField, summary(values...)))
}

func (s *state) epochEnd(p nn.Progress) error {
	s.Batches += int64(p.Batch) + 1
	train := [][]byte{scalar("epoch_learning_rate", p.Model.LearningRate())}
	var validation, evaluation [][]byte
	for _, name := range slices.Sorted(maps.Keys(p.Logs)) {
		v := p.Logs[name]
		if of, ok := strings.CutPrefix(name, "val_"); ok {
			validation = append(validation, scalar("epoch_"+of, v))
			evaluation = append(evaluation, scalar("evaluation_"+of+"_vs_iterations", v))
		} else if name != "learning_rate" {
			train = append(train, scalar("epoch_"+name, v))
		}
	}
	if s.HistogramFreq > 0 && p.Epoch%s.HistogramFreq == 0 {
		for _, w := range p.Model.Weights() {
			train = append(train, histogram(w.Name+"/histogram", w.Data))
		}
	}
	if err := s.writeTrain(p, event(int64(p.Epoch), summaryField, summary(train...))); err != nil || validation == nil {
		return err
	}
	return s.write(&s.Validation, "validation",
		event(int64(p.Epoch), summaryField, summary(validation...)), event(s.Batches, summaryField, summary(evaluation...)))
}

// writeTrain writes an event to the training's file, which begins with the graph.
func (s *state) writeTrain(p nn.Progress, e []byte) error {
	if s.Train.Name == "" {
		return s.write(&s.Train, "train", event(0, graphDefField, graph(p.Model)), e)
	}
	return s.write(&s.Train, "train", e)
}

// write writes events to a file, which it makes if there is none.
func (s *state) write(f *eventFile, folder string, events ...[]byte) error {
	folder = filepath.Join(s.Dir, folder)
	if f.Name == "" {
		if err := f.create(folder); err != nil {
			return err
		}
		events = slices.Insert(events, 0, event(0, fileVersionField, []byte("brain.Event:2")))
	}
	var records []byte
	for _, e := range events {
		records = appendRecord(records, e)
	}
	return f.append(folder, records)
}
