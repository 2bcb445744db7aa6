package nn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"slices"
)

// ErrBusy is the error of Fit, TrainOnBatch and Compile while one of them works on the same model: in another goroutine, or
// because a callback or a Stream calls them.
var ErrBusy = errors.New("the model is busy in another Fit, TrainOnBatch or Compile")

// A FitOption configures Fit. If an option is given twice the last one counts, but [Callbacks] and [ClassWeight] add up.
type FitOption interface{ applyFit(*fitConfig) }

type fitConfig struct {
	epochs     int
	initial    int
	size       int
	shuffle    bool
	seed       uint64
	validation Dataset
	split      float64
	classes    map[string]map[int]float64
	callbacks  []Callback
	steps      int // batches of an epoch; 0: one pass over the data
	frequency  int // of validation, in epochs
	valSteps   int // batches of validation; 0: all
	backup     *BackupAndRestore
	verbose    io.Writer
	workers    int
	profile    io.Writer
	err        error // of an option
}

type fitOption func(*fitConfig)

func (o fitOption) applyFit(c *fitConfig)  { o(c) }
func (o SeedOption) applyFit(c *fitConfig) { c.seed = uint64(o) }

// Epochs sets how often Fit goes through the data; the default is 1.
func Epochs(n int) FitOption { return fitOption(func(c *fitConfig) { c.epochs = n }) }

// InitialEpoch is the number that the first epoch has in logs and callbacks. Fit stops before epoch number Epochs, so a
// resumed run trains Epochs - n epochs.
func InitialEpoch(n int) FitOption { return fitOption(func(c *fitConfig) { c.initial = n }) }

// A BatchSizeOption is a number of rows.
type BatchSizeOption int

// BatchSize sets the rows of a batch; the default is 32, as in Keras.
func BatchSize(rows int) BatchSizeOption { return BatchSizeOption(rows) }

func (o BatchSizeOption) applyFit(c *fitConfig)      { c.size = int(o) }
func (o BatchSizeOption) applyEvaluate(c *fitConfig) { c.size = int(o) }

// Shuffle says whether each epoch takes the rows in a new order, drawn from the seed; the default is true. The rows of a
// Stream are shuffled within each chunk.
func Shuffle(on bool) FitOption { return fitOption(func(c *fitConfig) { c.shuffle = on }) }

// ValidationData is evaluated after every epoch; nil is none.
func ValidationData(d Dataset) FitOption { return fitOption(func(c *fitConfig) { c.validation = d }) }

// ValidationSplit holds out the last rows of the data, as given, before shuffling: the fraction 0 < fraction < 1 of
// them. It needs [Data], not a Stream.
func ValidationSplit(fraction float64) FitOption {
	return fitOption(func(c *fitConfig) { c.split = fraction })
}

// StepsPerEpoch makes n batches an epoch, where it otherwise is one pass over the data. A pass goes on in the next epoch; when
// it ends, the next one begins, in a new order.
func StepsPerEpoch(n int) FitOption {
	return fitOption(func(c *fitConfig) {
		if c.steps = n; n < 1 {
			c.err = errors.Join(c.err, fmt.Errorf("%d steps per epoch, at least 1 is needed", n))
		}
	})
}

// ValidationFreq makes validation follow every n-th epoch only. The other ones have no logs of it; callbacks that watch one
// wait for the next epoch that has.
func ValidationFreq(n int) FitOption {
	return fitOption(func(c *fitConfig) {
		if c.frequency = n; n < 1 {
			c.err = errors.Join(c.err, fmt.Errorf("validation every %d epochs, at least 1 is needed", n))
		}
	})
}

// ValidationSteps limits validation to the first n batches of its data.
func ValidationSteps(n int) FitOption {
	return fitOption(func(c *fitConfig) {
		if c.valSteps = n; n < 1 {
			c.err = errors.Join(c.err, fmt.Errorf("%d validation steps, at least 1 is needed", n))
		}
	})
}

