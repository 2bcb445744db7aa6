package nn

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Profile writes a table to w when Fit ends: where the time of a training step went, by layer, forward and backward, and
// for data, losses with metrics, the update and callbacks. Validation is left out. A Fit without the option measures
// nothing.
func Profile(w io.Writer) FitOption {
	return fitOption(func(c *fitConfig) {
		if c.profile = w; w == nil {
			c.err = errors.Join(c.err, errors.New("the writer of Profile is nil"))
		}
	})
}

// A profile adds up where the time of training goes. The methods of a nil profile do nothing.
type profile struct {
	model       *Model
	steps, rows int
	last        time.Time // until when everything is added up
	paused      bool
	times       []time.Duration // by phase
	backward    []time.Duration // by node of the runner, behind them that of the losses
}

// A phase is a part of a training step.
type phase int

const (
	inData phase = iota // up to the batch
	inLosses
	inBackward
	inUpdate
	inCallbacks
	inForward // of the runner's first node; the others follow
)

func newProfile(m *Model) *profile {
	return &profile{
		model:    m,
		times:    make([]time.Duration, int(inForward)+len(m.nodes)),
		backward: make([]time.Duration, len(m.nodes)+1),
	}
}

// start leaves out the time up to now.
func (p *profile) start() {
	if p != nil {
		p.last, p.paused = time.Now(), false
	}
}

// pause leaves out the time up to the next start.
func (p *profile) pause() {
	if p != nil {
		p.paused = true
	}
}

// lap adds the time since the last one to that of a phase.
func (p *profile) lap(in phase) {
	if p == nil || p.paused {
		return
	}
	now := time.Now()
	p.times[in] += now.Sub(p.last)
	p.last = now
}

func (p *profile) count(rows int) {
	if p != nil {
		p.steps++
		p.rows += rows
	}
}

// write prints the means over the steps. A layer that is called several times has one line.
func (p *profile) write(w io.Writer) error {
	total := time.Duration(0)
	for _, d := range p.times {
		total += d
	}
	if p.steps == 0 || total == 0 {
		_, err := fmt.Fprintln(w, "Profile: no training step")
		return err
	}
	us := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 / float64(p.steps) }
	if _, err := fmt.Fprintf(w, "Profile: %d training steps of %.4g us, %.4g rows/s. Times of a step in us:\n",
		p.steps, us(total), float64(p.rows)/total.Seconds()); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "forward\tbackward\tshare\t  \n")
	line := func(name string, forward, backward time.Duration) {
		cell := func(d time.Duration) string {
			if d == 0 {
				return ""
			}
			return fmt.Sprintf("%.2f", us(d))
		}
		share := float64(forward+backward) / float64(total) * 100
		fmt.Fprintf(t, "%s\t%s\t%.1f %%\t  %s\n", cell(forward), cell(backward), share, name)
	}
	ways := map[*Layer][2]time.Duration{}
	for i, n := range p.model.nodes {
		w := ways[n.layer]
		ways[n.layer] = [2]time.Duration{w[0] + p.times[int(inForward)+i], w[1] + p.backward[i]}
	}
	for _, l := range p.model.allLayers {
		forward, backward := ways[l][0], ways[l][1]
		if forward+backward > 0 {
			line(p.model.describe(l), forward, backward)
		}
	}
	// The losses begin the walk backward, so they have what is outside its operations too.
	walk := p.times[inBackward]
	for _, d := range p.backward[:len(p.model.nodes)] {
		walk -= d
	}
	line("losses and metrics", p.times[inLosses], walk)
	line("update", p.times[inUpdate], 0)
	line("data", p.times[inData], 0)
	line("callbacks", p.times[inCallbacks], 0)
	return t.Flush()
}
