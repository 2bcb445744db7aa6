package main

import "math"

// The kernels of kernels.Unary. A few have parameters and serve several kinds: pieces all that consist of lines and
// parabolas, gate what a sigmoid scales.

// unary describes y = f(x) over n elements; f may destroy x and returns where the result is. It reads parameters as it
// needs them, because there are few registers.
func unary(name, params, loop string, f func(k *kernel, x reg) reg) description {
	return description{name, "n int, y *float32, x *float32" + params, loop, func(k *kernel) {
		k.columns("n")
		p := k.args("y", "x")
		k.every(func(either func(do func(at func(word) mem))) {
			x := k.vec("")
			either(func(at func(word) mem) { k.load(x, at(p[1])) })
			y := f(k, x)
			either(func(at func(word) mem) { k.store(at(p[0]), y) })
			k.free(y)
		})
	}}
}

// unaryGrad describes dx = dy·f'(x); slope replaces x by f'(x).
func unaryGrad(name, params, loop string, slope func(k *kernel, x reg)) description {
	loop = "g = dy[j] * " + loop + "; dx[j] = g, or dx[j] += g if add is not 0"
	return description{name, "n int, dx *float32, dy *float32, x *float32" + params + ", add int", loop, func(k *kernel) {
		k.columns("n")
		p, add := k.args("dx", "dy", "x"), k.arg("add")
		k.every(func(either func(do func(at func(word) mem))) {
			x := k.vec("")
			either(func(at func(word) mem) { k.load(x, at(p[2])) })
			slope(k, x)
			g := k.vec("")
			either(func(at func(word) mem) { k.load(g, at(p[1])) })
			k.mul(g, g, x)
			k.unless(add, func() {
				either(func(at func(word) mem) { k.load(x, at(p[0])) })
				k.add(g, g, x)
			})
			either(func(at func(word) mem) { k.store(at(p[0]), g) })
			k.free(x, g)
		})
	}}
}

func unaries() []description {
	return []description{
		function("gelu", 7, (*kernel).gelu),
		unaryGrad("geluGrad", "", "the derivative of gelu(x[j])", func(k *kernel, x reg) { k.geluSlope(x) }),
		unary("gate", ", a, b float32", "v = max(x[j], -88); w = min(v, 88); y[j] = v * sigmoid(w * fma(b, w*w, a))", (*kernel).gate),
		unaryGrad("gateGrad", ", a, b, da, db float32",
			"fma(s*(1-s)*v, fma(db, v*v, da), s), v = min(max(x[j], -88), 88), s = sigmoid(v * fma(b, v*v, a))", (*kernel).gateSlope),
		unary("mish", "", "v = max(x[j], -88); s, u = sigmoid(v), sigmoid(-v); y[j] = v * (s*(1+u) / fma(u, u, 1))", (*kernel).mish),
		unaryGrad("mishGrad", "", "fma(v*s*r, r, s*(1+u)*i), v = min(max(x[j], -88), 88), s, u = sigmoid(v), sigmoid(-v), i = 1/fma(u, u, 1), r = 2*u*i",
			(*kernel).mishSlope),
		unary("softplus", ", sign float32", "y[j] = sign * log(1 + exp(sign*x[j]))", (*kernel).softplus),
		unary("elu", ", a, b, c float32", "y[j] = c*x[j] where x[j] > 0, else a * (exp(b*x[j]) - 1)", (*kernel).elu),
		eluGrad(),
		unary("softsign", "", "v = x[j] within the finite numbers; y[j] = v / (1+|v|)", (*kernel).softsign),
		unaryGrad("softsignGrad", "", "r*r, r = 1/(1+|x[j]|)", (*kernel).softsignSlope),
		unary("piecewise", ", p *pieces", "y[j] = p(x[j])", (*kernel).piecewise),
		unaryGrad("piecewiseGrad", ", p *pieces", "p(x[j])", func(k *kernel, x reg) { k.piecewise(x) }),
	}
}

// param returns a shared register with a parameter.
func (k *kernel) param(name string) reg { return k.shared(name)[0] }

// gateInput returns x·(a + b·x²).
func (k *kernel) gateInput(x reg) reg {
	w := k.like(x)
	k.mul(w, x, x)
	a, b := k.param("a"), k.param("b")
	k.mulAdd(w, w, b, a)
	k.mul(w, w, x)
	k.free(a, b)
	return w
}

func (k *kernel) gate(x reg) reg {
	k.atLeast(expMin, []reg{x})
	limit, v := k.limit(-expMin), k.vec("")
	k.min(v, x, limit)
	w := k.gateInput(v)
	k.free(v)
	k.sigmoid(limit, w)
	k.mul(x, x, w)
	k.free(limit, w)
	return x
}

// sigmoids replaces x by its sigmoid and returns that of -x.
func (k *kernel) sigmoids(x reg) reg {
	limit, t, u := k.limit(-expMin), k.vec(""), k.vec("")
	k.sigmoidTail([]reg{t}, []reg{x}, limit)
	k.set(u, f32(1))
	k.sub(u, u, t)
	s := k.vec("")
	k.pickNegative(s, x, t, u)
	k.pickNegative(u, x, u, t)
	k.set(x, s)
	k.free(limit, t, s)
	return u
}

func (k *kernel) gateSlope(x reg) {
	k.atLeast(expMin, []reg{x})
	k.atMost(-expMin, []reg{x})
	s := k.gateInput(x)
	u := k.sigmoids(s)
	k.mul(u, u, s)
	k.mul(u, u, x)
	k.mul(x, x, x)
	a, b := k.param("da"), k.param("db")
	k.mulAdd(x, x, b, a)
	k.mulAdd(x, u, x, s)
	k.free(a, b, s, u)
}