// ClassWeight scales the training loss of one output's rows by their class; classes that are not named have weight 1. Where
// a row has a sample weight too, both are multiplied: a product beyond float32 is an error, one too small for it is 0. Each
// output can have one ClassWeight.
func ClassWeight(output string, weights map[int]float64) FitOption {
	return fitOption(func(c *fitConfig) {
		if c.classes == nil {
			c.classes = map[string]map[int]float64{}
		}
		if _, twice := c.classes[output]; twice {
			c.err = errors.Join(c.err, fmt.Errorf("output %q has two ClassWeights", output))
		}
		c.classes[output] = weights
	})
}

// Callbacks adds callbacks, called in this order.
func Callbacks(callbacks ...Callback) FitOption {
	return fitOption(func(c *fitConfig) { c.callbacks = append(c.callbacks, callbacks...) })
}

// Fit trains the model and returns the logs of every completed epoch. Everything but the chunks of a Stream is checked
// before the first weight changes. When ctx is cancelled or a callback fails, Fit returns an error along with the history so
// far; the model then holds the weights of the last complete step.
//
// The error is [ErrNonFinite], and the model holds the same, when a loss or a gradient is not finite, or when Adam or
// RMSprop cannot square a gradient in float32. If updates drive weights or the optimizer's state out of the finite range
// while losses stay finite, that is the same error at the end of the epoch; the model keeps such values until they are set
// anew.
//
// Fit does not write to data and keeps nothing of it.
func (m *Model) Fit(ctx context.Context, data Dataset, opts ...FitOption) (*History, error) {
	history := &History{Logs: map[string][]float64{}}
	if err := m.fit(ctx, data, opts, history); err != nil {
		return history, fmt.Errorf("nn: Fit: %w", err)
	}
	return history, nil
}

func (m *Model) fit(ctx context.Context, data Dataset, opts []FitOption, history *History) error {
	if err := m.hold(); err != nil {
		return err
	}
	defer m.release()
	f, err := m.newFit(ctx, data, opts)
	if err != nil {
		return err
	}
	defer f.trainer.forget()
	defer f.trainer.share(f.workers)()
	if f.profile != nil {
		f.startProfile()
		defer f.stopProfile()
	}
	if err = f.run(ctx, history); errors.Is(err, ErrStop) {
		err = nil
	}
	if err == nil && f.backup != nil && !f.backup.Keep {
		err = f.backup.remove()
	}
	if p := f.trainer.profile; p != nil {
		if failed := p.write(f.profile); failed != nil {
			err = errors.Join(err, fmt.Errorf("profile: %w", failed))
		}
	}
	return err
}

// hold keeps other calls from training the model until release.
func (m *Model) hold() error {
	if !m.busy.CompareAndSwap(false, true) {
		return ErrBusy
	}
	return nil
}

func (m *Model) release() { m.busy.Store(false) }

func (f *fit) startProfile() {
	p := newProfile(f.trainer.model)
	f.trainer.profile, f.trainer.runner.profile = p, p
	f.trainer.runner.tape.TimeBackward(p.backward)
}

func (f *fit) stopProfile() {
	f.trainer.profile, f.trainer.runner.profile = nil, nil
	f.trainer.runner.tape.TimeBackward(nil)
}

// A fit is one run of Fit.
type fit struct {
	fitConfig
	trainer      *trainer
	train        Dataset
	classWeights classWeights
	at           Progress
	names        [][]string    // per callback: what its Progress has as LogNames
	states       []map[any]any // per callback: see stateOf
	bar          *progressBar  // nil: none

	// the pass over the data
	next      func() (*batch, error, bool) // nil: none has begun
	stop      func()
	passBegan int64 // iterations when it did

	backupModel int          // number of the file of the last backup
	resumed     *backupState // where an epoch goes on; nil from its end on
}

