package nn

import (
	"bytes"
	"encoding/gob"
	"errors"
)

// A Progress tells a callback where training is.
type Progress struct {
	Model    *Model
	Epoch    int // from 0
	Epochs   int
	Batch    int      // from 0: the batch just done
	Batches  int      // in an epoch; 0 before the first epoch of a Stream has ended
	Logs     Logs     // means over the epoch so far; with validation at the end of an epoch
	LogNames []string // of the logs at the end of an epoch, also before there are any; to be read only

	states map[any]any // see stateOf
}

// A Callback is called while Fit runs; nil functions are skipped. An error ends Fit and is returned by it, except
// [ErrStop], which ends it without one.
//
// Its functions run between two training steps. There [Model.Evaluate] and [Model.Predict] compute with the weights as they
// are and change nothing, [Model.Save] writes a model from which training can go on, [Model.SetWeights],
// [Model.SetLearningRate] and [Layer.SetTrainable] act from the next step on, and Fit, TrainOnBatch and Compile of the same
// model are [ErrBusy].
//
// The callbacks of this package may be given to several Fits, also at the same time: each has a state of its own. One whose
// functions keep a state is as safe as that.
type Callback struct {
	Begin    func(Progress) error // before the first epoch
	BatchEnd func(Progress) error
	EpochEnd func(Progress) error
	End      func(Progress) error // after the last epoch or ErrStop, not after an error
	Logs     []string             // names of logs that EpochEnd adds to Progress.Logs: later callbacks can watch them, and the History has them

	// EpochBegin is called before the first batch of an epoch, of which there are no logs yet.
	EpochBegin func(Progress) error
	// Failed is called when a step or the validation fails. Fit goes on with the error that it returns instead of the one it is
	// given: the same one, a better one, or ErrStop. No weight has changed in a step that fails.
	Failed func(Progress, error) error
	// Save returns the callback's state, which [BackupAndRestore] keeps. Load is given it after Begin, in a Fit that goes on.
	Save func(Progress) ([]byte, error)
	Load func(Progress, []byte) error
}

// ErrStop, returned by a callback, ends training as if the epochs were over.
var ErrStop = errors.New("stop training")

// stateOf returns the state of a callback in the Fit of p, which starts as a copy of own. A Progress that no Fit has made
// has no place for it: that works on own.
func stateOf[T any](p Progress, own *T) *T {
	if p.states == nil {
		return own
	}
	s, ok := p.states[own].(*T)
	if !ok {
		s = new(T)
		*s = *own
		p.states[own] = s
	}
	return s
}

// encodeState returns what decodeState reads. JSON would lose what is not finite.
func encodeState(v any) ([]byte, error) {
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func decodeState(b []byte, v any) error { return gob.NewDecoder(bytes.NewReader(b)).Decode(v) }
