package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestProgram(t *testing.T) {
	dir := t.TempDir()
	out, file := filepath.Join(dir, "deep", "out"), filepath.Join(dir, "means.json")
	var stdout bytes.Buffer
	err := run(context.Background(), []string{"-out", out, "-json", file, "-splits", "2", "-epochs", "3"}, &stdout)
	if err != nil {
		t.Fatal(err)
	}

	text := stdout.String()
	for _, want := range []string{"multi_modal_multi_task", "species_accuracy", "±", claraName, "predicts the same", "report.html"} {
		if !strings.Contains(text, want) {
			t.Errorf("the output does not mention %q:\n%s", want, text)
		}
	}
	if strings.ContainsAny(text, "\x1b\r") {
		t.Errorf("control codes in output that is no terminal: %q", text)
	}

	for _, name := range []string{"multi_task", "multi_modal", "multi_modal_multi_task"} {
		if _, err := os.Stat(filepath.Join(out, name+".safetensors")); err != nil {
			t.Error(err)
		}
	}

	checkJSON(t, file)
	html, err := os.ReadFile(filepath.Join(out, "report.html"))
	if err != nil {
		t.Fatal(err)
	}
	checkReport(t, string(html))
}

func checkJSON(t *testing.T, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]map[string]float64
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"multi_task":             {"species_accuracy", "body_mass_mae"},
		"multi_modal":            {"sex_accuracy"},
		"multi_modal_multi_task": {"species_accuracy", "body_mass_mae"},
	}
	if len(got) != len(want) {
		t.Errorf("JSON has %d models, want %d: %s", len(got), len(want), b)
	}
	for model, scores := range want {
		if len(got[model]) != len(scores) {
			t.Errorf("JSON has %v for %s, want %v", got[model], model, scores)
		}
		for _, s := range scores {
			v, ok := got[model][s]
			switch {
			case !ok:
				t.Errorf("JSON lacks %s of %s: %s", s, model, b)
			case strings.HasSuffix(s, "accuracy") && (v <= 0 || v > 1):
				t.Errorf("%s of %s is %g", s, model, v)
			case strings.HasSuffix(s, "mae") && (v < 100 || v > 2000):
				t.Errorf("%s of %s is %g, which cannot be grams", s, model, v)
			}
		}
	}
}