func (m *Model) newFit(ctx context.Context, data Dataset, opts []FitOption) (*fit, error) {
	if m.trainer == nil {
		return nil, ErrNotCompiled
	}
	f := &fit{fitConfig: fitConfig{epochs: 1, size: 32, shuffle: true, seed: m.seed, frequency: 1}, trainer: m.trainer, train: data, passBegan: -1}
	for i, o := range opts {
		if o == nil {
			return nil, errNilOption(i)
		}
		o.applyFit(&f.fitConfig)
	}
	if f.err != nil {
		return nil, f.err
	}
	if ctx == nil {
		return nil, errNilContext
	}
	if err := checkDataset(data); err != nil {
		return nil, fmt.Errorf("the data %w", err)
	}
	if f.validation != nil {
		if err := checkDataset(f.validation); err != nil {
			return nil, fmt.Errorf("the validation data %w", err)
		}
	}
	switch {
	case f.size < 1:
		return nil, fmt.Errorf("batch size %d is below 1", f.size)
	case f.epochs < 0 || f.initial < 0:
		return nil, fmt.Errorf("epochs %d and initial epoch %d must not be negative", f.epochs, f.initial)
	case f.split != 0 && !(f.split > 0 && f.split < 1):
		return nil, fmt.Errorf("validation split %v is not between 0 and 1", f.split)
	case f.split != 0 && f.validation != nil:
		return nil, errors.New("validation data and a validation split exclude each other")
	}
	f.at = Progress{Model: m, Epoch: f.initial, Epochs: f.epochs}
	if f.verbose != nil {
		f.bar = newProgressBar(f.verbose)
	}
	if err := errors.Join(f.backup.check(), f.checkClassWeights(), checkLogNames(f.trainer.heads)); err != nil {
		return nil, err
	}
	if err := f.checkData(); err != nil {
		return nil, err
	}
	return f, f.nameLogs()
}

func errNilOption(i int) error { return fmt.Errorf("option %d is nil", i) }

var errNilContext = errors.New("the context is nil")

// nameLogs tells each callback which logs there will be when it is called, and gives it a place for its state.
func (f *fit) nameLogs() error {
	names := logNames(f.trainer.heads)
	if f.validation != nil {
		for _, name := range names {
			names = append(names, "val_"+name)
		}
	}
	for i, c := range f.callbacks {
		f.names = append(f.names, slices.Sorted(slices.Values(names)))
		f.states = append(f.states, map[any]any{})
		for _, name := range c.Logs {
			if slices.Contains(names, name) {
				return fmt.Errorf("callback %d adds log %q, which is there already: the logs are %q", i, name, f.names[i])
			}
			names = append(names, name)
		}
	}
	return nil
}

func (f *fit) checkClassWeights() error {
	heads := map[string]*head{}
	for _, h := range f.trainer.heads {
		heads[h.name] = h
	}
	if err := checkUnknown("output in ClassWeight", f.classes, heads); err != nil {
		return err
	}
	f.classWeights = classWeights{}
	for name, weights := range f.classes {
		h := heads[name]
		classes := max(2, h.node.features())
		for class, w := range weights {
			if class < 0 || class >= classes || !(w >= 0 && w <= math.MaxFloat32) || vanishes(w) {
				return fmt.Errorf("class weight of output %q: class %d has weight %v: classes are 0 to %d, weights finite and not negative, in float32", name, class, w, classes-1)
			}
		}
		f.classWeights[h] = maps.Clone(weights) // a callback may write to the caller's
	}
	return nil
}

// checkData checks data in memory once, whole, and splits it.
func (f *fit) checkData() error {
	data, inMemory := f.train.(Data)
	if inMemory {
		c, err := f.trainer.model.check(data)
		if err != nil {
			return err
		}
		f.train = c
		f.at.Batches = 1 + (c.rows-1)/f.size
		if f.split != 0 {
			n := int(math.Floor(float64(c.rows) * (1 - f.split)))
			if n == 0 || n == c.rows {
				return fmt.Errorf("validation split %v leaves %d rows to train and %d to validate", f.split, n, c.rows-n)
			}
			f.train, f.validation = c.slice(0, n), c.slice(n, c.rows)
			f.at.Batches = 1 + (n-1)/f.size
		}
	} else if f.split != 0 {
		return errors.New("a validation split needs Data, not a Stream")
	}
	if f.steps > 0 {
		f.at.Batches = f.steps
	}
	if data, ok := f.validation.(Data); ok {
		c, err := f.trainer.model.check(data)
		if err != nil {
			return fmt.Errorf("validation data: %w", err)
		}
		f.validation = c
	}
	return nil
}

