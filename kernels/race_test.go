//go:build race

package kernels

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sink keeps a read from being left out.
var sink float32

// race calls a kernel after another goroutine read an operand that it writes, or wrote one that it reads. The detector is
// not told that there is an order: only of accesses at the very same time it may miss both.
func race(table *Table, c call, operand int) error {
	o := newOperands(1, 3, 5)
	if err := o.run(table, c); err != nil {
		return err
	}
	x := &o.made[operand].Row(o.made[operand].Rows - 1)[0]
	touched := make(chan struct{})
	go func() {
		if o.made[operand].written {
			sink = *x
		} else {
			*x = 0
		}
		runtime.RaceDisable()
		close(touched)
		runtime.RaceEnable()
	}()
	runtime.RaceDisable()
	<-touched
	runtime.RaceEnable()
	return o.run(table, c)
}

// Every operand of every kernel is known to the race detector. The races are made by a child process.
func TestRaceDetector(t *testing.T) {
	const between = "~~~ "
	table := Default()
	if os.Getenv("ESPALIER_RACE") != "" {
		for _, c := range calls() {
			o := newOperands(1, 3, 5)
			require.NoError(t, o.run(table, c))
			for i := range o.made {
				fmt.Fprintf(os.Stderr, "%s%s, operand %d\n", between, c.name, i)
				require.NoError(t, race(table, c, i))
			}
		}
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestRaceDetector$")
	child.Env = append(os.Environ(), "ESPALIER_RACE=1", "GORACE=suppress_equal_stacks=0 suppress_equal_addresses=0")
	out, err := child.CombinedOutput()
	require.Error(t, err, "the race detector saw nothing")
	cases := strings.Split(string(out), between)[1:]
	require.Greater(t, len(cases), 2*len(calls()), "%s", out)
	for _, report := range cases {
		name, report, _ := strings.Cut(report, "\n")
		require.Contains(t, report, "DATA RACE", name)
		require.Contains(t, report, "kernels.(*Table)."+name[:strings.IndexAny(name, "+/,")]+"(", name)
	}
}
