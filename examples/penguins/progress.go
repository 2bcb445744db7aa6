package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/espalier-ml/espalier/nn"
)

// A board shows one experiment at work: a table that grows by a line per finished split and, below it on a terminal,
// a bar with the losses of the running one. Where output is not a terminal there are only the table's lines.
type board struct {
	experiment
	bars   *mpb.Progress
	bar    *mpb.Bar
	losses atomic.Value // string
	table  io.Writer
}

func newBoard(w io.Writer, e experiment, splits int) *board {
	b := &board{experiment: e, bars: mpb.New(mpb.WithOutput(w)), table: w}
	if isTerminal(w) {
		b.table = b.bars // prints above the bar
	}
	b.losses.Store("")
	b.bar = b.bars.New(0, // not yet the total: the bar stays until finish, so that the table's last lines find their place
		mpb.BarStyle().Lbound(" ").Filler("━").Tip("━").Padding("─").Rbound(" "),
		mpb.BarWidth(30),
		mpb.PrependDecorators(decor.Name("  "), decor.CountersNoUnit("%d/%d epochs")),
		mpb.AppendDecorators(
			decor.Percentage(decor.WC{W: 4}),
			decor.Any(func(decor.Statistics) string { return "   " + b.losses.Load().(string) })))

	b.bar.SetTotal(int64(splits*e.epochs), false)
	b.line("split", "seed", func(i int) string { return e.heads[i].score() })
	return b
}

// line prints a row of the table, above the bar.
func (b *board) line(first, second string, cell func(head int) string) {
	var s strings.Builder
	fmt.Fprintf(&s, "  %5s  %6s", first, second)
	for i := range b.heads {
		fmt.Fprintf(&s, "  %18s", cell(i))
	}
	s.WriteByte('\n')
	io.WriteString(b.table, s.String())
}

// watch is told of every epoch of a training.
func (b *board) watch() nn.Callback {
	return nn.Callback{EpochEnd: func(p nn.Progress) error {
		losses := fmt.Sprintf("loss %.3f", p.Logs["loss"])
		if len(b.heads) > 1 {
			for _, h := range b.heads {
				losses += fmt.Sprintf("   %s %.3f", h.name, p.Logs[h.name+"_loss"])
			}
		}
		b.losses.Store(losses)
		b.bar.Increment()
		return nil
	}}
}

// finish takes the bar away, whether training came to its end or not.
func (b *board) finish() {
	b.bar.Abort(true)
	b.bars.Wait()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