func (f *fit) run(ctx context.Context, history *History) error {
	err := f.loop(ctx, history)
	if errors.Is(err, ErrStop) {
		err = f.trainer.checkState() // the epoch may not have ended
	}
	if err != nil {
		return err
	}
	f.trainer.finish()
	return f.call(func(c Callback) func(Progress) error { return c.End })
}

// loop trains until the epochs are over or a callback stops it.
func (f *fit) loop(ctx context.Context, history *History) error {
	var saved *backupState
	if f.backup != nil {
		var err error
		if saved, err = f.restore(history); err != nil {
			return err
		}
	}
	if err := f.call(func(c Callback) func(Progress) error { return c.Begin }); err != nil {
		return err
	}
	if saved != nil {
		if err := f.loadStates(saved.States); err != nil {
			return err
		}
		if saved.Stopped || saved.Epoch >= f.epochs {
			f.at.Epoch, f.at.Batch = max(0, saved.Epoch-1), max(0, saved.Batches-1)
		}
		if saved.Stopped {
			return ErrStop
		}
	}
	defer f.endPass()
	for epoch := f.initial; epoch < f.epochs; epoch++ {
		f.at.Epoch = epoch
		if err := f.trainEpoch(ctx, history); err != nil {
			return err
		}
	}
	return nil
}

// trainEpoch is one epoch: its steps, the validation, the callbacks and the backup.
func (f *fit) trainEpoch(ctx context.Context, history *History) error {
	f.at.Batch, f.at.Logs = 0, nil
	sum, err := newTally(f.trainer)
	if err != nil {
		return err
	}
	if s := f.resumed; s != nil && s.Batch > 0 {
		f.at.Batch, sum.rows, sum.penalty = s.Batch, s.Rows, s.Penalty
		copy(sum.losses, s.Losses)
		for i := range sum.losses {
			sum.counts[i], sum.labels[i] = s.Rows, s.Rows
		}
		copy(sum.counts, s.Counts)
		copy(sum.labels, s.Labels)
	} else if err := f.call(func(c Callback) func(Progress) error { return c.EpochBegin }); err != nil {
		return err
	}
	f.bar.begin(f.at)
	if err := f.epoch(ctx, sum, history); err != nil {
		return err
	}
	f.resumed = nil
	if err := f.trainer.checkState(); err != nil {
		return f.failed(fmt.Errorf("epoch %d: %w", f.at.Epoch, err))
	}
	f.at.Logs = sum.logs(f.trainer, Logs{})
	if f.validation != nil && (f.at.Epoch+1)%f.frequency == 0 {
		f.trainer.profile.pause()
		logs, err := f.trainer.evaluate(ctx, f.validation.chunks(f.trainer.model), f.size, f.valSteps)
		if err != nil {
			return f.failed(fmt.Errorf("epoch %d, validation: %w", f.at.Epoch, err))
		}
		for name, v := range logs {
			f.at.Logs["val_"+name] = v
		}
	}
	err = f.call(func(c Callback) func(Progress) error { return c.EpochEnd })
	f.bar.end(f.at)
	history.Epochs = append(history.Epochs, f.at.Epoch)
	for name, v := range f.at.Logs {
		history.Logs[name] = append(history.Logs[name], v)
	}
	if f.backup != nil && (err == nil || errors.Is(err, ErrStop)) {
		s := backupState{Epoch: f.at.Epoch + 1, Pass: f.pass(), Stopped: err != nil}
		if failed := f.makeBackup(s, history); failed != nil {
			return failed
		}
	}
	return err
}

