package nn

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// ModelCheckpoint saves the model while it is trained, as Keras' callback of that name does: at the end of every epoch, or only
// when a log has improved. A file is complete or not there at all, see [Model.Save].
type ModelCheckpoint struct {
	// Path is the name of the file. It may contain {epoch} and {batch}, which count from 1 as in Keras, and the names of logs, with a
	// format as in {epoch:02d} or {val_loss:.2f}: digits, a precision, and one of d, f, e and g.
	Path            string   `json:"filepath"`
	Monitor         string   `json:"monitor"`                 // name of the log that SaveBestOnly follows; "" is "val_loss"
	Mode            string   `json:"mode"`                    // "min", "max" or "", as that of [EarlyStopping]
	SaveBestOnly    bool     `json:"save_best_only"`          // only when the log is better than ever before
	SaveWeightsOnly bool     `json:"save_weights_only"`       // as [Model.SaveWeights] does
	SaveFreq        int      `json:"save_freq"`               // save after so many batches, counted over all epochs, instead of at the end of each epoch
	Threshold       *float64 `json:"initial_value_threshold"` // if set, only what is better than this is saved
}

// Callback returns the callback for Fit. Each Fit starts it afresh, with a state of its own.
func (c ModelCheckpoint) Callback() Callback {
	if c.Threshold != nil { // the caller may write to its own
		threshold := *c.Threshold
		c.Threshold = &threshold
	}
	return (&modelCheckpoint{ModelCheckpoint: c}).callback()
}

type modelCheckpoint struct {
	ModelCheckpoint
	monitor
	batches int // since the last file
}

func (s *modelCheckpoint) callback() Callback {
	callback := Callback{
		Begin: func(p Progress) error { return s.named(stateOf(p, s).begin(p)) },
		Save:  func(p Progress) ([]byte, error) { return stateOf(p, s).save() },
		Load:  func(p Progress, b []byte) error { return s.named(stateOf(p, s).load(b)) },
	}
	if s.SaveFreq == 0 {
		callback.EpochEnd = func(p Progress) error { return s.named(stateOf(p, s).checkpoint(p)) }
	} else {
		callback.BatchEnd = func(p Progress) error { return s.named(stateOf(p, s).batchEnd(p)) }
	}
	return callback
}

func (*modelCheckpoint) named(err error) error {
	if err != nil {
		return fmt.Errorf("ModelCheckpoint: %w", err)
	}
	return nil
}

func (s *modelCheckpoint) begin(p Progress) (err error) {
	s.batches = 0
	if s.SaveFreq < 0 {
		return fmt.Errorf("a file every %d batches", s.SaveFreq)
	}
	logs := Logs{}
	for _, name := range p.LogNames {
		logs[name] = 0
	}
	if p.LogNames != nil { // otherwise they are not yet known
		if _, err := s.path(1, 1, logs); err != nil {
			return err
		}
	}
	if !s.SaveBestOnly {
		return nil
	}
	if s.monitor, err = newMonitor(p, s.Monitor, s.Mode, 0); err != nil {
		return err
	}
	if s.SaveFreq > 0 && strings.HasPrefix(s.name, "val_") {
		return fmt.Errorf("log %q is not there at the end of a batch", s.name)
	}
	if s.Threshold != nil {
		s.best, s.any = *s.Threshold, true
	}
	return nil
}

func (s *modelCheckpoint) batchEnd(p Progress) error {
	if s.batches++; s.batches < s.SaveFreq {
		return nil
	}
	s.batches = 0
	return s.checkpoint(p)
}

func (s *modelCheckpoint) checkpoint(p Progress) error {
	if s.SaveBestOnly {
		value, ok, err := s.value(p)
		if err != nil {
			return err
		}
		if !ok || !s.improves(value) {
			return nil
		}
	}
	path, err := s.path(p.Epoch+1, p.Batch+1, p.Logs)
	if err != nil {
		return err
	}
	if s.SaveWeightsOnly {
		return p.Model.SaveWeights(path)
	}
	return p.Model.Save(path)
}

// modelCheckpointState is what a Fit that goes on needs to know.
type modelCheckpointState struct {
	Best    float64
	Any     bool
	Batches int
}

func (s *modelCheckpoint) save() ([]byte, error) {
	return encodeState(modelCheckpointState{s.best, s.any, s.batches})
}

func (s *modelCheckpoint) load(b []byte) error {
	var state modelCheckpointState
	err := decodeState(b, &state)
	s.best, s.any, s.batches = state.Best, state.Any, state.Batches
	return err
}

// A program that only serves does not wait for them when it starts.
var (
	pathField  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{[^{}]*\}`) })
	pathFormat = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(0?[0-9]{0,2}(?:\.[0-9]{1,2})?)([dfeg]?)$`)
	})
)

// path returns the name of the file.
func (s *modelCheckpoint) path(epoch, batch int, logs Logs) (string, error) {
	var failed error
	path := pathField().ReplaceAllStringFunc(s.Path, func(field string) string {
		name, format, _ := strings.Cut(field[1:len(field)-1], ":")
		text, err := formatField(name, format, epoch, batch, logs)
		if err != nil && failed == nil {
			failed = fmt.Errorf("path %q: %w", s.Path, err)
		}
		return text
	})
	if failed == nil && path == "" {
		failed = fmt.Errorf("the path is empty")
	}
	return path, failed
}

func formatField(name, format string, epoch, batch int, logs Logs) (string, error) {
	f := pathFormat().FindStringSubmatch(format)
	if f == nil {
		return "", fmt.Errorf("{%s:%s} has an unknown format: valid are digits, a precision as in .2, and one of d, f, e, g", name, format)
	}
	digits, verb := f[1], f[2]
	switch name {
	case "epoch", "batch":
		n := epoch
		if name == "batch" {
			n = batch
		}
		if verb == "" || verb == "d" {
			if strings.Contains(digits, ".") {
				return "", fmt.Errorf("{%s:%s}: a whole number has no precision", name, format)
			}
			return fmt.Sprintf("%"+digits+"d", n), nil
		}
		return fmt.Sprintf("%"+digits+verb, float64(n)), nil
	}
	v, ok := logs[name]
	if !ok {
		names := []string{"epoch", "batch"}
		for name := range logs {
			names = append(names, name)
		}
		slices.Sort(names)
		return "", fmt.Errorf("unknown name {%s}: valid are %q", name, names)
	}
	if verb == "d" {
		return "", fmt.Errorf("{%s:%s}: a log is no whole number", name, format)
	}
	if format == "" {
		return strconv.FormatFloat(v, 'g', -1, 64), nil
	}
	if verb == "" {
		verb = "g"
	}
	return fmt.Sprintf("%"+digits+verb, v), nil
}
