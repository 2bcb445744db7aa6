package nn

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/espalier-ml/espalier/internal/newfile"
)

// BackupAndRestore is an option of Fit that keeps a backup of the training in a folder, as Keras' callback of that name does. If
// the process is killed, or Fit ends with an error, the same Fit of the same model in a new process goes on from the backup. The
// run that goes on ends with the weights and the history of one that was never interrupted, to the last bit, if it is given the
// same data and options; it may have more Epochs. Fit removes the backup when it returns without an error.
//
// A backup holds what [Model.Save] writes, where training is, the history, and the states of callbacks that have Save and Load,
// as all of this package do. A backup of another model, or of a Fit with other batches, is an error before the first step.
// Two Fits need two folders.
type BackupAndRestore struct {
	// Folder is made if it is not there. The names that it has files of are its own: model-0, model-1, state, .espalier-*.tmp.
	Folder string
	// SaveFreq also makes a backup after every so many batches of an epoch; 0: only at the end of each epoch. In an epoch that
	// starts again in its middle, the metrics of the training data are those of the batches from there on; its losses and all
	// of its validation are as ever. A callback that follows such a metric may decide otherwise.
	SaveFreq int
	Keep     bool // the backup stays when Fit returns without an error
}

func (b BackupAndRestore) applyFit(c *fitConfig) { c.backup = &b }

// A backupState is the part of a backup that is not in the model's file.
type backupState struct {
	Model    int // number of that file
	Settings backupSettings
	Epoch    int // the next one, or the one that has begun
	Batch    int // the next one of that epoch
	Batches  int
	Pass     int64 // iterations when the pass over the data began, -1 if none has
	Rows     float64
	Losses   []float64 // sums of the epoch that has begun
	Counts   []float64 // the rows of these; earlier versions had no others than Rows
	Labels   []float64
	Penalty  float64
	Stopped  bool  // by a callback
	Epochs   []int // of the history
	History  map[string][]float64
	Logs     Logs
	States   map[int][]byte // of callbacks
}

// backupSettings are the options of Fit that a run which goes on must have.
type backupSettings struct {
	Rows, Steps, Callbacks int
	Shuffle                bool
	Seed                   uint64
}

func (f *fit) backupSettings() backupSettings {
	return backupSettings{f.size, f.steps, len(f.callbacks), f.shuffle, f.seed}
}

func (b *BackupAndRestore) check() error {
	switch {
	case b == nil:
		return nil
	case b.Folder == "":
		return errors.New("BackupAndRestore: the folder has no name")
	case b.SaveFreq < 0:
		return fmt.Errorf("BackupAndRestore: a backup every %d batches", b.SaveFreq)
	}
	return nil
}

func (b *BackupAndRestore) model(n int) string {
	return filepath.Join(b.Folder, fmt.Sprintf("model-%d", n))
}

func (b *BackupAndRestore) state() string { return filepath.Join(b.Folder, "state") }

// backup writes a new backup beside the old one: the model first, then the state, which names it.
func (f *fit) makeBackup(s backupState, history *History) error {
	b := f.backup
	s.Model = 1 - f.backupModel
	s.Settings = f.backupSettings()
	s.Batches = f.at.Batches
	s.Logs, s.Epochs, s.History = f.at.Logs, history.Epochs, history.Logs
	s.States = map[int][]byte{}
	for i, c := range f.callbacks {
		if c.Save == nil {
			continue
		}
		err := f.callOne(i, func(p Progress) (err error) {
			s.States[i], err = c.Save(p)
			return err
		})
		if err != nil {
			return err
		}
	}
	text, err := encodeState(s)
	if err == nil {
		err = os.MkdirAll(b.Folder, 0o777)
	}
	if err == nil {
		err = newfile.Write(b.model(s.Model), f.trainer.model.writeTo)
	}
	if err == nil {
		err = newfile.Write(b.state(), func(w io.Writer) (int64, error) { return bytes.NewReader(text).WriteTo(w) })
	}
	if err != nil {
		return fmt.Errorf("BackupAndRestore %q: %w", b.Folder, err)
	}
	f.backupModel = s.Model
	return nil
}

