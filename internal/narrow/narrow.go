// Package narrow makes float32 of the numbers in files. It never returns another number than the file has, but for rounding.
package narrow

import (
	"fmt"
	"math"
	"math/bits"
)

// Float returns the float32 nearest to x. A finite number beyond the range of float32 is an error.
func Float(x float64) (float32, error) {
	if math.Abs(x) > math.MaxFloat32 && !math.IsInf(x, 0) {
		return 0, fmt.Errorf("%v is beyond the range of float32", x)
	}
	return float32(x), nil
}

// Int returns an integer. One that float32 does not have, such as 2^24+1, is an error.
func Int[T int64 | uint64](n T) (float32, error) {
	if d := uint64(n); d != 0 {
		if n < 0 {
			d = -d
		}
		if bits.Len64(d)-bits.TrailingZeros64(d) > 24 {
			return 0, fmt.Errorf("float32 does not have the integer %d", n)
		}
	}
	return float32(n), nil
}
