package chart

import (
	"strings"
	"testing"

	"gonum.org/v1/plot"
)

func TestSteps(t *testing.T) {
	labels := func(ticks []plot.Tick) string {
		var s []string
		for _, tick := range ticks {
			s = append(s, tick.Label)
		}
		return strings.Join(s, " ")
	}
	for _, c := range []struct {
		low, high float64
		want      string
	}{
		{0, 30, "0 10 20 30"},
		{0, 100, "0 20 40 60 80 100"},
		{2500, 6500, "3,000 4,000 5,000 6,000"},
		{0.29, 1.01, "0.4 0.6 0.8 1.0"},
		{0, 1.1, "0.00 0.25 0.50 0.75 1.00"},
		{1, 1, ""},
	} {
		if got := labels(steps{}.Ticks(c.low, c.high)); got != c.want {
			t.Errorf("from %g to %g: %q, want %q", c.low, c.high, got, c.want)
		}
	}
}

func TestInline(t *testing.T) {
	svg := `<?xml version="1.0"?>
<!-- made -->
<svg width="4" xmlns="http://www.w3.org/2000/svg"
	xmlns:xlink="http://www.w3.org/1999/xlink"><text style="font-family:Liberation Sans">4</text></svg>`
	want := `<svg role="img" aria-label="a &lt; b" width="4"><text style="font-family:inherit">4</text></svg>`
	if got := string(Inline([]byte(svg), "a < b")); got != want {
		t.Errorf("inlined as\n%s\nwant\n%s", got, want)
	}
}

func TestThousands(t *testing.T) {
	for v, want := range map[float64]string{0: "0", -0.4: "0", 42.4: "42", 999.6: "1,000", 4050.2: "4,050", -1234: "-1,234", -123: "-123", 3e6: "3,000,000", 123456: "123,456"} {
		if got := Thousands(v); got != want {
			t.Errorf("%g: %q, want %q", v, got, want)
		}
	}
}
