package main

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func table(t *testing.T) []penguin {
	t.Helper()
	birds, err := readPenguins(strings.NewReader(penguinsCSV))
	if err != nil {
		t.Fatal(err)
	}
	return birds
}

func TestTheTableIsComplete(t *testing.T) {
	if rows := strings.Count(penguinsCSV, "\n") - 1; rows != 344 {
		t.Errorf("the table has %d birds, want 344", rows)
	}
	birds := table(t)
	if len(birds) != 333 {
		t.Errorf("%d complete birds, want 333", len(birds))
	}
	species, sex := make([]int, 3), make([]int, 2)
	for _, b := range birds {
		species[b.species]++
		sex[b.sex]++
		if b.billLength < 30 || b.billDepth < 10 || b.flipper < 150 || b.mass < 2000 || b.year < 2007 || b.year > 2009 {
			t.Errorf("row %d is no penguin: %+v", b.row, b)
		}
	}
	if want := []int{146, 68, 119}; !slices.Equal(species, want) {
		t.Errorf("birds by species: %v, want %v", species, want)
	}
	if want := []int{165, 168}; !slices.Equal(sex, want) {
		t.Errorf("birds by sex: %v, want %v", sex, want)
	}
	want := penguin{row: 1, billLength: 39.1, billDepth: 18.7, flipper: 181, mass: 3750, species: 0, island: 2, sex: 1, year: 2007}
	if birds[0] != want {
		t.Errorf("first bird: %+v, want %+v", birds[0], want)
	}
}

func TestReadPenguinsReportsWhatIsWrong(t *testing.T) {
	const header = "species,island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g,sex,year\n"
	for _, c := range []struct{ name, csv, want string }{
		{"empty", "", "empty"},
		{"ragged", header + "Adelie,Dream\n", "wrong number of fields"},
		{"no number", header + "Adelie,Dream,x,18.7,181,3750,male,2007\n", "row 1: column bill_length_mm"},
		{"no species", header + "Emperor,Dream,39.1,18.7,181,3750,male,2007\n", `"Emperor" is none of ["Adelie" "Chinstrap" "Gentoo"]`},
		{"no column", strings.Replace(header, "sex", "gender", 1) + "Adelie,Dream,39.1,18.7,181,3750,male,2007\n", `no column "sex"`},
	} {
		_, err := readPenguins(strings.NewReader(c.csv))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestClaraIsInNoSplit(t *testing.T) {
	clara, rest, err := setAside(table(t), claraRow)
	if err != nil {
		t.Fatal(err)
	}
	if got := clara.describe(); !strings.HasPrefix(got, "a female Chinstrap from Dream island, 2008") {
		t.Errorf("%s is %s", claraName, got)
	}
	if len(rest) != 332 || slices.Contains(rest, clara) {
		t.Errorf("%d birds are left, %s among them: %v", len(rest), claraName, slices.Contains(rest, clara))
	}
	if _, _, err := setAside(table(t), 4); err == nil {
		t.Error("row 4 has no measurements and was found")
	}
}

func TestSplit(t *testing.T) {
	birds := table(t)
	before := slices.Clone(birds)
	train, test := split(birds, 1)
	if !slices.Equal(birds, before) {
		t.Error("split shuffled its argument")
	}
	if len(train) != 266 || len(test) != 67 {
		t.Errorf("split %d : %d, want 266 : 67", len(train), len(test))
	}
	seen := map[int]bool{}
	for _, b := range slices.Concat(train, test) {
		seen[b.row] = true
	}
	if len(seen) != len(birds) {
		t.Errorf("the two parts hold %d different birds of %d", len(seen), len(birds))
	}
	again, _ := split(birds, 1)
	other, _ := split(birds, 2)
	if !slices.Equal(train, again) {
		t.Error("the same seed gave another split")
	}
	if slices.Equal(train, other) {
		t.Error("another seed gave the same split")
	}
}

func TestStandardsComeFromTheTrainingSplitAlone(t *testing.T) {
	train, test := split(table(t), 1)
	std := measure(train)
	mean := func(birds []penguin, s standard, get func(penguin) float64) (mean, sd float64) {
		var z []float64
		for _, b := range birds {
			z = append(z, float64(s.scale(get(b))))
		}
		return meanSD(z)
	}
	for name, c := range map[string]struct {
		s   standard
		get func(penguin) float64
	}{
		"bill length": {std.billLength, func(b penguin) float64 { return b.billLength }},
		"bill depth":  {std.billDepth, func(b penguin) float64 { return b.billDepth }},
		"flipper":     {std.flipper, func(b penguin) float64 { return b.flipper }},
		"mass":        {std.mass, func(b penguin) float64 { return b.mass }},
	} {
		m, sd := mean(train, c.s, c.get)
		if math.Abs(m) > 1e-6 || math.Abs(sd-1) > 1e-6 {
			t.Errorf("%s: training birds have mean %g and deviation %g, want 0 and 1", name, m, sd)
		}
		if m, _ := mean(test, c.s, c.get); math.Abs(m) < 1e-6 {
			t.Errorf("%s: test birds have mean %g: were they counted in?", name, m)
		}
		if v := c.get(test[0]); math.Abs(c.s.unscale(c.s.scale(v))-v) > 1e-3 {
			t.Errorf("%s: %g comes back as %g", name, v, c.s.unscale(c.s.scale(v)))
		}
	}
}

func TestMeasureOfEqualBirdsDoesNotDivideByZero(t *testing.T) {
	b := table(t)[0]
	if z := measure([]penguin{b, b}).mass.scale(b.mass); z != 0 {
		t.Errorf("scaled to %g, want 0", z)
	}
}

func TestMeanSD(t *testing.T) {
	for _, c := range []struct {
		values   []float64
		mean, sd float64
	}{
		{nil, 0, 0},
		{[]float64{3}, 3, 0},
		{[]float64{1, 3}, 2, math.Sqrt2},
		{[]float64{2, 4, 4, 4, 5, 5, 7, 9}, 5, math.Sqrt(32.0 / 7)},
	} {
		mean, sd := meanSD(c.values)
		if mean != c.mean || math.Abs(sd-c.sd) > 1e-12 {
			t.Errorf("%v: %g ± %g, want %g ± %g", c.values, mean, sd, c.mean, c.sd)
		}
	}
}