// checkReport holds the report to its word: one file, nothing fetched, nothing run.
func checkReport(t *testing.T, html string) {
	t.Helper()
	outside := regexp.MustCompile(`(?i)https?:|//[a-z]|<script|<link|<iframe|<img|@import|@font-face|url\([^#]|\bsrc=|\bon[a-z]+=|href="[^#]`)
	for _, at := range outside.FindAllStringIndex(html, 5) {
		t.Errorf("the report refers to something outside: ...%s...", html[max(0, at[0]-40):min(len(html), at[1]+40)])
	}
	for _, want := range []string{"<!DOCTYPE html>", "± ", "Summary, layer by layer", "Chinstrap", claraName, "PLoS ONE"} {
		if !strings.Contains(html, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	// Three drawings, a curve for the loss and one for the metric of each of five heads, two scatter plots, a histogram.
	if n := strings.Count(html, "<svg"); n != 3+10+2+1 {
		t.Errorf("the report has %d pictures, want 16", n)
	}
	if n, m := strings.Count(html, "<svg"), strings.Count(html, "</svg>"); n != m {
		t.Errorf("%d pictures begin, %d end", n, m)
	}
	if n := strings.Count(html, `class="confusion"`); n != 3 {
		t.Errorf("the report has %d confusion matrices, want 3", n)
	}
	ids := map[string]bool{}
	for _, id := range regexp.MustCompile(`\bid="([^"]*)"`).FindAllStringSubmatch(html, -1) {
		if ids[id[1]] {
			t.Errorf("the report has the id %q twice", id[1])
		}
		ids[id[1]] = true
	}
	for _, ref := range regexp.MustCompile(`(?:url\(|href=")#([^")]*)`).FindAllStringSubmatch(html, -1) {
		if !ids[ref[1]] {
			t.Errorf("the report refers to the id %q, which is not there", ref[1])
		}
	}
}

func TestScoresAgreeWithPredictions(t *testing.T) {
	_, birds, err := setAside(table(t), claraRow)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range experiments {
		e.epochs = 2
		trial, err := e.run(context.Background(), birds, 7)
		if err != nil {
			t.Fatal(err)
		}
		for i, h := range e.heads {
			sum := 0.0
			for _, p := range trial.answers[i] {
				switch {
				case h.classes == nil:
					sum += math.Abs(p.grams - p.bird.mass)
				case p.class == h.truth(p.bird):
					sum++
				}
			}
			want := sum / float64(len(trial.test))
			if math.Abs(trial.scores[i]-want) > 1e-4*want {
				t.Errorf("%s: %s is %g, counted from the predictions %g", e.name, h.score(), trial.scores[i], want)
			}
			key := h.key(h.metric, len(e.heads))
			for _, k := range []string{key, "val_" + key} {
				if n := len(trial.history.Logs[k]); n != e.epochs {
					t.Errorf("%s: the history has %d epochs of %s, want %d", e.name, n, k, e.epochs)
				}
			}
		}
	}
}

func TestSameSeedSameResult(t *testing.T) {
	_, birds, err := setAside(table(t), claraRow)
	if err != nil {
		t.Fatal(err)
	}
	e := experiments[2]
	e.epochs = 2
	var scores [2][]float64
	for i := range scores {
		trial, err := e.run(context.Background(), birds, 3)
		if err != nil {
			t.Fatal(err)
		}
		scores[i] = trial.scores
	}
	for i := range scores[0] {
		if scores[0][i] != scores[1][i] {
			t.Errorf("%s is %g, then %g", e.heads[i].score(), scores[0][i], scores[1][i])
		}
	}
}

// No input may hold what an output has to find out.
func TestNoTargetLeaks(t *testing.T) {
	birds := table(t)
	std := measure(birds)
	for _, e := range experiments {
		before := e.data(birds[:1], std)
		for _, h := range e.heads {
			changed := birds[0]
			switch h.name {
			case "body_mass":
				changed.mass += 500
			case "species":
				changed.species = (changed.species + 1) % 3
			case "sex":
				changed.sex = 1 - changed.sex
			}
			after := e.data([]penguin{changed}, std)
			for name := range before.Inputs {
				if !sameArray(before.Inputs[name], after.Inputs[name]) {
					t.Errorf("%s: input %q changes with %s", e.name, name, h.name)
				}
			}
			if sameArray(before.Targets[h.name], after.Targets[h.name]) {
				t.Errorf("%s: target %q does not change with the bird", e.name, h.name)
			}
		}
	}
}

func sameArray(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return bytes.Equal(x, y)
}

func TestFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-splits", "0"}, "-splits 0"},
		{[]string{"-epochs", "-1"}, "-epochs -1"},
		{[]string{"-splits", "x"}, "invalid value"},
		{[]string{"-nothing"}, "not defined"},
		{[]string{"report"}, `unexpected argument "report"`},
	} {
		var stdout bytes.Buffer
		err := run(context.Background(), c.args, &stdout)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want one with %q", c.args, err, c.want)
		}
		if stdout.Len() > 0 {
			t.Errorf("%q: an error went to standard output: %s", c.args, &stdout)
		}
	}
	var help bytes.Buffer
	if err := run(context.Background(), []string{"-h"}, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: error %v", err)
	}
	for _, name := range []string{"-out", "-json", "-splits", "-epochs", "-seed", "-quiet", "-verbose"} {
		if !strings.Contains(help.String(), name) {
			t.Errorf("-h does not explain %s", name)
		}
	}
}

func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := run(ctx, []string{"-out", t.TempDir()}, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

func TestOutputFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(context.Background(), []string{"-out", file}, io.Discard); err == nil {
		t.Error("a file was taken for a folder")
	}
}
