package main

import (
	"strings"
	"testing"
)

func TestResultTells(t *testing.T) {
	r := result{experiments[0], []*trial{{scores: []float64{200, 1}}, {scores: []float64{220, 0.5}}}}
	if got, want := r.told(0), "210.0 ± 14.1 g"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	if got, want := r.told(1), "0.750 ± 0.354"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
	r.trials = r.trials[:1]
	if got, want := r.told(0), "200.0 g"; got != want {
		t.Errorf("one split told as %q, want %q", got, want)
	}
}

func TestConfusion(t *testing.T) {
	chinstrap, gentoo := penguin{species: 1}, penguin{species: 2}
	r := result{experiments[0], []*trial{
		{answers: [][]prediction{nil, {{bird: chinstrap, class: 0}, {bird: chinstrap, class: 1}}}},
		{answers: [][]prediction{nil, {{bird: gentoo, class: 2}}}},
	}}
	got, want := r.confusion(1), [][]int{{0, 0, 0}, {1, 1, 0}, {0, 0, 1}}
	for i := range want {
		for j := range want[i] {
			if got[i][j] != want[i][j] {
				t.Fatalf("counted %v, want %v", got, want)
			}
		}
	}
	c := newConfusion(r, 1)
	if cell := c.Rows[1].Cells[0]; cell.Count != 1 || cell.Percent != 50 {
		t.Errorf("half the Chinstraps were taken for Adelies, the report says %+v", cell)
	}
	if cell := c.Rows[0].Cells[0]; cell.Count != 0 || cell.Percent != 0 {
		t.Errorf("there was no Adelie, the report says %+v", cell)
	}
}

func TestGatherKnowsEveryScore(t *testing.T) {
	if _, err := gather([]result{{experiments[0], []*trial{{scores: []float64{1, 1}}}}}); err != nil {
		t.Error(err)
	}
	e := experiments[0]
	e.name = "another"
	if _, err := gather([]result{{e, nil}}); err == nil || !strings.Contains(err.Error(), "another") {
		t.Errorf("an unknown model gives the error %v", err)
	}
}