// restore goes back to the backup, if there is one, and returns its state.
func (f *fit) restore(history *History) (*backupState, error) {
	s, err := f.readBackup()
	if err != nil {
		return nil, fmt.Errorf("BackupAndRestore %q: %w", f.backup.Folder, err)
	}
	if s == nil {
		return nil, nil
	}
	f.backupModel = s.Model
	f.initial, f.passBegan, f.resumed = s.Epoch, s.Pass, s
	f.at.Epoch, f.at.Batches, f.at.Logs = s.Epoch, s.Batches, s.Logs
	history.Epochs = s.Epochs
	maps.Copy(history.Logs, s.History)
	return s, nil
}

func (f *fit) readBackup() (*backupState, error) {
	text, err := os.ReadFile(f.backup.state())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	s := &backupState{}
	if err := decodeState(text, s); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if s.Settings != f.backupSettings() {
		return nil, fmt.Errorf("is of a Fit with %+v, this one has %+v", s.Settings, f.backupSettings())
	}
	m := f.trainer.model
	if s.Epoch < 0 || s.Batch < 0 || s.Batches < 0 || s.Model>>1 != 0 || s.Batch > 0 && len(s.Losses) != len(f.trainer.heads) {
		return nil, errors.New("state: is damaged")
	}
	saved, err := Load(f.backup.model(s.Model))
	if err != nil {
		return nil, err
	}
	if s.Pass < -1 || saved.trainer == nil || s.Pass > saved.trainer.iterations {
		return nil, errors.New("state: is damaged")
	}
	return s, m.restore(saved)
}

// restore makes the weights and the training of m those of a model that differs in nothing else.
func (m *Model) restore(saved *Model) error {
	t, from := m.trainer, saved.trainer
	frozen := saved.frozen()
	saved.setFrozen(m.frozen()) // which may differ
	same, err := m.sameTraining(saved)
	if err != nil {
		return err
	}
	if !same {
		return errors.New("is of another model, or of another Compile")
	}
	for i, w := range m.weights {
		copy(w.Data, saved.weights[i].Data)
		for j, values := range t.slots[i] {
			copy(values, from.slots[i][j])
		}
	}
	m.setFrozen(frozen)
	t.iterations, t.optimizer = from.iterations, copyOf(t.optimizer)
	*t.optimizer.LearningRate() = *from.optimizer.LearningRate()
	return nil
}

// frozen returns which layers are frozen, by path.
func (m *Model) frozen() map[string]bool {
	all := map[string]bool{}
	for l, path := range m.paths {
		all[path] = l.frozen
	}
	return all
}

func (m *Model) setFrozen(all map[string]bool) {
	for l, path := range m.paths {
		l.frozen = all[path]
	}
}

// sameTraining reports whether two models differ only in their numbers and in the learning rate.
func (m *Model) sameTraining(other *Model) (bool, error) {
	var texts [2][]byte
	for i, o := range []*Model{m, other} {
		a, err := o.architecture()
		if err != nil {
			return false, err
		}
		t := o.trainer.training()
		t.Iterations = 0
		t.Optimizer.Value = copyOf(t.Optimizer.Value)
		*t.Optimizer.Value.LearningRate() = Rate{}
		if texts[i], err = encodeJSON([]any{a, t}); err != nil {
			return false, err
		}
	}
	return bytes.Equal(texts[0], texts[1]), nil
}

// loadStates gives the callbacks that have begun the states of the backup.
func (f *fit) loadStates(states map[int][]byte) error {
	for i, c := range f.callbacks {
		if b, ok := states[i]; ok && c.Load != nil {
			if err := f.callOne(i, func(p Progress) error { return c.Load(p, b) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// remove removes the backup: its state first, without which the rest is none.
func (b *BackupAndRestore) remove() error {
	files := []string{b.state(), b.model(0), b.model(1)}
	entries, err := os.ReadDir(b.Folder)
	if errors.Is(err, fs.ErrNotExist) { // no epoch, no backup
		return nil
	}
	for _, e := range entries {
		if unfinished, _ := filepath.Match(".espalier-*.tmp", e.Name()); unfinished {
			files = append(files, filepath.Join(b.Folder, e.Name()))
		}
	}
	for _, file := range files {
		if failed := os.Remove(file); failed != nil && !errors.Is(failed, fs.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	if err != nil {
		return fmt.Errorf("BackupAndRestore: %w", err)
	}
	os.Remove(b.Folder) // stays if it has other files
	return nil
}
