package nn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// A Shape is the size of each axis of a sample or a weight. The batch axis is never part of it.
type Shape []int

// Elements returns how many values a sample of this shape has.
func (s Shape) Elements() int {
	size := 1
	for _, d := range s {
		size *= d
	}
	return size
}

// Last returns the size of the last axis, 0 if there is none.
func (s Shape) Last() int {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1]
}

// String prints the shape as Keras does: (8, 4).
func (s Shape) String() string {
	text := []byte("(")
	for i, d := range s {
		if i > 0 {
			text = append(text, ", "...)
		}
		text = strconv.AppendInt(text, int64(d), 10)
	}
	return string(append(text, ')'))
}

// UnmarshalJSON reads an array of as many numbers as a shape can have.
func (s *Shape) UnmarshalJSON(text []byte) error {
	if n := bytes.Count(text, []byte(",")) + 1; n > maxRank {
		return fmt.Errorf("a list has %d elements, at most %d are possible", n, maxRank)
	}
	return json.Unmarshal(text, (*[]int)(s))
}

const (
	maxElements = math.MaxInt32 // of one sample or one weight: keeps every product of sizes in range
	maxRank     = 32            // axes of a shape
)

// check reports a dimension below one, a size beyond maxElements and a rank that is not from 1 to maxRank.
func (s Shape) check() error {
	if len(s) == 0 {
		return errors.New("shape has no dimensions")
	}
	if len(s) > maxRank {
		return fmt.Errorf("shape has %d dimensions, at most %d are possible", len(s), maxRank)
	}
	size := 1
	for _, d := range s {
		if d < 1 {
			return fmt.Errorf("shape %s has a dimension below 1", s)
		}
		if d > maxElements/size {
			return fmt.Errorf("shape %s has more than %d elements", s, maxElements)
		}
		size *= d
	}
	return nil
}
