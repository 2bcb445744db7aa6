package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"time"

	"github.com/parquet-go/parquet-go"
)

// The flights are those of the first half of 2001. Times are local.
var firstDay = time.Date(2001, time.January, 1, 0, 0, 0, 0, time.UTC)

const (
	days          = 182 // the last is 1 July, for flights that were delayed past midnight
	minutesPerDay = 24 * 60
	lateAfter     = 15 // minutes
)

// flights are columns, 12 bytes for each flight.
type flights struct {
	departure   []int32  // minutes since the first day began: when the flight left, not when it should have left
	delay       []int16  // of the arrival, in minutes; negative is early
	distance    []uint16 // miles
	origin      []uint16 // in airports
	destination []uint16 // in airports
	airports    []string
}

func (f *flights) rows() int { return len(f.departure) }

func (f *flights) late(row int32) bool { return f.delay[row] > lateAfter }

// readFlights reads the columns of a parquet file. A row that lacks a value or has one that cannot be is an error.
func readFlights(path string) (f *flights, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: bash examples/flights/fetch.sh fetches it, -generated 300000 does without", err)
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	defer func() { // damage leads parquet-go beyond the ends of its slices
		if p := recover(); p != nil {
			f, err = nil, fmt.Errorf("%s: is damaged: %v", path, p)
		}
	}()
	if f, err = parseFlights(file); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func parseFlights(file *os.File) (*flights, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	table, err := parquet.OpenFile(file, info.Size())
	if err != nil {
		return nil, err
	}
	f := &flights{}
	ids := map[string]uint16{}
	airport := func(column *[]uint16, name []byte) error {
		id, ok := ids[string(name)]
		if !ok {
			if len(f.airports) > math.MaxUint16 {
				return fmt.Errorf("row %d is another airport after %d", len(*column), len(f.airports))
			}
			id = uint16(len(f.airports))
			ids[string(name)] = id
			f.airports = append(f.airports, string(name))
		}
		*column = append(*column, id)
		return nil
	}
	for _, c := range []struct {
		name string
		kind parquet.Kind
		add  func(v parquet.Value) error
	}{
		{"date", parquet.Int64, func(v parquet.Value) error { // in microseconds
			minute := time.UnixMicro(v.Int64()).Sub(firstDay) / time.Minute
			return add(&f.departure, int64(minute), 0, days*minutesPerDay-1)
		}},
		{"delay", parquet.Int64, func(v parquet.Value) error { return add(&f.delay, v.Int64(), math.MinInt16, math.MaxInt16) }},
		{"distance", parquet.Int64, func(v parquet.Value) error { return add(&f.distance, v.Int64(), 0, math.MaxUint16) }},
		{"origin", parquet.ByteArray, func(v parquet.Value) error { return airport(&f.origin, v.ByteArray()) }},
		{"destination", parquet.ByteArray, func(v parquet.Value) error { return airport(&f.destination, v.ByteArray()) }},
	} {
		if err := readColumn(table, c.name, c.kind, c.add); err != nil {
			return nil, fmt.Errorf("column %q %w", c.name, err)
		}
	}
	if f.rows() < minRows {
		return nil, fmt.Errorf("has %d flights, needs at least %d", f.rows(), minRows)
	}
	return f, nil
}

// add appends v to a column of flights if it is from low to high.
func add[T int16 | uint16 | int32](column *[]T, v, low, high int64) error {
	if v < low || v > high {
		return fmt.Errorf("has %d in row %d, valid are %d to %d", v, len(*column), low, high)
	}
	*column = append(*column, T(v))
	return nil
}

// readColumn passes on every value of a column of the table.
func readColumn(table *parquet.File, name string, kind parquet.Kind, add func(parquet.Value) error) error {
	column := table.Root().Column(name)
	if column == nil || !column.Leaf() || column.Type().Kind() != kind {
		return fmt.Errorf("is not there as %s: the table is %s", kind, table.Schema())
	}
	pages := column.Pages()
	defer pages.Close()
	rows := int64(0)
	values := make([]parquet.Value, 1024)
	for {
		page, err := pages.ReadPage()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("cannot be read: %w", err)
		}
		reader := page.Values()
		for err == nil {
			var n int
			n, err = reader.ReadValues(values)
			for _, v := range values[:n] {
				if v.IsNull() {
					return fmt.Errorf("has no value in row %d", rows)
				}
				if err := add(v); err != nil {
					return err
				}
				rows++
			}
		}
		parquet.Release(page)
		if err != io.EOF {
			return fmt.Errorf("cannot be read: %w", err)
		}
	}
	if rows != table.NumRows() {
		return fmt.Errorf("has %d values, the table has %d rows", rows, table.NumRows())
	}
	return nil
}

// generate makes up flights of the same shape: airports and days that are worse than others, delays that grow through the
// day, and luck.
func generate(rows int, seed uint64) *flights {
	r := rand.New(rand.NewPCG(seed, 0))
	const airports = 60
	f := &flights{}
	var x, y, bad [airports]float64
	for i := range airports {
		f.airports = append(f.airports, fmt.Sprintf("A%02d", i))
		x[i], y[i], bad[i] = 2500*r.Float64(), 1200*r.Float64(), r.NormFloat64()
	}
	var weather [days]float64
	for i := range weather {
		weather[i] = r.NormFloat64()
	}
	for range rows {
		day, minute := r.IntN(days), 300+r.IntN(minutesPerDay-300)
		from := r.IntN(airports)
		to := (from + 1 + r.IntN(airports-1)) % airports
		risk := bad[from] + bad[to] + 1.5*weather[day] + 3*float64(minute)/minutesPerDay - 4
		delay := 10*r.NormFloat64() - 5
		if r.Float64() < 1/(1+math.Exp(-risk)) {
			delay += 15 + 40*r.ExpFloat64()
		}
		f.departure = append(f.departure, int32(day*minutesPerDay+minute))
		f.delay = append(f.delay, int16(delay))
		f.distance = append(f.distance, uint16(math.Hypot(x[from]-x[to], y[from]-y[to])))
		f.origin, f.destination = append(f.origin, uint16(from)), append(f.destination, uint16(to))
	}
	return f
}

const minRows = 1000 // for each part of a split to be worth its name

// split parts the rows at random: a tenth to test, a twentieth to validate, the rest to train.
func (f *flights) split(seed uint64) (train, validation, test []int32) {
	rows := make([]int32, f.rows())
	for i := range rows {
		rows[i] = int32(i)
	}
	shuffle(rows, seed, 0)
	tenth := len(rows) / 10
	return rows[tenth+tenth/2:], rows[tenth : tenth+tenth/2], rows[:tenth]
}

func shuffle(rows []int32, seed, stream uint64) {
	rand.New(rand.NewPCG(seed, stream)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
}
