package main

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// check ends the test with an error.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// post returns the status and the body of an answer.
func post(t *testing.T, path, body string) (int, string) {
	h, err := handler(path)
	check(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/", strings.NewReader(body)))
	return w.Code, strings.TrimSpace(w.Body.String())
}

// From the table to a model's file to answers, which are the same when the columns of the table are in another order.
func TestTables(t *testing.T) {
	table := filepath.Join("..", "penguins", "penguins.csv")
	text, err := os.ReadFile(table)
	check(t, err)
	var backwards []string
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), ",")
		slices.Reverse(fields)
		backwards = append(backwards, strings.Join(fields, ","))
	}
	dir := t.TempDir()
	other := filepath.Join(dir, "backwards.csv")
	check(t, os.WriteFile(other, []byte(strings.Join(backwards, "\n")), 0o644))
	a, b := filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "b.safetensors")
	check(t, train(table, a, io.Discard))
	check(t, train(other, b, io.Discard))

	const dream = `{"island": "Dream", "bill_length_mm": 46.5, "bill_depth_mm": "17.9", "flipper_length_mm": 192, "sex": null, "year": 2009}`
	const biscoe = `{"island": "Biscoe", "bill_length_mm": 50, "bill_depth_mm": 15.2, "flipper_length_mm": 218, "sex": "male", "year": 2007}`
	code, one := post(t, a, dream)
	_, again := post(t, b, dream)
	if code != 200 || one != again {
		t.Fatalf("status %d: %s, and with the columns in another order %s", code, one, again)
	}
	code, two := post(t, a, "["+dream+","+biscoe+"]")
	if code != 200 || !strings.HasPrefix(two, strings.TrimSuffix(one, "]")) {
		t.Fatalf("status %d: %s alone, %s with another", code, one, two)
	}
	var answers []struct {
		Species struct{ Class string }
		Grams   float64
	}
	check(t, json.Unmarshal([]byte(two), &answers))
	if answers[0].Species.Class != "Chinstrap" || answers[1].Species.Class != "Gentoo" || answers[1].Grams < 4700 || answers[1].Grams > 6300 {
		t.Errorf("%s", two)
	}

	for body, want := range map[string]string{
		`{"island": "Dream"}`:                      `column "sex" is missing`,
		strings.Replace(dream, "192", `"long"`, 1): `column "flipper_length_mm": "long": is not a number`,
		"[]":  "there are no records",
		"[1]": "must be a map[string]any",
		"{":   "unexpected end of JSON input",
	} {
		code, text := post(t, a, body)
		if code != 400 || !strings.Contains(text, want) {
			t.Errorf("%s: status %d: %s, must be 400: %s", body, code, text, want)
		}
	}
}
