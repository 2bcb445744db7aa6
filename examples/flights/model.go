package main

import (
	"iter"
	"math"
	"slices"

	"github.com/espalier-ml/espalier/nn"
)

// newModel has one branch for when a flight leaves and one for its way. They meet beside each other and, as the weather of
// a day meets an airport, in a product. The two ends of the way share the vectors of the airports.
//
//	clock (4) ───────────────────────────┬── when (20) ──┬── when_encoder (32) ──┐
//	day (1) ── day_vector (16) ──────────┘               │                       ├── meeting ──┐
//	airports (2) ── airport_vector (16) ─┬── way (34) ───┼── way_encoder (32) ───┘             │
//	distance (2) ────────────────────────┘               └─────────────────────────────────────┴── trunk_1, trunk_2 ── late, delay
func newModel(airports int, seed uint64) (*nn.Model, error) {
	clock, day := nn.Input("clock", 4), nn.Input("day", 1)
	ends, distance := nn.Input("airports", 2), nn.Input("distance", 2)

	when := nn.Concatenate(nn.Name("when")).On(clock,
		nn.Flatten().On(nn.Embedding(days, 16, nn.Name("day_vector")).On(day)))
	way := nn.Concatenate(nn.Name("way")).On(
		nn.Flatten().On(nn.Embedding(airports, 16, nn.Name("airport_vector")).On(ends)), distance)
	meeting := nn.Multiply(nn.Name("meeting")).On(
		nn.Dense(32, nn.Linear, nn.Name("when_encoder")).On(when),
		nn.Dense(32, nn.Linear, nn.Name("way_encoder")).On(way))

	trunk := nn.Dense(128, nn.ReLU, nn.Name("trunk_1")).On(nn.Concatenate().On(when, way, meeting))
	trunk = nn.Dense(64, nn.ReLU, nn.Name("trunk_2")).On(trunk)
	late := nn.Dense(1, nn.Sigmoid, nn.Name("late")).On(trunk)
	delay := nn.Dense(1, nn.Linear, nn.Name("delay")).On(trunk)

	m, err := nn.NewModel([]*nn.Node{clock, day, ends, distance}, []*nn.Node{late, delay}, nn.Name("flights"), nn.Seed(seed))
	if err != nil {
		return nil, err
	}
	return m, m.Compile(nn.Adam(2e-3), nn.Losses{"late": nn.BinaryCrossentropy(), "delay": nn.MAE()})
}

// An encoding is how a model reads and tells flights. It knows nothing but the flights that are learned from.
type encoding struct {
	indices  []int32 // of the airports' vectors, in the order of flights.airports; 0 is that of unknown airports
	vectors  int
	mean, sd float64 // of the delays, in minutes
	median   float64
}

const minFlights = 100 // that an airport needs to have a vector of its own

func (f *flights) encode(rows []int32) *encoding {
	e := &encoding{indices: make([]int32, len(f.airports)), vectors: 1}
	met := make([]int, len(f.airports))
	delays := make([]int16, len(rows))
	sum, squares := 0.0, 0.0
	for i, r := range rows {
		met[f.origin[r]]++
		met[f.destination[r]]++
		delays[i] = f.delay[r]
		d := float64(f.delay[r])
		sum, squares = sum+d, squares+d*d
	}
	for i, n := range met {
		if n >= minFlights {
			e.indices[i] = int32(e.vectors)
			e.vectors++
		}
	}
	n := float64(len(rows))
	e.mean = sum / n
	e.sd = math.Sqrt(max(squares/n-e.mean*e.mean, 1))
	slices.Sort(delays)
	e.median = float64(delays[len(delays)/2])
	return e
}

// minutes returns the delay that the model tells as z, in standard deviations from the mean.
func (e *encoding) minutes(z float32) float64 { return float64(z)*e.sd + e.mean }

// data returns what the model reads and what it should tell of some flights.
func (f *flights) data(rows []int32, e *encoding) nn.Data {
	n := len(rows)
	clock, day := make(nn.Floats, 0, 4*n), make(nn.Labels, n)
	ends, distance := make(nn.Labels, 0, 2*n), make(nn.Floats, 0, 2*n)
	late, delay := make(nn.Labels, n), make(nn.Floats, n)
	for i, r := range rows {
		minute := f.departure[r] % minutesPerDay
		sin, cos := math.Sincos(2 * math.Pi * float64(minute) / minutesPerDay)
		clock = append(clock, float32(sin), float32(cos), float32(2*sin*cos), float32(1-2*sin*sin)) // once and twice a day
		day[i] = f.departure[r] / minutesPerDay
		ends = append(ends, e.indices[f.origin[r]], e.indices[f.destination[r]])
		miles := float64(f.distance[r])
		distance = append(distance, float32(miles/1000), float32(math.Log1p(miles/100)))
		if f.late(r) {
			late[i] = 1
		}
		delay[i] = float32((float64(f.delay[r]) - e.mean) / e.sd)
	}
	return nn.Data{
		Inputs:  nn.Arrays{"clock": clock, "day": day, "airports": ends, "distance": distance},
		Targets: nn.Arrays{"late": late, "delay": delay},
	}
}

const chunk = 1 << 14 // flights that are in memory as data at a time

// stream passes over the rows in chunks, each time in a new order.
func (f *flights) stream(rows []int32, e *encoding, seed uint64) nn.Stream {
	pass := uint64(0)
	return func() iter.Seq2[nn.Data, error] {
		pass++
		shuffle(rows, seed, pass)
		return func(yield func(nn.Data, error) bool) {
			for some := range slices.Chunk(rows, chunk) {
				if !yield(f.data(some, e), nil) {
					return
				}
			}
		}
	}
}
