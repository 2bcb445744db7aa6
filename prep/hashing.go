package prep

import (
	"encoding/binary"
	"fmt"
	"math/bits"
)

// Hashing puts texts and whole numbers into NumBins bins, without a vocabulary, as Keras' layer of that name and with its bins: by
// the fingerprint FarmHash64, or, with a Salt of one or two numbers, by SipHash-2-4 with the salt as key. Whole numbers are
// hashed as their decimal digits. FNV takes 64-bit FNV-1a instead, which any program can compute in five lines.
type Hashing struct {
	NumBins    int        `json:"num_bins"`
	Mask       bool       `json:"mask,omitempty"`       // whether there is a MaskValue
	MaskValue  string     `json:"mask_value,omitempty"` // becomes 0, all others 1 to NumBins-1
	Salt       []uint64   `json:"salt,omitempty"`
	FNV        bool       `json:"fnv,omitempty"`
	OutputMode OutputMode `json:"output_mode,omitempty"` // Int, if "", OneHot, MultiHot or Count
}

// Reads implements [Transform].
func (*Hashing) Reads() Kind { return Any }

func checkBins(bins int) error {
	if bins < 1 || bins > maxVocabulary {
		return fmt.Errorf("num_bins is %d, valid are 1 to %d", bins, maxVocabulary)
	}
	return nil
}

func checkSalt(salt []uint64) error {
	if len(salt) > 2 {
		return fmt.Errorf("salt has %d numbers, must have 1 or 2", len(salt))
	}
	return nil
}

// Build implements [Transform].
func (t *Hashing) Build(width int) (Kind, int, error) {
	if err := checkBins(t.NumBins); err != nil {
		return 0, 0, err
	}
	if err := checkSalt(t.Salt); err != nil {
		return 0, 0, err
	}
	if t.FNV && len(t.Salt) > 0 {
		return 0, 0, fmt.Errorf("fnv has no salt")
	}
	return modeOf(t.OutputMode).build(width, t.NumBins, Int, OneHot, MultiHot, Count)
}

// Apply implements [Transform].
func (t *Hashing) Apply(c *Cell) error {
	bins, first := uint64(t.NumBins), int64(0)
	mask := t.Mask && bins > 1
	if mask {
		bins, first = bins-1, 1
	}
	for i, v := range c.Values {
		s := c.toText(v).text
		switch {
		case mask && s == t.MaskValue:
			c.Values[i] = IntegerOf(0)
		case t.FNV:
			c.Values[i] = IntegerOf(first + int64(fnv1a(s)%bins))
		default:
			c.Values[i] = IntegerOf(first + int64(hashString(s, t.Salt)%bins))
		}
	}
	modeOf(t.OutputMode).write(c, nil)
	return nil
}

// HashedCrossing puts the combination of several columns into NumBins bins, as Keras' layer of that name and with its bins. It is
// the first step of a [Cross].
type HashedCrossing struct {
	NumBins    int        `json:"num_bins"`
	OutputMode OutputMode `json:"output_mode,omitempty"` // Int, if "", or OneHot
}

// Reads implements [Transform].
func (*HashedCrossing) Reads() Kind { return Any }

// Build implements [Transform].
func (t *HashedCrossing) Build(width int) (Kind, int, error) {
	if err := checkBins(t.NumBins); err != nil {
		return 0, 0, err
	}
	if width < 2 {
		return 0, 0, fmt.Errorf("needs two values or more, there are %s: use Cross", widthOf(width))
	}
	return modeOf(t.OutputMode).build(1, t.NumBins, Int, OneHot)
}

// Apply implements [Transform].
func (t *HashedCrossing) Apply(c *Cell) error {
	h := uint64(0xDECAFCAFFE) // TensorFlow's
	for _, v := range c.Values {
		x := v.bits
		if v.kind == Text {
			x = farmHash64(v.text)
		}
		h = crossHash(h, x)
	}
	c.Values = append(c.Values[:0], IntegerOf(int64(h%uint64(t.NumBins))))
	modeOf(t.OutputMode).write(c, nil)
	return nil
}

// hashString is what TensorFlow's string_to_hash_bucket_fast, without salt, and _strong take the remainder of.
func hashString(s string, salt []uint64) uint64 {
	switch len(salt) {
	case 0:
		return farmHash64(s)
	case 1:
		return sipHash(salt[0], salt[0], s)
	}
	return sipHash(salt[0], salt[1], s)
}

