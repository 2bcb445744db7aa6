package main

// The functions of kernels/math.go on registers: the same operations in the same order, a fused one for each mulAdd.

const (
	log2e = 1.44269504088896341
	ln2Hi = 0.693359375
	ln2Lo = -2.12194440e-4

	// Adding it to a number leaves the rounded number plus 127 in the low bits: the exponent field of that power of two.
	roundMagic = 3<<22 + 127

	expMin   = -88
	sqrtHalf = num(0x3f3504f3) // bits of sqrt(1/2)
)

// Each step is printed for all of several vectors: that is how one core works on all of them at a time.

// likes returns a temporary for each of xs.
func (k *kernel) likes(xs []reg) []reg {
	var list []reg
	for _, x := range xs {
		list = append(list, k.like(x))
	}
	return list
}

// freeAll ends the use of registers.
func (k *kernel) freeAll(lists ...[]reg) {
	for _, list := range lists {
		for _, r := range list {
			k.free(r)
		}
	}
}

// limit returns a shared register with the constant x.
func (k *kernel) limit(x float32) reg {
	r := k.uni("limit")
	k.set(r, f32(x))
	return r
}

// expLess1 replaces xs, within half of ln 2 around 0, by eˣ-1, and destroys ps.
func (k *kernel) expLess1(xs, ps []reg) {
	for _, p := range ps {
		k.set(p, f32(1.9875691500e-4))
	}
	for _, c := range []float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1} {
		for i, p := range ps {
			k.mulAdd(p, p, xs[i], f32(c))
		}
	}
	for i, p := range ps {
		k.mul(p, p, xs[i])
	}
	for i, p := range ps {
		k.mulAdd(xs[i], p, xs[i], xs[i])
	}
}

// exp returns the exponentials of xs, which are at most 88 and not below expMin, in other registers in place of theirs.
func (k *kernel) exp(xs ...reg) []reg {
	scale, p := k.likes(xs), k.likes(xs)
	for i, x := range xs {
		k.mulAdd(scale[i], x, f32(log2e), f32(roundMagic))
	}
	for i := range xs {
		k.sub(p[i], scale[i], f32(roundMagic))
	}
	for i, x := range xs {
		k.negMulAdd(x, p[i], f32(ln2Hi), x)
		k.shiftLeft(scale[i], scale[i], 23)
	}
	for i, x := range xs {
		k.negMulAdd(x, p[i], f32(ln2Lo), x)
	}
	k.expLess1(xs, p)
	for i, x := range xs {
		k.mulAdd(scale[i], x, scale[i], scale[i])
	}
	k.freeAll(xs, p)
	return scale
}

// sigmoidTail sets ts to sigmoid(-|x|); limit holds -expMin.
func (k *kernel) sigmoidTail(ts, xs []reg, limit reg) {
	scale, p := k.likes(xs), k.likes(xs)
	for i, t := range ts {
		k.and(t, xs[i], allBits)
		k.min(t, t, limit)
		k.set(scale[i], f32(roundMagic))
	}
	for i, t := range ts {
		k.negMulAdd(scale[i], t, f32(log2e), scale[i])
	}
	for i := range ts {
		k.sub(p[i], scale[i], f32(roundMagic))
	}
	for i, t := range ts {
		k.mulAdd(t, p[i], f32(ln2Hi), t)
		k.shiftLeft(scale[i], scale[i], 23)
	}
	for i, t := range ts {
		k.mulAdd(t, p[i], f32(ln2Lo), t)
	}
	k.expLess1(ts, p)
	inverse := k.likes(xs)
	for i, t := range ts {
		k.add(p[i], t, scale[i])
		k.add(t, p[i], f32(1)) // the sum
		k.sub(inverse[i], t, f32(1))
		k.sub(p[i], p[i], inverse[i]) // what it lost
		k.set(inverse[i], f32(1))
	}
	for i, t := range ts {
		k.div(inverse[i], inverse[i], t)
	}
	for i, t := range ts {
		k.mul(p[i], p[i], inverse[i])
		k.negMulAdd(inverse[i], inverse[i], p[i], inverse[i])
		k.mul(t, inverse[i], scale[i])
	}
	k.freeAll(scale, p, inverse)
}

// sigmoid replaces xs by 1/(1+e⁻ˣ); limit holds -expMin.
func (k *kernel) sigmoid(limit reg, xs ...reg) {
	ts := k.likes(xs)
	k.sigmoidTail(ts, xs, limit)
	for i, x := range xs {
		u := k.like(x)
		k.set(u, f32(1))
		k.sub(u, u, ts[i])
		k.pickNegative(x, x, ts[i], u)
		k.free(u)
	}
	k.freeAll(ts)
}

// tanhLimit is where the exponential for tanh may stop: it is 1 long before.
const tanhLimit = 40

// tanh replaces xs by their hyperbolic tangents; limit holds tanhLimit.
func (k *kernel) tanh(limit reg, xs ...reg) {
	ys := k.likes(xs)
	for i, y := range ys {
		k.and(y, xs[i], allBits)
		k.add(y, y, y)
		k.min(y, y, limit)
	}
	ys = k.exp(ys...)
	ts := k.likes(xs)
	for i, y := range ys {
		k.add(y, y, f32(1))
		k.set(ts[i], f32(2))
		k.div(y, ts[i], y)
	}
	for i, y := range ys {
		k.set(ts[i], f32(1))
		k.sub(y, ts[i], y)
		k.and(ts[i], xs[i], signBit)
		k.or(y, y, ts[i])
	}
	zs := k.likes(xs)
	for i, z := range zs {
		k.mul(z, xs[i], xs[i])
		k.set(ts[i], f32(-5.70498872745e-3))
	}
	for _, c := range []float32{2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1} {
		for i, z := range zs {
			k.mulAdd(ts[i], ts[i], z, f32(c))
		}
	}
	for i, z := range zs {
		k.mul(ts[i], ts[i], z)
		k.mulAdd(ts[i], ts[i], xs[i], xs[i])
		k.and(z, xs[i], allBits)
		small := k.test()
		k.compare(small, z, "<", f32(0.625))
		k.pick(xs[i], small, ts[i], ys[i])
		k.free(small)
	}
	k.freeAll(ys, ts, zs)
}

// log replaces x, which is positive, finite and normal, or NaN, by its logarithm.
func (k *kernel) log(x reg) {
	e, z, p := k.like(x), k.like(x), k.like(x)
	k.sub(p, x, x) // zero, or NaN to pass on
	k.subInt(x, x, sqrtHalf)
	k.shiftRight(e, x, 23)
	k.toFloat(e, e)
	k.add(e, e, p)
	k.and(x, x, num(0x7fffff))
	k.addInt(x, x, sqrtHalf)
	k.sub(x, x, f32(1)) // z
	k.set(p, f32(7.0376836292e-2))
	for _, c := range []float32{-1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
		-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1} {
		k.mulAdd(p, p, x, f32(c))
	}
	k.mul(z, x, x)
	k.mul(p, p, x)
	k.mul(p, p, z)
	k.mulAdd(p, e, f32(ln2Lo), p)
	k.negMulAdd(p, z, f32(0.5), p)
	k.add(x, x, p)
	k.mulAdd(x, e, f32(ln2Hi), x)
	k.free(e, z, p)
}
