package prep

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"time"
	"unsafe"

	"github.com/espalier-ml/espalier/internal/brief"
)

// A Kind is what a [Value] holds, or what a [Transform] reads.
type Kind uint8

const (
	Missing Kind = iota // nothing: nil, NaN, an empty field
	Number              // a float64
	Integer             // an int64
	Text                // a string
	Time                // a point in time, as a clock on the wall shows it
	Any                 // of transforms: numbers, integers or texts, as they come
	Encoded             // of transforms: the row's numbers are written, nothing may follow
)

var kindNames = [...]string{"missing", "a number", "a whole number", "a text", "a time", "any value", "encoded"}

func (k Kind) String() string { return kindNames[min(k, Encoded)] }

// A Value is what a row has in one column. The zero Value is missing.
type Value struct {
	kind Kind
	bits uint64 // of a Number; an Integer; seconds since 1970 on the wall's clock, of a Time
	text string
}

// NumberOf returns the Value of a number; NaN is missing.
func NumberOf(x float64) Value {
	if x != x {
		return Value{}
	}
	return Value{kind: Number, bits: math.Float64bits(x)}
}

// IntegerOf returns the Value of a whole number.
func IntegerOf(x int64) Value { return Value{kind: Integer, bits: uint64(x)} }

// TextOf returns the Value of a text.
func TextOf(s string) Value { return Value{kind: Text, text: s} }

// TimeOf returns the Value of a time: the date and the clock that t shows in its own location, to the second. The zero time is
// missing.
func TimeOf(t time.Time) Value {
	if t.IsZero() {
		return Value{}
	}
	_, offset := t.Zone()
	return Value{kind: Time, bits: uint64(t.Unix() + int64(offset))}
}

// Kind returns what the value holds.
func (v Value) Kind() Kind { return v.kind }

// Float returns a Number, or the number that an Integer or a Time, in seconds since 1970, stands for.
func (v Value) Float() float64 {
	if v.kind == Number {
		return math.Float64frombits(v.bits)
	}
	return float64(int64(v.bits))
}

// Int returns an Integer, or the seconds since 1970 of a Time.
func (v Value) Int() int64 { return int64(v.bits) }

// Text returns a Text.
func (v Value) Text() string { return v.text }

// String returns the value as errors show it.
func (v Value) String() string {
	switch v.kind {
	case Missing:
		return "a missing value"
	case Text:
		return brief.Quote(v.text)
	case Time:
		return string(v.appendTime(nil))
	case Integer:
		return strconv.FormatInt(v.Int(), 10)
	}
	return strconv.FormatFloat(v.Float(), 'g', -1, 64)
}

// valueOf returns the Value of one that Go programs, JSON and SQL have.
func valueOf(v any) (Value, error) {
	switch v := v.(type) {
	case nil:
		return Value{}, nil
	case string:
		return TextOf(v), nil
	case float64:
		return NumberOf(v), nil
	case int:
		return IntegerOf(int64(v)), nil
	case bool:
		return boolean(v), nil
	case float32:
		return NumberOf(float64(v)), nil
	case int64:
		return IntegerOf(v), nil
	case int32:
		return IntegerOf(int64(v)), nil
	case int16:
		return IntegerOf(int64(v)), nil
	case int8:
		return IntegerOf(int64(v)), nil
	case uint8:
		return IntegerOf(int64(v)), nil
	case uint16:
		return IntegerOf(int64(v)), nil
	case uint32:
		return IntegerOf(int64(v)), nil
	case uint64:
		return unsigned(v)
	case uint:
		return unsigned(uint64(v))
	case time.Time:
		return TimeOf(v), nil
	case json.Number:
		return jsonNumber(string(v)), nil
	case []byte: // as databases give texts
		if v == nil {
			return Value{}, nil
		}
		return TextOf(string(v)), nil
	case Value:
		return v, nil
	case *float64:
		return pointed(v, NumberOf)
	case *float32:
		return pointed(v, func(x float32) Value { return NumberOf(float64(x)) })
	case *int:
		return pointed(v, func(i int) Value { return IntegerOf(int64(i)) })
	case *int64:
		return pointed(v, IntegerOf)
	case *int32:
		return pointed(v, func(i int32) Value { return IntegerOf(int64(i)) })
	case *string:
		return pointed(v, TextOf)
	case *bool:
		return pointed(v, boolean)
	}
	switch r := reflect.ValueOf(v); r.Kind() { // types that a program has made of these, and pointers
	case reflect.String:
		return TextOf(r.String()), nil
	case reflect.Bool:
		return boolean(r.Bool()), nil
	case reflect.Float32, reflect.Float64:
		return NumberOf(r.Float()), nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return IntegerOf(r.Int()), nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return unsigned(r.Uint())
	case reflect.Pointer:
		if r.IsNil() {
			return Value{}, nil
		}
		if r.Elem().Kind() != reflect.Pointer {
			return valueOf(r.Elem().Interface())
		}
	}
	return Value{}, fmt.Errorf("is %T; valid are numbers, texts, booleans, times and nil, and lists of these in a column that is a List or a Vector", v)
}

// pointed returns the Value of what a pointer leads to; nil is missing.
func pointed[T any](p *T, of func(T) Value) (Value, error) {
	if p == nil {
		return Value{}, nil
	}
	return of(*p), nil
}

func boolean(b bool) Value {
	if b {
		return IntegerOf(1)
	}
	return IntegerOf(0)
}

