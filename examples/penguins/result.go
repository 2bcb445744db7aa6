package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/espalier-ml/espalier/examples/internal/chart"
)

// A result is everything an experiment's trials found out.
type result struct {
	experiment
	trials []*trial
}

// mean is the head's score, averaged over the splits, and its standard deviation.
func (r result) mean(head int) (mean, sd float64) {
	scores := make([]float64, len(r.trials))
	for i, t := range r.trials {
		scores[i] = t.scores[head]
	}
	return meanSD(scores)
}

// told is the mean and standard deviation as text: 231.4 ± 9.8 g.
func (r result) told(head int) string {
	mean, sd := r.mean(head)
	m, s := r.heads[head].format(mean), r.heads[head].format(sd)
	number, unit, _ := strings.Cut(m, " ")
	spread, _, _ := strings.Cut(s, " ")
	if len(r.trials) < 2 {
		return m
	}
	return strings.TrimSpace(number + " ± " + spread + " " + unit)
}

// answers gathers the head's answers from all splits.
func (r result) answers(head int) []prediction {
	var all []prediction
	for _, t := range r.trials {
		all = append(all, t.answers[head]...)
	}
	return all
}

// confusion counts the head's answers: confusion[true class][predicted class].
func (r result) confusion(head int) [][]int {
	h := r.heads[head]
	counts := make([][]int, len(h.classes))
	for i := range counts {
		counts[i] = make([]int, len(h.classes))
	}
	for _, p := range r.answers(head) {
		counts[h.truth(p.bird)][p.class]++
	}
	return counts
}

// means is what -json writes, and nothing else.
type means struct {
	MultiTask struct {
		SpeciesAccuracy float64 `json:"species_accuracy"`
		BodyMassMAE     float64 `json:"body_mass_mae"` // g
	} `json:"multi_task"`
	MultiModal struct {
		SexAccuracy float64 `json:"sex_accuracy"`
	} `json:"multi_modal"`
	MultiModalMultiTask struct {
		SpeciesAccuracy float64 `json:"species_accuracy"`
		BodyMassMAE     float64 `json:"body_mass_mae"` // g
	} `json:"multi_modal_multi_task"`
}

func gather(results []result) (means, error) {
	var m means
	place := map[string]*float64{
		"multi_task/species_accuracy":             &m.MultiTask.SpeciesAccuracy,
		"multi_task/body_mass_mae":                &m.MultiTask.BodyMassMAE,
		"multi_modal/sex_accuracy":                &m.MultiModal.SexAccuracy,
		"multi_modal_multi_task/species_accuracy": &m.MultiModalMultiTask.SpeciesAccuracy,
		"multi_modal_multi_task/body_mass_mae":    &m.MultiModalMultiTask.BodyMassMAE,
	}
	for _, r := range results {
		for i, h := range r.heads {
			p, ok := place[r.name+"/"+h.score()]
			if !ok {
				return means{}, fmt.Errorf("the JSON file has no place for %s of %s", h.score(), r.name)
			}
			*p, _ = r.mean(i)
		}
	}
	return m, nil
}

func writeJSON(path string, results []result) error {
	m, err := gather(results)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetIndent("", "  ")
	if err := enc.Encode(m); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o644)
}

// printResults prints the means of all experiments in one table.
func printResults(w io.Writer, results []result, took time.Duration) {
	epochs := 0
	for _, r := range results {
		epochs += len(r.trials) * r.epochs
	}
	splits := len(results[0].trials)
	spread := ""
	if splits > 1 {
		spread = ", mean ± standard deviation"
	}
	fmt.Fprintf(w, "\nTest results on %s%s (%s in %.1f s):\n\n",
		count(splits, "split"), spread, count(epochs, "epoch"), took.Seconds())
	for _, r := range results {
		for i, h := range r.heads {
			fmt.Fprintf(w, "  %-24s %-18s %16s\n", r.name, h.score(), r.told(i))
		}
	}
}

// count says 1 split, 10 splits.
func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.Itoa(n) + " " + what
}

// A meeting is what the models said about one bird.
type meeting struct {
	bird    penguin
	models  []string
	answers []map[string]string // by model: what it said, by head
}

func (m *meeting) add(r result, answers []prediction) {
	said := map[string]string{}
	for i, h := range r.heads {
		said[h.name] = h.say(answers[i])
	}
	m.models = append(m.models, r.name)
	m.answers = append(m.answers, said)
}

// say puts an answer into words: "3,712 g" or "Chinstrap (99 %)".
func (h head) say(p prediction) string {
	if h.classes == nil {
		return chart.Thousands(p.grams) + " g"
	}
	return fmt.Sprintf("%s (%.0f %%)", h.classes[p.class], 100*p.prob)
}

// rows is one row per question: the question, the truth, and the models' answers, "-" where a model has none.
func (m *meeting) rows() [][]string {
	var rows [][]string
	for _, h := range []head{massHead, speciesHead, sexHead} {
		truth := chart.Thousands(m.bird.mass) + " g"
		if h.classes != nil {
			truth = h.classes[h.truth(m.bird)]
		}
		row := []string{h.title, truth}
		for _, said := range m.answers {
			row = append(row, cmp.Or(said[h.name], "-"))
		}
		rows = append(rows, row)
	}
	return rows
}

func (m *meeting) print(w io.Writer) {
	fmt.Fprintf(w, "\nNo model has met %s, %s:\n\n", claraName, m.bird.describe())
	for _, row := range append([][]string{append([]string{"", "truth"}, m.models...)}, m.rows()...) {
		fmt.Fprintf(w, "  %-10s %-10s", row[0], row[1])
		for _, cell := range row[2:] {
			fmt.Fprintf(w, "  %-18s", cell)
		}
		fmt.Fprintln(w)
	}
}
