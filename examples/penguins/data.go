package main

import (
	_ "embed"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/espalier-ml/espalier/examples/internal/chart"
)

// The Palmer penguins (CC0), exactly as published; README.md beside the file has the citations.
//
//go:embed penguins.csv
var penguinsCSV string

// What the class labels count through: label 2 of species is speciesNames[2].
var (
	speciesNames = []string{"Adelie", "Chinstrap", "Gentoo"}
	islandNames  = []string{"Biscoe", "Dream", "Torgersen"}
	sexNames     = []string{"female", "male"}
)

// penguin is one bird with nothing missing.
type penguin struct {
	row        int // its row in the table, the first bird is 1
	billLength float64
	billDepth  float64
	flipper    float64 // all three in mm
	mass       float64 // g
	species    int     // index into speciesNames
	island     int     // index into islandNames
	sex        int     // index into sexNames
	year       int
}

// readPenguins parses the table and leaves out the birds for which a measurement or the sex is missing ("NA").
func readPenguins(r io.Reader) ([]penguin, error) {
	table, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("penguin table: %w", err)
	}
	if len(table) == 0 {
		return nil, errors.New("penguin table: it is empty")
	}
	header := table[0]

	var birds []penguin
	for i, record := range table[1:] {
		if slices.Contains(record, "NA") {
			continue
		}
		var errs []error
		field := func(name string) string {
			j := slices.Index(header, name)
			if j < 0 {
				errs = append(errs, fmt.Errorf("no column %q among %q", name, header))
				return ""
			}
			return record[j]
		}
		number := func(name string) float64 {
			v, err := strconv.ParseFloat(field(name), 64)
			if err != nil {
				errs = append(errs, fmt.Errorf("column %s: %w", name, err))
			}
			return v
		}
		class := func(name string, classes []string) int {
			v := slices.Index(classes, field(name))
			if v < 0 {
				errs = append(errs, fmt.Errorf("column %s: %q is none of %q", name, field(name), classes))
			}
			return v
		}
		birds = append(birds, penguin{
			row:        i + 1,
			billLength: number("bill_length_mm"),
			billDepth:  number("bill_depth_mm"),
			flipper:    number("flipper_length_mm"),
			mass:       number("body_mass_g"),
			species:    class("species", speciesNames),
			island:     class("island", islandNames),
			sex:        class("sex", sexNames),
			year:       int(number("year")),
		})
		if len(errs) > 0 {
			return nil, fmt.Errorf("penguin table, row %d: %w", i+1, errors.Join(errs...))
		}
	}
	return birds, nil
}

// setAside takes one bird out of the flock, so that no split can contain it.
func setAside(birds []penguin, row int) (bird penguin, rest []penguin, err error) {
	i := slices.IndexFunc(birds, func(b penguin) bool { return b.row == row })
	if i < 0 {
		return penguin{}, nil, fmt.Errorf("penguin table: row %d is not a complete bird", row)
	}
	return birds[i], slices.Delete(slices.Clone(birds), i, i+1), nil
}

// split shuffles the birds and cuts four fifths off for training. The same seed gives the same cut.
func split(birds []penguin, seed uint64) (train, test []penguin) {
	shuffled := slices.Clone(birds)
	rand.New(rand.NewPCG(seed, 0)).Shuffle(len(shuffled), func(i, j int) {
		shuffled[i], shuffled[j] = shuffled[j], shuffled[i]
	})
	cut := int(math.Round(0.8 * float64(len(shuffled))))
	return shuffled[:cut], shuffled[cut:]
}

// standard turns a measurement into standard deviations from its mean, and back.
type standard struct{ mean, sd float64 }

func (s standard) scale(v float64) float32   { return float32((v - s.mean) / s.sd) }
func (s standard) unscale(z float32) float64 { return float64(z)*s.sd + s.mean }

// standards holds the four measured columns' means and standard deviations.
type standards struct{ billLength, billDepth, flipper, mass standard }

// measure takes the standards of a training split. Test birds are scaled with them too, but never counted in.
func measure(train []penguin) standards {
	column := func(get func(penguin) float64) standard {
		values := make([]float64, len(train))
		for i, b := range train {
			values[i] = get(b)
		}
		mean, sd := meanSD(values)
		if sd == 0 {
			sd = 1
		}
		return standard{mean, sd}
	}
	return standards{
		billLength: column(func(b penguin) float64 { return b.billLength }),
		billDepth:  column(func(b penguin) float64 { return b.billDepth }),
		flipper:    column(func(b penguin) float64 { return b.flipper }),
		mass:       column(func(b penguin) float64 { return b.mass }),
	}
}

// oneHot is a row of zeros with a one at the class.
func oneHot(class int, classes []string) []float32 {
	row := make([]float32, len(classes))
	row[class] = 1
	return row
}

// meanSD is the mean and the sample standard deviation, which is 0 for fewer than two values.
func meanSD(values []float64) (mean, sd float64) {
	if len(values) == 0 {
		return 0, 0
	}
	for _, v := range values {
		mean += v
	}
	mean /= float64(len(values))
	if len(values) < 2 {
		return mean, 0
	}
	for _, v := range values {
		sd += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(sd / float64(len(values)-1))
}

// describe says in words what a person in the field would see.
func (b penguin) describe() string {
	return fmt.Sprintf("a %s %s from %s island, %d: bill %g x %g mm, flipper %g mm, %s g",
		sexNames[b.sex], speciesNames[b.species], islandNames[b.island], b.year,
		b.billLength, b.billDepth, b.flipper, chart.Thousands(b.mass))
}
