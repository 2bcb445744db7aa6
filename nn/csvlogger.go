package nn

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"unicode/utf8"
)

// CSVLogger writes the logs of every epoch to a file, as Keras' callback of that name does: a line of names, "epoch" first,
// then a line for each epoch. A log that an epoch does not have is NA. A line is in the file once its epoch is over.
type CSVLogger struct {
	Path      string `json:"filename"`
	Separator rune   `json:"-"`      // between columns; 0 is a comma
	Append    bool   `json:"append"` // go on with the file that is there, instead of a new one: the line of names is left out
}

// Callback returns the callback for Fit. Each Fit starts it afresh, with a state of its own.
//
// A Fit that goes on under [BackupAndRestore] goes on with the file, where the epoch that it starts with comes next.
func (c CSVLogger) Callback() Callback {
	s := &csvLogger{CSVLogger: c}
	return Callback{
		Begin:    func(p Progress) error { return stateOf(p, s).begin(p) },
		EpochEnd: func(p Progress) error { return s.named(stateOf(p, s).epochEnd(p)) },
		Save:     func(p Progress) ([]byte, error) { return encodeState(stateOf(p, s).csvLoggerState) },
		Load:     func(p Progress, b []byte) error { return s.named(decodeState(b, &stateOf(p, s).csvLoggerState)) },
	}
}

type csvLogger struct {
	CSVLogger
	csvLoggerState
}

// A csvLoggerState is what a Fit that goes on needs to know.
type csvLoggerState struct {
	Names []string // the columns after the first
	Size  int64    // of the file so far
}

func (s *csvLogger) named(err error) error {
	if err != nil {
		return fmt.Errorf("CSVLogger %q: %w", s.Path, err)
	}
	return nil
}

func (s *csvLogger) begin(p Progress) error {
	s.Names, s.Size = nil, 0
	switch sep := cmp.Or(s.Separator, ','); {
	case s.Path == "":
		return errors.New("CSVLogger: the path is empty")
	case sep == '"' || sep == '\r' || sep == '\n' || !utf8.ValidRune(sep) || sep == utf8.RuneError:
		return s.named(fmt.Errorf("the separator %q cannot be told from a line", sep))
	}
	return nil
}

func (s *csvLogger) epochEnd(p Progress) (err error) {
	mode := os.O_RDWR | os.O_CREATE
	f, err := os.OpenFile(s.Path, mode, 0o666)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	first := s.Names == nil
	if first {
		if s.Names = slices.Clone(p.LogNames); s.Names == nil { // no Fit has made p
			for name := range p.Logs {
				s.Names = append(s.Names, name)
			}
			slices.Sort(s.Names)
		}
		if s.Append {
			if s.Size, err = f.Seek(0, io.SeekEnd); err != nil {
				return err
			}
		}
	}
	// What is behind the last line that counts is of a Fit that was killed, or of a file that a new one replaces.
	if err := f.Truncate(s.Size); err != nil {
		return err
	}
	if _, err := f.Seek(s.Size, io.SeekStart); err != nil {
		return err
	}
	w := csv.NewWriter(f)
	w.Comma = cmp.Or(s.Separator, ',')
	if first && s.Size == 0 {
		w.Write(append([]string{"epoch"}, s.Names...)) // its error is that of Flush
	}
	line := []string{strconv.Itoa(p.Epoch)}
	for _, name := range s.Names {
		text := "NA"
		if v, ok := p.Logs[name]; ok {
			if text = strconv.FormatFloat(v, 'g', -1, 64); math.IsNaN(v) {
				text = "nan"
			}
		}
		line = append(line, text)
	}
	w.Write(line)
	w.Flush()
	if err := w.Error(); err != nil {
		return err
	}
	s.Size, err = f.Seek(0, io.SeekCurrent)
	return err
}