func unsigned(u uint64) (Value, error) {
	if u > math.MaxInt64 {
		return Value{}, fmt.Errorf("is %d, at most %d is possible", u, int64(math.MaxInt64))
	}
	return IntegerOf(int64(u)), nil
}

// jsonNumber is an integer where it is written as one and fits.
func jsonNumber(s string) Value {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return IntegerOf(i)
	}
	if x, err := strconv.ParseFloat(s, 64); err == nil {
		return NumberOf(x)
	}
	return TextOf(s)
}

// appendValues appends the values of a list, or the one value of anything else.
func appendValues(values []Value, v any) ([]Value, error) {
	switch v := v.(type) {
	case []string:
		for _, s := range v {
			values = append(values, TextOf(s))
		}
	case []float32:
		for _, x := range v {
			values = append(values, NumberOf(float64(x)))
		}
	case []float64:
		for _, x := range v {
			values = append(values, NumberOf(x))
		}
	case []int:
		for _, i := range v {
			values = append(values, IntegerOf(int64(i)))
		}
	case []int64:
		for _, i := range v {
			values = append(values, IntegerOf(i))
		}
	case []any:
		for _, x := range v {
			one, err := valueOf(x)
			if err != nil {
				return values, err
			}
			values = append(values, one)
		}
	default:
		one, err := valueOf(v)
		if err != nil {
			return values, err
		}
		values = append(values, one)
	}
	return values, nil
}

// layouts are those of times in texts, as their first characters and their length tell.
var layouts = []string{time.DateOnly, time.DateTime, "2006-01-02T15:04:05", time.RFC3339, "2006-01-02 15:04", "2006/01/02", "02.01.2006"}

// parseTime allocates nothing for a text that is a time: only a layout of the right form is tried.
func parseTime(s string) (time.Time, error) {
	form := time.RFC3339
	for _, layout := range layouts {
		if len(layout) == len(s) && layout[2] == '.' == (s[2] == '.') && layout[4] == '/' == (s[4] == '/') && (len(s) < 11 || layout[10] == s[10]) {
			form = layout
			break
		}
	}
	return time.Parse(form, s)
}

var errNotFinite = errors.New("is not finite")

// convert makes v what a transform reads. A text that a number makes lies in the cell's own memory.
func (c *Cell) convert(v Value, reads Kind) (Value, error) {
	if v.kind == Missing || v.kind == reads && v.kind != Number {
		return v, nil
	}
	switch reads {
	case Number:
		switch v.kind {
		case Text:
			if v.text == "" {
				return Value{}, nil
			}
			x, err := strconv.ParseFloat(v.text, 64)
			if err != nil {
				return v, errors.New("is not a number")
			}
			v = NumberOf(x)
		case Integer, Time:
			v = NumberOf(v.Float())
		}
		if x := v.Float(); math.IsInf(x, 0) {
			return v, errNotFinite
		}
		return v, nil
	case Integer:
		switch v.kind {
		case Text:
			if v.text == "" {
				return Value{}, nil
			}
			i, err := strconv.ParseInt(v.text, 10, 64)
			if err != nil {
				return v, errors.New("is not a whole number")
			}
			return IntegerOf(i), nil
		case Number:
			x := v.Float()
			if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
				return v, errors.New("is not a whole number that is exact")
			}
			return IntegerOf(int64(x)), nil
		}
	case Text:
		return c.toText(v), nil
	case Time:
		if v.kind == Text {
			if t, err := parseTime(v.text); err == nil {
				return TimeOf(t), nil
			}
			if v.text == "" {
				return Value{}, nil
			}
			return v, fmt.Errorf("is not a time; valid are such as %q", layouts)
		}
		x := v.Float()
		if !(math.Abs(x) <= 1<<53) {
			return v, errors.New("is not a number of seconds since 1970")
		}
		return Value{kind: Time, bits: uint64(int64(math.Floor(x)))}, nil
	case Any:
		if v.kind == Number {
			x := v.Float()
			if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
				return c.toText(v), nil
			}
			return IntegerOf(int64(x)), nil
		}
		if v.kind == Time {
			return c.toText(v), nil
		}
		return v, nil
	}
	return v, fmt.Errorf("is %s, must be %s", v.kind, reads)
}

// appendTime appends a Time as files write it: a midnight is a date.
func (v Value) appendTime(b []byte) []byte {
	layout := time.DateTime
	if v.Int()%(24*60*60) == 0 {
		layout = time.DateOnly
	}
	return time.Unix(v.Int(), 0).UTC().AppendFormat(b, layout)
}

// toText returns the text of a number as JSON and CSV write it, a whole one without a point, or of a time.
func (c *Cell) toText(v Value) Value {
	from := len(c.bytes)
	switch v.kind {
	case Number:
		x := v.Float()
		if x == math.Trunc(x) && math.Abs(x) <= 1<<53 {
			c.bytes = strconv.AppendInt(c.bytes, int64(x), 10)
		} else {
			c.bytes = strconv.AppendFloat(c.bytes, x, 'g', -1, 64)
		}
	case Integer:
		c.bytes = strconv.AppendInt(c.bytes, v.Int(), 10)
	case Time:
		c.bytes = v.appendTime(c.bytes)
	default:
		return v
	}
	return TextOf(unsafe.String(unsafe.SliceData(c.bytes[from:]), len(c.bytes)-from))
}