func (k *kernel) mish(x reg) reg {
	k.atLeast(expMin, []reg{x})
	s := k.vec("")
	k.set(s, x)
	u := k.sigmoids(s)
	t, one := k.vec(""), k.limit(1)
	k.add(t, u, one)
	k.mul(s, s, t)
	k.mulAdd(u, u, u, one)
	k.div(s, s, u)
	k.mul(x, x, s)
	k.free(s, u, t, one)
	return x
}

func (k *kernel) mishSlope(x reg) {
	k.atLeast(expMin, []reg{x})
	k.atMost(-expMin, []reg{x})
	s := k.vec("")
	k.set(s, x)
	u := k.sigmoids(s)
	i, r, one := k.vec(""), k.vec(""), k.limit(1)
	k.mulAdd(i, u, u, one)
	k.set(r, one)
	k.div(i, r, i)
	k.add(r, u, u)
	k.mul(r, r, i)
	k.mul(x, x, s)
	k.mul(x, x, r)
	k.add(u, u, one)
	k.mul(s, s, u)
	k.mul(s, s, i)
	k.mulAdd(x, x, r, s)
	k.free(s, u, i, r, one)
}

func (k *kernel) softplus(x reg) reg {
	sign, limit := k.param("sign"), k.limit(-expMin)
	k.mul(x, x, sign)
	t, u, lost := k.vec(""), k.vec(""), k.vec("")
	k.sigmoidTail([]reg{t}, []reg{x}, limit)
	k.set(limit, num(0))
	k.max(x, x, limit)
	k.free(limit)
	k.set(u, f32(1))
	k.sub(u, u, t)
	k.set(lost, f32(1))
	k.sub(lost, lost, u)
	k.sub(lost, lost, t)
	k.mulAdd(t, lost, t, lost)
	k.free(lost)
	k.log(u)
	k.add(u, u, t)
	k.sub(x, x, u)
	k.mul(x, x, sign)
	k.free(sign, t, u)
	return x
}

func (k *kernel) elu(x reg) reg {
	z, p := k.vec(""), k.param("b")
	k.mul(z, x, p)
	k.atLeast(expMin, []reg{z})
	k.atMost(0, []reg{z})
	scale := k.expReduced([]reg{z}, nil)[0]
	t := k.vec("")
	k.sub(t, scale, f32(1))
	k.mulAdd(z, z, scale, t)
	k.free(scale, t)
	k.shareArg(p, "a")
	k.mul(z, z, p)
	k.shareArg(p, "c")
	c := k.test()
	k.compare(c, x, ">", num(0))
	k.mul(x, x, p)
	k.pick(x, c, x, z)
	k.free(z, p, c)
	return x
}

// eluGrad reads y, too.
func eluGrad() description {
	return description{"eluGrad", "n int, dx *float32, dy *float32, x *float32, y *float32, ab, b, c float32, add int",
		"g = dy[j] * (c where x[j] > 0, else fma(b, y[j], ab)); dx[j] = g, or dx[j] += g if add is not 0", func(k *kernel) {
			k.columns("n")
			p, add := k.args("dx", "dy", "x", "y"), k.arg("add")
			s := k.shared("ab", "b", "c")
			k.each(1, func(_ int, at func(word, int) mem) {
				x, y := k.vec(""), k.vec("")
				k.load(x, at(p[2], 0))
				k.load(y, at(p[3], 0))
				k.mulAdd(y, y, s[1], s[0])
				c := k.test()
				k.compare(c, x, ">", num(0))
				k.pick(y, c, s[2], y)
				k.free(c)
				k.load(x, at(p[1], 0))
				k.mul(y, y, x)
				k.unless(add, func() {
					k.load(x, at(p[0], 0))
					k.add(y, y, x)
				})
				k.store(at(p[0], 0), y)
				k.free(x, y)
			})
		}}
}

func (k *kernel) softsign(x reg) reg {
	k.atLeast(-math.MaxFloat32, []reg{x})
	k.atMost(math.MaxFloat32, []reg{x})
	a := k.vec("")
	k.and(a, x, allBits)
	k.add(a, a, f32(1))
	k.div(x, x, a)
	k.free(a)
	return x
}

func (k *kernel) softsignSlope(x reg) {
	r := k.vec("")
	k.and(x, x, allBits)
	k.add(x, x, f32(1))
	k.set(r, f32(1))
	k.div(x, r, x)
	k.mul(x, x, x)
	k.free(r)
}

// The fields of kernels.pieces, in their order.
const (
	piecesLow = 4 * iota
	piecesHigh
	piecesBelow // a slope, an offset and a mask
	_
	_
	piecesAbove
	_
	_
	piecesC0
	piecesC1
	piecesC2
)

// piecewise returns p(x) in the place of x.
func (k *kernel) piecewise(x reg) reg {
	p, s, t := k.arg("p"), k.uni(""), k.uni("")
	q, l := k.vec(""), k.vec("")
	field := func(d reg, offset int) { k.share(d, mem{base: p, offset: offset}) }
	field(s, piecesC2)
	field(t, piecesC1)
	k.mulAdd(q, x, s, t)
	field(s, piecesC0)
	k.mulAdd(q, q, x, s)
	line := func(at int, op string, end int) {
		field(s, at+8)
		k.and(l, x, s)
		field(s, at)
		field(t, at+4)
		k.mulAdd(l, l, s, t)
		field(s, end)
		c := k.test()
		k.compare(c, x, op, s)
		k.pick(q, c, l, q)
		k.free(c)
	}
	line(piecesAbove, ">=", piecesHigh)
	line(piecesBelow, "<=", piecesLow)
	k.set(x, q)
	k.free(p, s, t, q, l)
	return x
}