func fnv1a(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// sipHash is SipHash-2-4 (Aumasson and Bernstein, 2012).
func sipHash(k0, k1 uint64, s string) uint64 {
	v0, v1, v2, v3 := k0^0x736f6d6570736575, k1^0x646f72616e646f6d, k0^0x6c7967656e657261, k1^0x7465646279746573
	round := func() {
		v0 += v1
		v1 = bits.RotateLeft64(v1, 13) ^ v0
		v0 = bits.RotateLeft64(v0, 32)
		v2 += v3
		v3 = bits.RotateLeft64(v3, 16) ^ v2
		v0 += v3
		v3 = bits.RotateLeft64(v3, 21) ^ v0
		v2 += v1
		v1 = bits.RotateLeft64(v1, 17) ^ v2
		v2 = bits.RotateLeft64(v2, 32)
	}
	n := uint64(len(s))
	for ; len(s) >= 8; s = s[8:] {
		m := fetch64(s, 0)
		v3 ^= m
		round()
		round()
		v0 ^= m
	}
	last := n << 56
	for i := range len(s) {
		last |= uint64(s[i]) << (8 * i)
	}
	v3 ^= last
	round()
	round()
	v0 ^= last
	v2 ^= 0xff
	for range 4 {
		round()
	}
	return v0 ^ v1 ^ v2 ^ v3
}

func fetch64(s string, i int) uint64 {
	var b [8]byte
	copy(b[:], s[i:i+8])
	return binary.LittleEndian.Uint64(b[:])
}

func fetch32(s string, i int) uint64 {
	return uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24
}

// The primes of FarmHash.
const (
	farm0 = 0xc3a5c85c97cb3127
	farm1 = 0xb492b66fbe98f273
	farm2 = 0x9ae16a3b2f90404f
)

func rotate(x uint64, n int) uint64 { return bits.RotateLeft64(x, -n) } // to the right

func farmMix(u, v, mul uint64) uint64 {
	a := (u ^ v) * mul
	a ^= a >> 47
	b := (v ^ a) * mul
	return (b ^ b>>47) * mul
}

// crossHash adds a value to the hash of a combination, as TensorFlow's FingerprintCat64.
func crossHash(h, x uint64) uint64 {
	const mul = 0xc6a4a7935bd1e995
	x *= mul
	h = (h ^ mul ^ (x^x>>47)*mul) * mul
	h = (h ^ h>>47) * mul
	return h ^ h>>47
}

// farmHash64 is Fingerprint64 of Google's FarmHash, which never changes.
func farmHash64(s string) uint64 {
	n := len(s)
	mul := farm2 + 2*uint64(n)
	switch {
	case n == 0:
		return farm2
	case n < 4:
		y := uint64(s[0]) + uint64(s[n>>1])<<8
		z := uint64(n) + uint64(s[n-1])<<2
		x := y*farm2 ^ z*farm0
		return (x ^ x>>47) * farm2
	case n < 8:
		return farmMix(uint64(n)+fetch32(s, 0)<<3, fetch32(s, n-4), mul)
	case n <= 16:
		a, b := fetch64(s, 0)+farm2, fetch64(s, n-8)
		return farmMix(rotate(b, 37)*mul+a, (rotate(a, 25)+b)*mul, mul)
	case n <= 32:
		a, b, c, d := fetch64(s, 0)*farm1, fetch64(s, 8), fetch64(s, n-8)*mul, fetch64(s, n-16)*farm2
		return farmMix(rotate(a+b, 43)+rotate(c, 30)+d, a+rotate(b+farm2, 18)+c, mul)
	case n <= 64:
		a, b, c, d := fetch64(s, 0)*farm2, fetch64(s, 8), fetch64(s, n-8)*mul, fetch64(s, n-16)*farm2
		y := rotate(a+b, 43) + rotate(c, 30) + d
		z := farmMix(y, a+rotate(b+farm2, 18)+c, mul)
		e, f := fetch64(s, 16)*mul, fetch64(s, 24)
		g, h := (y+fetch64(s, n-32))*mul, (z+fetch64(s, n-24))*mul
		return farmMix(rotate(e+f, 43)+rotate(g, 30)+h, e+rotate(f+a, 18)+g, mul)
	}
	const seed = 81
	x, y := uint64(seed), uint64(seed)
	y = y*farm1 + 113
	z := y*farm2 + 113
	z = (z ^ z>>47) * farm2
	var v, w [2]uint64
	x = x*farm2 + fetch64(s, 0)
	end := (n - 1) / 64 * 64
	for i := 0; i < end; i += 64 {
		x = rotate(x+y+v[0]+fetch64(s, i+8), 37) * farm1
		y = rotate(y+v[1]+fetch64(s, i+48), 42) * farm1
		x ^= w[1]
		y += v[0] + fetch64(s, i+40)
		z = rotate(z+w[0], 33) * farm1
		v = farmWeak(s, i, v[1]*farm1, x+w[0])
		w = farmWeak(s, i+32, z+w[1], y+fetch64(s, i+16))
		x, z = z, x
	}
	mul = farm1 + (z&0xff)<<1
	i := n - 64
	w[0] += uint64((n - 1) & 63)
	v[0] += w[0]
	w[0] += v[0]
	x = rotate(x+y+v[0]+fetch64(s, i+8), 37) * mul
	y = rotate(y+v[1]+fetch64(s, i+48), 42) * mul
	x ^= w[1] * 9
	y += v[0]*9 + fetch64(s, i+40)
	z = rotate(z+w[0], 33) * mul
	v = farmWeak(s, i, v[1]*mul, x+w[0])
	w = farmWeak(s, i+32, z+w[1], y+fetch64(s, i+16))
	x, z = z, x
	return farmMix(farmMix(v[0], w[0], mul)+(y^y>>47)*farm0+z, farmMix(v[1], w[1], mul)+x, mul)
}

func farmWeak(s string, i int, a, b uint64) [2]uint64 {
	w, x, y, z := fetch64(s, i), fetch64(s, i+8), fetch64(s, i+16), fetch64(s, i+24)
	a += w
	b = rotate(b+a+z, 21)
	c := a
	a += x + y
	b += rotate(a, 44)
	return [2]uint64{a + z, b + c}
}
