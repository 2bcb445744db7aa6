package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/espalier-ml/espalier/nn"
)

// A row is one of the real file's, where every column may be null.
type row struct {
	Date        *time.Time `parquet:"date,timestamp(microsecond)"`
	Delay       *int64     `parquet:"delay"`
	Distance    *int64     `parquet:"distance"`
	Origin      *string    `parquet:"origin"`
	Destination *string    `parquet:"destination"`
}

// tableOf writes rows that are all alike but for what change does to them.
func tableOf(t *testing.T, rows int, change func(i int, r *row)) string {
	t.Helper()
	all := make([]row, rows)
	for i := range all {
		date := time.Date(2001, 1, 2, 3, 4, 0, 0, time.UTC)
		all[i] = row{&date, new(int64), new(int64), new(string), new(string)}
		*all[i].Delay, *all[i].Distance, *all[i].Origin, *all[i].Destination = 15, 300, "SFO", "LAX"
		change(i, &all[i])
	}
	return writeParquet(t, all)
}

func writeParquet[T any](t *testing.T, rows []T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flights.parquet")
	if err := parquet.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead(t *testing.T) {
	f, err := readFlights(tableOf(t, 2500, func(i int, r *row) {
		switch i {
		case 0:
			*r.Origin = "OAK"
		case 1:
			*r.Date, *r.Delay = time.Date(2001, 7, 1, 23, 59, 0, 0, time.UTC), 16
		case 2499:
			*r.Delay, *r.Distance, *r.Destination = -40, 2704, "BOS"
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	if f.rows() != 2500 {
		t.Fatalf("%d rows, want 2500", f.rows())
	}
	type flight struct {
		departure   int32
		delay       int16
		distance    uint16
		origin, end string
		late        bool
	}
	const usual = 1440 + 3*60 + 4
	for i, want := range map[int32]flight{
		0:    {usual, 15, 300, "OAK", "LAX", false},
		1:    {182*1440 - 1, 16, 300, "SFO", "LAX", true},
		1024: {usual, 15, 300, "SFO", "LAX", false},
		2499: {usual, -40, 2704, "SFO", "BOS", false},
	} {
		got := flight{f.departure[i], f.delay[i], f.distance[i], f.airports[f.origin[i]], f.airports[f.destination[i]], f.late(i)}
		if got != want {
			t.Errorf("row %d is %+v, want %+v", i, got, want)
		}
	}
}

func TestReadErrors(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("date,delay\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	spoilt := func(change func(r *row)) string {
		return tableOf(t, 1500, func(i int, r *row) {
			if i == 1234 {
				change(r)
			}
		})
	}
	for name, c := range map[string]struct{ path, want string }{
		"absent":     {"nowhere.parquet", "nowhere.parquet: no such file or directory: bash examples/flights/fetch.sh fetches it, -generated 300000 does without"},
		"no parquet": {text, text + ": "},
		"few":        {tableOf(t, 999, func(int, *row) {}), "has 999 flights, needs at least 1000"},
		"column":     {writeParquet(t, []struct{ Delay int64 }{{3}}), `column "date" is not there as INT64: the table is`},
		"type": {writeParquet(t, []struct {
			Date string `parquet:"date"`
		}{{"x"}}), `column "date" is not there as INT64: the table is`},
		"null":        {spoilt(func(r *row) { r.Distance = nil }), `column "distance" has no value in row 1234`},
		"delay":       {spoilt(func(r *row) { *r.Delay = 40_000 }), `column "delay" has 40000 in row 1234, valid are -32768 to 32767`},
		"day before":  {spoilt(func(r *row) { *r.Date = firstDay.Add(-time.Hour) }), `column "date" has -60 in row 1234, valid are 0 to 262079`},
		"day too far": {spoilt(func(r *row) { *r.Date = time.Date(9001, 1, 1, 0, 0, 0, 0, time.UTC) }), `column "date" has`},
	} {
		if _, err := readFlights(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// A flipped bit is an error or another value, never a panic.
func TestDamagedFiles(t *testing.T) {
	path := tableOf(t, 1500, func(int, *row) {})
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		i, bit := r.IntN(len(content)), byte(1)<<r.IntN(8)
		content[i] ^= bit
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if f, err := readFlights(path); err == nil && f.rows() != 1500 {
			t.Errorf("byte %d, bit %d: %d rows and no error", i, bit, f.rows())
		}
		content[i] ^= bit
	}
}

func TestSplit(t *testing.T) {
	f := generate(2000, 1)
	train, validation, test := f.split(7)
	if len(train) != 1700 || len(validation) != 100 || len(test) != 200 {
		t.Errorf("split into %d, %d and %d", len(train), len(validation), len(test))
	}
	all := slices.Sorted(slices.Values(slices.Concat(train, validation, test)))
	for i, r := range all {
		if int(r) != i {
			t.Fatalf("row %d is not in one part, and one only", i)
		}
	}
	again, _, _ := f.split(7)
	other, _, _ := f.split(8)
	if !slices.Equal(train, again) || slices.Equal(train, other) {
		t.Error("the split does not follow from the seed")
	}
}

// What the encoding knows comes from the rows it may see.
func TestEncode(t *testing.T) {
	f := &flights{airports: []string{"AAA", "BBB", "CCC"}}
	for i := range 300 {
		from, to := 0, 1
		if i < minFlights-1 || i >= 200 { // after 200: not to be seen
			to = 2
		}
		f.departure = append(f.departure, 0)
		f.distance = append(f.distance, 1000)
		f.delay = append(f.delay, int16(i%4*10))
		f.origin, f.destination = append(f.origin, uint16(from)), append(f.destination, uint16(to))
	}
	seen := make([]int32, 200)
	for i := range seen {
		seen[i] = int32(i)
	}
	e := f.encode(seen)
	if want := []int32{1, 2, 0}; !slices.Equal(e.indices, want) || e.vectors != 3 {
		t.Errorf("indices %v, %d vectors; want %v, 3", e.indices, e.vectors, want)
	}
	if e.mean != 15 || e.median != 20 || math.Abs(e.sd-math.Sqrt(125)) > 1e-12 {
		t.Errorf("mean %v, median %v, standard deviation %v", e.mean, e.median, e.sd)
	}
}

func TestData(t *testing.T) {
	f := &flights{
		departure: []int32{3*1440 + 6*60, 181 * 1440}, delay: []int16{35, 15}, distance: []uint16{100, 2000},
		origin: []uint16{0, 1}, destination: []uint16{1, 1}, airports: []string{"AAA", "BBB"},
	}
	e := &encoding{indices: []int32{5, 0}, vectors: 6, mean: 5, sd: 20}
	d := f.data([]int32{0, 1}, e)
	want := nn.Data{
		Inputs: nn.Arrays{
			"clock":    nn.Floats{1, 0, 0, -1, 0, 1, 0, 1},
			"day":      nn.Labels{3, 181},
			"airports": nn.Labels{5, 0, 0, 0},
			"distance": nn.Floats{0.1, float32(math.Log(2)), 2, float32(math.Log(21))},
		},
		Targets: nn.Arrays{"late": nn.Labels{1, 0}, "delay": nn.Floats{1.5, 0.5}},
	}
	for i, v := range d.Inputs["clock"].(nn.Floats) {
		d.Inputs["clock"].(nn.Floats)[i] = float32(math.Round(float64(v)*1e6)/1e6 + 0)
	}
	if !reflect.DeepEqual(d, want) {
		t.Errorf("got %v\nwant %v", d, want)
	}
	if got := e.minutes(d.Targets["delay"].(nn.Floats)[0]); got != 35 {
		t.Errorf("a delay of 35 comes back as %v", got)
	}

	f.delay[0] = -100
	if changed := f.data([]int32{0, 1}, e); !reflect.DeepEqual(changed.Inputs["airports"], d.Inputs["airports"]) ||
		!reflect.DeepEqual(changed.Inputs["day"], d.Inputs["day"]) || !reflect.DeepEqual(changed.Inputs["distance"], d.Inputs["distance"]) {
		t.Error("an input changes with the delay")
	}
}

// Every pass has every row once, in an order of its own.
func TestStream(t *testing.T) {
	f := generate(chunk+100, 1)
	for i := range f.departure {
		f.departure[i] = int32(i) // tells the rows apart
	}
	rows, _, _ := f.split(1)
	e := f.encode(rows)
	stream := f.stream(rows, e, 1)
	pass := func() (delays []float32) {
		for d, err := range stream() {
			if err != nil {
				t.Fatal(err)
			}
			delays = append(delays, d.Targets["delay"].(nn.Floats)...)
		}
		return delays
	}
	first, second := pass(), pass()
	if slices.Equal(first, second) {
		t.Error("two passes have one order")
	}
	slices.Sort(first)
	slices.Sort(second)
	var want []float32
	for _, r := range rows {
		want = append(want, f.data([]int32{r}, e).Targets["delay"].(nn.Floats)...)
	}
	slices.Sort(want)
	if !slices.Equal(first, want) || !slices.Equal(second, want) {
		t.Error("a pass does not have every row once")
	}
}

func TestProgram(t *testing.T) {
	out := filepath.Join(t.TempDir(), "deep", "out")
	var stdout bytes.Buffer
	r, err := run(context.Background(), []string{"-out", out, "-generated", "30000", "-epochs", "2", "-batch", "128"}, &stdout)
	if err != nil {
		t.Fatal(err)
	}
	// The last row that a checkpoint counts is that of an epoch, and its means are of all rows since the one before.
	if n := len(r.checkpoints); n != 2*checkpoints || r.checkpoints[checkpoints-1].epoch != 1 || r.checkpoints[n-1].epoch != 2 {
		t.Errorf("checkpoints %+v", r.checkpoints)
	}
	if r.test.auc < 0.75 || r.test.mae > r.ofMedian-1 {
		t.Errorf("the made-up flights were not learned: %+v, the median has %.2f", r.test, r.ofMedian)
	}
	last := r.checkpoints[len(r.checkpoints)-1]
	if math.Abs(last.training.mae-last.validation.mae) > 3 || math.Abs(last.training.entropy-last.validation.entropy) > 0.1 {
		t.Errorf("training and validation have different units: %+v", last)
	}
	for _, want := range []string{"30,000 flights between 60 airports", "airport_vector", "rows per second", "late   AUC 0.", "MB of memory", "report.html"} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the output does not mention %q:\n%s", want, &stdout)
		}
	}
	html, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	outside := regexp.MustCompile(`(?i)https?:|//[a-z]|<script|<link|<iframe|<img|@import|@font-face|url\([^#]|\bsrc=|\bon[a-z]+=|href="[^#]`)
	if at := outside.FindIndex(html); at != nil {
		t.Errorf("the report refers to something outside: ...%s...", html[max(0, at[0]-40):min(len(html), at[1]+40)])
	}
	if n := bytes.Count(html, []byte("<svg")); n != 4 {
		t.Errorf("the report has %d pictures, want 4: three curves and the network", n)
	}
}

// The means of the checkpoints of an epoch make up the epoch's, which Fit logs.
func TestCheckpointsAddUp(t *testing.T) {
	r := &result{options: options{batch: 10}, trained: 95}
	var s score
	watch := r.watch(func() (score, error) { return s, nil }, &encoding{sd: 2}, io.Discard)
	if err := watch.Begin(nn.Progress{}); err != nil {
		t.Fatal(err)
	}
	sum, rows := 0.0, 0.0
	for b := range 10 {
		n := float64(min(10, 95-10*b))
		sum, rows = sum+n*float64(b), rows+n // batch b has the loss b
		if err := watch.BatchEnd(nn.Progress{Batch: b, Logs: nn.Logs{"late_loss": sum / rows, "delay_loss": 10 * sum / rows}}); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.checkpoints) != checkpoints {
		t.Fatalf("%d checkpoints, want %d", len(r.checkpoints), checkpoints)
	}
	for i, want := range []float64{0.5, 2.5, 4.5, 6.5, (8*10 + 9*5) / 15.0} {
		c := r.checkpoints[i].training
		if math.Abs(c.entropy-want) > 1e-9 || math.Abs(c.mae-20*want) > 1e-9 {
			t.Errorf("checkpoint %d: %+v, want %v and %v", i, c, want, 20*want)
		}
	}
}

func TestRealFlights(t *testing.T) {
	path := filepath.Join("data", "flights-3m.parquet")
	if testing.Short() {
		t.Skip("takes some 15 s")
	}
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the file is not there: bash examples/flights/fetch.sh fetches it: %v", err)
	}
	r, err := run(context.Background(), []string{"-file", path, "-out", t.TempDir(), "-epochs", "1"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if r.trained != 2_550_000 || r.tested != 300_000 {
		t.Errorf("learned from %d flights, tested on %d", r.trained, r.tested)
	}
	if r.test.auc < 0.70 || r.test.mae > 17.4 || r.memory > 1<<30 {
		t.Errorf("%+v, %d bytes of memory", r.test, r.memory)
	}
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-epochs", "0"}, "-epochs 0"},
		{[]string{"-batch", "0"}, "-batch 0"},
		{[]string{"-generated", "-1"}, "-generated -1"},
		{[]string{"-generated", "999"}, "-generated 999: needs at least 1000"},
		{[]string{"-epochs", "x"}, "invalid value"},
		{[]string{"-nothing"}, "not defined"},
		{[]string{"report"}, `unexpected argument "report"`},
		{[]string{"-file", "nowhere", "-out", t.TempDir()}, "fetch.sh"},
	} {
		var stdout bytes.Buffer
		if _, err := run(context.Background(), c.args, &stdout); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want one with %q", c.args, err, c.want)
		}
		if stdout.Len() > 0 {
			t.Errorf("%q: an error went to standard output: %s", c.args, &stdout)
		}
	}
	var help bytes.Buffer
	if _, err := run(context.Background(), []string{"-h"}, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: error %v", err)
	}
	for _, name := range []string{"-file", "-generated", "-out", "-epochs", "-batch", "-seed"} {
		if !strings.Contains(help.String(), name) {
			t.Errorf("-h does not explain %s", name)
		}
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	args := []string{"-out", t.TempDir(), "-generated", "1000"}
	if _, err := run(ctx, args, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestSameSeedSameResult(t *testing.T) {
	var tests [2]string
	for i := range tests {
		r, err := run(context.Background(), []string{"-out", t.TempDir(), "-generated", "5000", "-epochs", "1"}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		tests[i] = fmt.Sprint(r.test)
	}
	if tests[0] != tests[1] {
		t.Errorf("%s, then %s", tests[0], tests[1])
	}
}
