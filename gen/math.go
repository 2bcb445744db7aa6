package main

import "math"

// The functions of kernels/math.go on registers: the same operations in the same order, a fused one for each mulAdd.

const (
	log2e = 1.44269504088896341
	ln2Hi = 0.693359375
	ln2Lo = -2.12194440e-4

	// Adding it to a number leaves the rounded number plus 127 in the low bits: the exponent field of that power of two.
	roundMagic = 3<<22 + 127

	expMin   = -88
	expMax   = 88
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

// atLeast and atMost limit xs; a NaN stays.
func (k *kernel) atLeast(low float32, xs []reg) {
	l := k.limit(low)
	for _, x := range xs {
		k.max(x, x, l)
	}
	k.free(l)
}

func (k *kernel) atMost(high float32, xs []reg) {
	l := k.limit(high)
	for _, x := range xs {
		k.min(x, x, l)
	}
	k.free(l)
}

// exp returns the exponentials of xs, which are at most expMax and not below expMin, in other registers in place of theirs.
func (k *kernel) exp(xs ...reg) []reg { return k.expOver(xs, nil) }

// expAll is exp for all xs: above expMax it is half of the exponential, twice.
func (k *kernel) expAll(xs ...reg) []reg {
	k.atLeast(expMin, xs)
	k.atMost(expMax+1, xs)
	halves := k.likes(xs) // one in the exponent's field
	for i, x := range xs {
		c := k.test()
		k.compare(c, x, ">", f32(expMax))
		k.set(halves[i], num(1<<23))
		k.keep(halves[i], halves[i], c)
		k.free(c)
	}
	ys := k.expOver(xs, halves)
	for i, y := range ys {
		k.addInt(halves[i], halves[i], f32(1)) // 1 or 2
		k.mul(y, y, halves[i])
	}
	k.freeAll(halves)
	return ys
}

// expOver is exp, divided by a power of two for each x if their exponents are given in the place of the field.
func (k *kernel) expOver(xs, exponents []reg) []reg {
	scale := k.expReduced(xs, exponents)
	for i, x := range xs {
		k.mulAdd(scale[i], x, scale[i], scale[i])
	}
	k.freeAll(xs)
	return scale
}

// expReduced replaces xs by eʳ-1 and returns the powers of two that eʳ is to be multiplied with, as expOver has them.
func (k *kernel) expReduced(xs, exponents []reg) []reg {
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
	for i, e := range exponents {
		k.subInt(scale[i], scale[i], e)
	}
	k.expLess1(xs, p)
	k.freeAll(p)
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

// logAll is log for all x.
func (k *kernel) logAll(x reg) reg {
	y, exponent, c := k.like(x), k.like(x), k.test()
	k.compare(c, x, "<", f32(0x1p-126)) // denormal
	k.mul(y, x, f32(1<<23))
	k.pick(y, c, y, x)
	k.set(exponent, f32(-23))
	k.keep(exponent, exponent, c)
	k.free(c)
	k.log(y, exponent)
	k.free(exponent)
	c = k.test()
	k.compare(c, x, ">", f32(math.MaxFloat32))
	k.pick(y, c, x, y)
	k.compare(c, x, "<", f32(math.SmallestNonzeroFloat32))
	k.pick(y, c, minusInf, y)
	k.compare(c, x, "<", num(0))
	k.pick(y, c, nan, y)
	k.free(x, c)
	return y
}

// log replaces x, which is positive, finite and normal, or NaN, by its logarithm; that of x times two to an exponent if
// there is one.
func (k *kernel) log(x reg, exponent ...reg) {
	e, z, p := k.like(x), k.like(x), k.like(x)
	k.sub(p, x, x) // zero, or NaN to pass on
	k.subInt(x, x, sqrtHalf)
	k.shiftRight(e, x, 23)
	k.toFloat(e, e)
	k.add(e, e, p)
	for _, more := range exponent {
		k.add(e, e, more)
	}
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

const (
	erfNearEnd = 0.921875
	invSqrt2   = 0.70710678118654752
	invSqrt2Pi = 0.39894228040143268
	normalEnd  = 40
)

// erfNear returns the error functions of xs within erfNearEnd around 0.
func (k *kernel) erfNear(xs []reg) []reg {
	ps, zs := k.likes(xs), k.likes(xs)
	for i, x := range xs {
		k.mul(zs[i], x, x)
		k.set(ps[i], f32(8.3700943e-05))
	}
	for _, c := range []float32{-8.1427098e-04, 5.2010338e-03, -2.6859399e-02, 1.1283696e-01, -3.7612635e-01, 1.2837917e-01} {
		for i, p := range ps {
			k.mulAdd(p, p, zs[i], f32(c))
		}
	}
	for i, x := range xs {
		k.mulAdd(ps[i], ps[i], x, x)
	}
	k.freeAll(zs)
	return ps
}

// erfcFar returns 1 - erf(x) of |xs| from erfNearEnd on.
func (k *kernel) erfcFar(xs []reg) []reg {
	as, ps := k.likes(xs), k.likes(xs)
	for i, x := range xs {
		k.and(as[i], x, allBits)
		k.set(ps[i], f32(-1.4616295e-05))
	}
	for _, c := range []float32{3.5107919e-04, -3.7367109e-03, 2.3921896e-02, -1.0638140e-01, -6.3508594e-01, -1.2865981e-01} {
		for i, p := range ps {
			k.mulAdd(p, p, as[i], f32(c))
		}
	}
	for i, a := range as {
		k.mulSub(a, ps[i], a, a)
	}
	k.freeAll(ps)
	k.atLeast(expMin, as)
	return k.exp(as...)
}

// near says which x erfNear is for.
func (k *kernel) near(x reg) cond {
	a, c := k.like(x), k.test()
	k.and(a, x, allBits)
	k.compare(c, a, "<", f32(erfNearEnd))
	k.free(a)
	return c
}

// erf replaces xs by their error functions.
func (k *kernel) erf(xs ...reg) []reg {
	far := k.erfcFar(xs)
	near := k.erfNear(xs)
	for i, x := range xs {
		t, c := k.like(x), k.near(x)
		k.sub(t, f32(1), far[i])
		k.and(x, x, signBit)
		k.or(t, t, x)
		k.pick(x, c, near[i], t)
		k.free(t, c)
	}
	k.freeAll(far, near)
	return xs
}

// normal replaces us = x/√2 by the normal distribution function of x.
func (k *kernel) normal(us []reg) {
	far := k.erfcFar(us)
	for i, u := range us {
		t := k.like(u)
		k.mul(far[i], far[i], f32(0.5))
		k.sub(t, f32(1), far[i])
		k.pickNegative(far[i], u, far[i], t)
		k.free(t)
	}
	near := k.erfNear(us)
	half := k.uni("0.5")
	k.set(half, f32(0.5))
	for i, u := range us {
		c := k.near(u)
		k.mulAdd(near[i], near[i], half, half)
		k.pick(u, c, near[i], far[i])
		k.free(c)
	}
	k.free(half)
	k.freeAll(far, near)
}

// overSqrt2 returns xs/√2.
func (k *kernel) overSqrt2(xs []reg) []reg {
	us := k.likes(xs)
	for i, x := range xs {
		k.mul(us[i], x, f32(invSqrt2))
	}
	return us
}

// gelu replaces xs by xs times the normal distribution function.
func (k *kernel) gelu(xs ...reg) []reg {
	k.atLeast(-normalEnd, xs)
	us := k.overSqrt2(xs)
	k.normal(us)
	for i, x := range xs {
		k.mul(x, x, us[i])
	}
	k.freeAll(us)
	return xs
}

// geluSlope replaces xs by the derivative of gelu.
func (k *kernel) geluSlope(xs ...reg) {
	k.atLeast(-normalEnd, xs)
	k.atMost(normalEnd, xs)
	us := k.overSqrt2(xs)
	k.normal(us)
	ds := k.likes(xs)
	for i, x := range xs {
		k.mul(ds[i], x, x)
		k.mul(ds[i], ds[i], f32(-0.5))
	}
	k.atLeast(expMin, ds)
	ds = k.exp(ds...)
	for i, x := range xs {
		k.mul(ds[i], ds[i], f32(invSqrt2Pi))
		k.mulAdd(x, ds[i], x, us[i])
	}
	k.freeAll(us, ds)
}
