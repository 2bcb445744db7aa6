package prep

import (
	"errors"
	"fmt"
	"math"
)

// Transforms of numbers compute in float64; the result is rounded to float32 at the end. In a cell of several values each is
// transformed in the same way, and all of them count for the fit.

var errNoValues = errors.New("there were no values to fit")

// each replaces the numbers of a cell.
func (c *Cell) each(f func(x float64) float64) error {
	for i, v := range c.Values {
		y := f(v.Float())
		if y-y != 0 {
			return fmt.Errorf("%v: the result is %v", v, y)
		}
		c.Values[i] = Value{kind: Number, bits: math.Float64bits(y)}
	}
	return nil
}
