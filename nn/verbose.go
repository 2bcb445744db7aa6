package nn

import (
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"time"
)

// Verbose is an option of Fit that prints Keras' lines to w: the number of each epoch and, below it, how many batches are done,
// how long that took, and the logs. On a terminal the line grows with a bar, drawn some times a second. Elsewhere each epoch
// has one line, at its end. What w cannot write is lost: training goes on.
func Verbose(w io.Writer) FitOption { return fitOption(func(c *fitConfig) { c.verbose = w }) }

const (
	barWidth  = 20
	barPeriod = 50 * time.Millisecond // between two drawings
)

// A progressBar prints where a Fit is. A nil one prints nothing.
type progressBar struct {
	w     io.Writer
	grows bool             // w is a terminal
	now   func() time.Time // a test has its own
	began time.Time        // the epoch
	first int              // its first batch: not 0 where it goes on
	drawn time.Time
}

func newProgressBar(w io.Writer) *progressBar {
	return &progressBar{w: w, grows: isTerminal(w), now: time.Now}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// begin starts an epoch.
func (b *progressBar) begin(p Progress) {
	if b == nil {
		return
	}
	b.began, b.first = b.now(), p.Batch
	b.drawn = b.began
	fmt.Fprintf(b.w, "Epoch %d/%d\n", p.Epoch+1, p.Epochs)
}

// due reports whether it is time for another drawing: logs are only computed for that.
func (b *progressBar) due() bool {
	return b != nil && b.grows && b.now().Sub(b.drawn) >= barPeriod
}

// draw draws the bar over the last one.
func (b *progressBar) draw(p Progress) {
	b.drawn = b.now()
	done := p.Batch + 1
	perStep := b.perStep(done)
	var s strings.Builder
	if p.Batches < done { // of a Stream in its first epoch
		fmt.Fprintf(&s, "\r%7d/Unknown %s %s", done, seconds(b.drawn.Sub(b.began)), perStep)
	} else {
		full := barWidth * done / p.Batches
		left := time.Duration(float64(b.drawn.Sub(b.began)) / float64(done-b.first) * float64(p.Batches-done))
		fmt.Fprintf(&s, "\r%s/%d %s%s %s %s", pad(done, p.Batches), p.Batches,
			strings.Repeat("━", full), strings.Repeat("─", barWidth-full), seconds(left), perStep)
	}
	s.WriteString(logText(p.Logs) + "\x1b[K")
	io.WriteString(b.w, s.String())
}

// end prints the line of an epoch that is over.
func (b *progressBar) end(p Progress) {
	if b == nil {
		return
	}
	done := p.Batch + 1
	took, perStep := seconds(b.now().Sub(b.began)), b.perStep(done)
	if b.grows {
		fmt.Fprintf(b.w, "\r%d/%d %s %s %s%s\x1b[K\n", done, done, strings.Repeat("━", barWidth), took, perStep, logText(p.Logs))
	} else {
		fmt.Fprintf(b.w, "%d/%d - %s - %s%s\n", done, done, took, perStep, logText(p.Logs))
	}
}

func (b *progressBar) perStep(done int) string {
	switch s := b.now().Sub(b.began).Seconds() / float64(max(1, done-b.first)); {
	case s >= 1 || s == 0:
		return fmt.Sprintf("%.0fs/step", s)
	case s >= 1e-3:
		return fmt.Sprintf("%.0fms/step", s*1e3)
	default:
		return fmt.Sprintf("%.0fus/step", s*1e6)
	}
}

func pad(n, of int) string { return fmt.Sprintf("%*d", len(fmt.Sprint(of)), n) }

// seconds prints a time as Keras does: 7s, 1:07, 1:01:07.
func seconds(d time.Duration) string {
	switch s := int(math.Round(d.Seconds())); {
	case s > 3600:
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s%3600/60, s%60)
	case s > 60:
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	default:
		return fmt.Sprintf("%ds", s)
	}
}

func logText(logs Logs) string {
	var s strings.Builder
	for _, name := range slices.Sorted(maps.Keys(logs)) {
		format := " - %s: %.4f"
		if v := logs[name]; math.Abs(v) <= 1e-3 {
			format = " - %s: %.4e"
		}
		fmt.Fprintf(&s, format, name, logs[name])
	}
	return s.String()
}
