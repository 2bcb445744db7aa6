package prep

import (
	"fmt"
	"slices"
	"time"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/portable"
)

// Calendar makes numbers of a time: Parts are "year", "month" from 1, "day" from 1, "weekday" from 0 for Monday, "yearday" from 1,
// "hour", "minute", "second" and "unix", the seconds since 1970. With Cyclic true each part that comes around again becomes the
// sine and the cosine of its place on a circle, so that December is next to January. A time is a [time.Time], whose date and
// clock count in its own location, a text such as 2026-11-28, 2026-11-28 03:42:00 or RFC 3339, or seconds since 1970.
type Calendar struct {
	Parts  []string `json:"parts"`
	Cyclic bool     `json:"cyclic,omitempty"`

	parts []calendarPart
}

// A calendarPart is a part in use.
type calendarPart struct {
	number func(at *moment) int64
	first  int          // of a part that comes around again
	circle [][2]float64 // the sine and the cosine of each number from first on
}

// A moment is a time taken apart.
type moment struct {
	time.Time
	year, day, hour, minute, second int
	month                           time.Month
}

// calendarParts are the parts; those with a length come around again.
var calendarParts = []struct {
	name          string
	length, first int
	number        func(at *moment) int64
}{
	{"year", 0, 0, func(at *moment) int64 { return int64(at.year) }},
	{"month", 12, 1, func(at *moment) int64 { return int64(at.month) }},
	{"day", 31, 1, func(at *moment) int64 { return int64(at.day) }},
	{"weekday", 7, 0, func(at *moment) int64 { return (int64(at.Weekday()) + 6) % 7 }},
	{"yearday", 366, 1, func(at *moment) int64 { return int64(at.YearDay()) }},
	{"hour", 24, 0, func(at *moment) int64 { return int64(at.hour) }},
	{"minute", 60, 0, func(at *moment) int64 { return int64(at.minute) }},
	{"second", 60, 0, func(at *moment) int64 { return int64(at.second) }},
	{"unix", 0, 0, func(at *moment) int64 { return at.Unix() }},
}

// Reads implements [Transform].
func (*Calendar) Reads() Kind { return Time }

// Build implements [Transform].
func (t *Calendar) Build(width int) (Kind, int, error) {
	if width != 1 {
		return 0, 0, fmt.Errorf("reads one time, there are %s", widthOf(width))
	}
	var valid []string
	for _, known := range calendarParts {
		valid = append(valid, known.name)
	}
	if len(t.Parts) == 0 || len(t.Parts) > len(valid) {
		return 0, 0, fmt.Errorf("has %d parts, valid are %q", len(t.Parts), valid)
	}
	t.parts = nil
	n := 0
	for _, name := range t.Parts {
		i := slices.Index(valid, name)
		if i < 0 {
			return 0, 0, fmt.Errorf("unknown part %s: valid are %q", brief.Quote(name), valid)
		}
		known := calendarParts[i]
		part := calendarPart{number: known.number, first: known.first}
		n++
		if t.Cyclic && known.length > 0 {
			n++
			for k := range known.length {
				turn := float64(k) / float64(known.length)
				part.circle = append(part.circle, [2]float64{cosTurns(turn + 0.75), cosTurns(turn)})
			}
		}
		t.parts = append(t.parts, part)
	}
	return Number, n, nil
}

// Apply implements [Transform].
func (t *Calendar) Apply(c *Cell) error {
	at := &c.at
	at.Time = time.Unix(c.Values[0].Int(), 0).UTC()
	at.year, at.month, at.day = at.Date()
	at.hour, at.minute, at.second = at.Clock()
	c.Values = c.Values[:0]
	for i := range t.parts {
		part := &t.parts[i]
		x := part.number(at)
		if part.circle != nil {
			place := part.circle[int(x)-part.first]
			c.Values = append(c.Values, NumberOf(place[0]), NumberOf(place[1]))
			continue
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