// epoch takes the steps of an epoch, from batch f.at.Batch on.
func (f *fit) epoch(ctx context.Context, sum *tally, history *History) error {
	f.trainer.profile.start()
	for ; f.steps == 0 || f.at.Batch < f.steps; f.at.Batch++ {
		b, err := f.nextBatch()
		if err == nil && b == nil {
			break
		}
		if err == nil {
			err = ctx.Err()
		}
		if err == nil && f.backup != nil && f.backup.SaveFreq > 0 && f.at.Batch > 0 && f.at.Batch%f.backup.SaveFreq == 0 {
			err = f.makeBackup(backupState{Epoch: f.at.Epoch, Batch: f.at.Batch, Pass: f.pass(), Rows: sum.rows, Losses: sum.losses, Counts: sum.counts, Labels: sum.labels, Penalty: sum.penalty}, history)
		}
		f.trainer.profile.lap(inData)
		if err == nil {
			err = f.trainer.step(b, f.seed, f.classWeights, sum)
		}
		if err != nil {
			return f.failed(fmt.Errorf("epoch %d, batch %d: %w", f.at.Epoch, f.at.Batch, err))
		}
		called := slices.ContainsFunc(f.callbacks, func(c Callback) bool { return c.BatchEnd != nil })
		if draws := f.bar.due(); called || draws {
			f.at.Logs = sum.logs(f.trainer, Logs{})
			if draws {
				f.bar.draw(f.at)
			}
			if err := f.call(func(c Callback) func(Progress) error { return c.BatchEnd }); err != nil {
				return err
			}
		}
		f.trainer.profile.lap(inCallbacks)
		f.trainer.profile.count(b.rows)
	}
	if f.at.Batch == 0 {
		return errNoRows
	}
	f.at.Batches = f.at.Batch
	f.at.Batch-- // the last one
	return nil
}

// nextBatch returns the next batch of the epoch, nil at the end of the data.
func (f *fit) nextBatch() (*batch, error) {
	for range 2 { // the second time with a new pass
		if f.next == nil {
			if err := f.beginPass(); err != nil {
				return nil, err
			}
		}
		b, err, ok := f.next()
		if ok {
			return b, err
		}
		f.endPass()
		if f.steps == 0 {
			return nil, nil
		}
	}
	return nil, errNoRows
}

// beginPass starts a pass over the data, or goes on with the one that a backup was made in.
func (f *fit) beginPass() error {
	taken := int64(0)
	if f.passBegan >= 0 {
		taken = f.trainer.iterations - f.passBegan
	} else {
		f.passBegan = f.trainer.iterations
	}
	b := &batch{size: f.size}
	if f.shuffle {
		b.random = rand.New(rand.NewPCG(f.seed, uint64(f.passBegan)))
	}
	f.next, f.stop = iter.Pull2(b.batches(f.train.chunks(f.trainer.model)))
	for i := range taken {
		if _, err, ok := f.next(); err != nil {
			return err
		} else if !ok {
			return fmt.Errorf("the backup was made after %d batches of the data, which now has %d", taken, i)
		}
	}
	return nil
}

func (f *fit) endPass() {
	if f.next != nil {
		f.stop()
	}
	f.next, f.passBegan = nil, -1
}

// pass returns what a backup needs to know of the pass: nothing if the next batch begins one.
func (f *fit) pass() int64 {
	if f.next == nil {
		return -1
	}
	return f.passBegan
}

// failed asks the callbacks what to make of an error.
func (f *fit) failed(err error) error {
	for i, c := range f.callbacks {
		if c.Failed != nil {
			given := err
			if better := f.callOne(i, func(p Progress) error { return c.Failed(p, given) }); better != nil {
				err = better
			}
		}
	}
	return err
}

// call calls one function of every callback, also of those after one that stops training.
func (f *fit) call(which func(Callback) func(Progress) error) error {
	var stop error
	for i, c := range f.callbacks {
		if hook := which(c); hook != nil {
			switch err := f.callOne(i, hook); {
			case errors.Is(err, ErrStop):
				stop = err
			case err != nil:
				return err
			}
		}
	}
	return stop
}

// callOne turns a panic of callback i into an error, so that a service outlives it and the model is as it was.
func (f *fit) callOne(i int, hook func(Progress) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("epoch %d, batch %d: callback %d panicked: %v\n%s", f.at.Epoch, f.at.Batch, i, r, debug.Stack())
		}
	}()
	p := f.at
	p.LogNames, p.states = f.names[i], f.states[i]
	return hook(p)
}
