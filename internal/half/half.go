// Package half reads numbers of 16 bits.
package half

import "math"

// Float32 returns the value of an IEEE 754 binary16: a sign, five bits of exponent, ten of fraction.
func Float32(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, int(h>>10&31), uint32(h&1023)
	var magnitude float32
	switch exponent {
	case 31: // infinite or not a number
		magnitude = math.Float32frombits(0xff<<23 | fraction<<13)
	case 0:
		magnitude = float32(math.Ldexp(float64(fraction), -24))
	default:
		magnitude = float32(math.Ldexp(float64(1024+fraction), exponent-25))
	}
	return math.Float32frombits(sign | math.Float32bits(magnitude))
}
