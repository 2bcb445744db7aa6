package prep

import (
	"fmt"
	"slices"
	"time"

	"github.com/espalier-ml/espalier/internal/portable"
)

// Calendar makes numbers of a time: Parts are "year", "month" from 1, "day" from 1, "weekday" from 0 for Monday, "yearday" from 1,
// "hour", "minute", "second" and "unix", the seconds since 1970. With Cyclic true each part that comes around again becomes the
// sine and the cosine of its place on a circle, so that December is next to January. A time is a [time.Time], whose date and
// clock count in its own location, a text such as 2026-11-28, 2026-11-28 03:42:00 or RFC 3339, or seconds since 1970.
type Calendar struct {
	Parts  []string `json:"parts"`
	Cyclic bool     `json:"cyclic,omitempty"`
}

// periods are the lengths of parts that come around again and their first number.
var periods = map[string]struct{ length, first float64 }{
	"month": {12, 1}, "day": {31, 1}, "weekday": {7, 0}, "yearday": {366, 1}, "hour": {24, 0}, "minute": {60, 0}, "second": {60, 0},
}

var calendarParts = []string{"year", "month", "day", "weekday", "yearday", "hour", "minute", "second", "unix"}

// Reads implements [Transform].
func (*Calendar) Reads() Kind { return Time }

// Build implements [Transform].
func (t *Calendar) Build(width int) (Kind, int, error) {
	if width != 1 {
		return 0, 0, fmt.Errorf("reads one time, there are %s", widthOf(width))
	}
	if len(t.Parts) == 0 || len(t.Parts) > len(calendarParts) {
		return 0, 0, fmt.Errorf("has %d parts, valid are %q", len(t.Parts), calendarParts)
	}
	n := 0
	for _, part := range t.Parts {
		if !slices.Contains(calendarParts, part) {
			return 0, 0, fmt.Errorf("unknown part %q: valid are %q", part, calendarParts)
		}
		n++
		if t.Cyclic {
			if _, ok := periods[part]; ok {
				n++
			}
		}
	}
	return Number, n, nil
}

// Apply implements [Transform].
func (t *Calendar) Apply(c *Cell) error {
	at := time.Unix(c.Values[0].Int(), 0).UTC()
	year, month, day := at.Date()
	hour, minute, second := at.Clock()
	c.Values = c.Values[:0]
	for _, part := range t.Parts {
		var x int
		switch part {
		case "year":
			x = year
		case "month":
			x = int(month)
		case "day":
			x = day
		case "weekday":
			x = (int(at.Weekday()) + 6) % 7
		case "yearday":
			x = at.YearDay()
		case "hour":
			x = hour
		case "minute":
			x = minute
		case "second":
			x = second
		case "unix":
			x = int(at.Unix())
		}
		if t.Cyclic {
			if p, ok := periods[part]; ok {
				turn := (float64(x) - p.first) / p.length
				c.Values = append(c.Values, NumberOf(cosTurns(turn+0.75)), NumberOf(cosTurns(turn)))
				continue
			}
		}
		c.Values = append(c.Values, NumberOf(float64(x)))
	}
	return nil
}

// cosTurns is the cosine of 2π·t for t from 0 to below 2.
func cosTurns(t float64) float64 {
	if t >= 1 {
		t--
	}
	return portable.CosPi(2 * min(t, 1-t))
}
