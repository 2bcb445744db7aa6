package main

// activations in the order of kernels.Activation.
var activations = []string{"linear", "relu", "sigmoid", "tanh"}

// activation replaces xs by act(xs); limit is what that needs.
func (k *kernel) activation(act string, limit reg, xs ...reg) {
	switch act {
	case "relu":
		for _, x := range xs {
			k.max(x, x, limit)
		}
	case "sigmoid":
		k.sigmoid(limit, xs...)
	case "tanh":
		k.tanh(limit, xs...)
	}
}

func activate(act string) description {
	call := map[string]string{"linear": "x[i,j] + bias[j]", "relu": "max(x[i,j]+bias[j], 0)"}[act]
	if call == "" {
		call = act + "(x[i,j] + bias[j])"
	}
	params := "rows, cols int, y *float32, yRow int, x *float32, xRow int, bias *float32"
	return description{act, params, "y[i,j] = " + call + "; bias may be nil", func(k *kernel) {
		k.columns("cols")
		rows, y, x, bias := k.arg("rows"), k.arg("y"), k.arg("x"), k.arg("bias")
		var limit reg
		unroll := 4
		switch act {
		case "relu":
			limit = k.limit(0)
		case "sigmoid":
			limit, unroll = k.limit(-expMin), k.fit(5)
		case "tanh":
			limit, unroll = k.limit(tanhLimit), k.fit(5)
		}
		k.rows(rows, func() {
			k.each(unroll, func(vectors int, at func(word, int) mem) {
				v := k.vectors(vectors)
				for i := range vectors {
					k.load(v[i], at(x, i))
				}
				k.unless(bias, func() {
					b := k.vec("")
					for i := range vectors {
						k.load(b, at(bias, i))
						k.add(v[i], v[i], b)
					}
					k.free(b)
				})
				k.activation(act, limit, v...)
				for i := range vectors {
					k.store(at(y, i), v[i])
				}
				k.freeAll(v)
			})
		}, step{y, "yRow"}, step{x, "xRow"})
	}}
}

// gradient replaces g by the gradient through act with output v, which it destroys.
func (k *kernel) gradient(act string, g, v, zero reg) {
	switch act {
	case "relu":
		c := k.test()
		k.compare(c, v, "!<=", zero)
		k.keep(g, g, c)
		k.free(c)
	case "sigmoid":
		t := k.vec("")
		k.set(t, f32(1))
		k.sub(t, t, v)
		k.mul(t, t, v)
		k.mul(g, g, t)
		k.free(t)
	case "tanh":
		t := k.vec("")
		k.set(t, f32(1))
		k.negMulAdd(t, v, v, t)
		k.mul(g, g, t)
		k.free(t)
	}
}

const gradParams = "rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int"

// slopes say what g becomes in the gradient of each activation.
var slopes = map[string]string{
	"linear":  "g = dy[i,j]",
	"relu":    "g = dy[i,j] where !(y[i,j] <= 0), else 0",
	"sigmoid": "g = dy[i,j] * ((1-y[i,j]) * y[i,j])",
	"tanh":    "g = dy[i,j] * fma(-y[i,j], y[i,j], 1)",
}

// gradKernel is the kernel of an activation's gradient, with the pointers to the row that is next.
type gradKernel struct {
	*kernel
	act                    string
	count, dx, dy, y, adds word // adds is the parameter add
	g, v, zero             reg
}

func (k *kernel) activationGrad(act string) gradKernel {
	k.columns("cols")
	p := k.args("rows", "dx", "dy", "y", "add")
	g := gradKernel{k, act, p[0], p[1], p[2], p[3], p[4], k.vec(""), k.vec(""), reg{}}
	if act == "relu" {
		g.zero = k.uni("0")
		k.set(g.zero, num(0))
	}
	return g
}

// steps moves the pointers to the next row.
func (k gradKernel) steps() []step {
	return []step{{k.dx, "dxRow"}, {k.dy, "dyRow"}, {k.y, "yRow"}}
}

// compute sets g to the gradient of one vector.
func (k gradKernel) compute(dy, y mem) {
	k.load(k.g, dy)
	if k.act != "linear" {
		k.load(k.v, y)
	}
	k.gradient(k.act, k.g, k.v, k.zero)
}

// write stores g, or adds it if add is not 0.
func (k gradKernel) write(dx mem) {
	k.unless(k.adds, func() {
		k.load(k.v, dx)
		k.add(k.g, k.g, k.v)
	})
	k.store(dx, k.g)
}

func activateGrad(act string) description {
	return description{act + "Grad", gradParams, slopes[act] + "; dx[i,j] = g, or dx[i,j] += g if add is not 0", func(k *kernel) {
		a := k.activationGrad(act)
		k.rows(a.count, func() {
			k.each(2, func(vectors int, at func(word, int) mem) {
				for i := range vectors {
					a.compute(at(a.dy, i), at(a.y, i))
					a.write(at(a.dx, i))
				}
			})
		}, a.steps()...)
	}}
}

// activateGradBias goes down the columns, with the sums of 16 of them in a register.
func activateGradBias(act string) description {
	loop := slopes[act] + "; dbias[j] += g; dx[i,j] = g, or dx[i,j] += g if add is not 0"
	return description{act + "GradBias", gradParams + ", dbias *float32", loop, func(k *kernel) {
		a := k.activationGrad(act)
		sum := k.vec("sums of the columns")
		dbias := k.arg("dbias")
		k.each(1, func(_ int, at func(word, int) mem) {
			k.load(sum, at(dbias, 0))
			k.setArg(a.count, "rows")
			k.rows(a.count, func() {
				a.compute(at(a.dy, 0), at(a.y, 0))
				k.add(sum, sum, a.g)
				a.write(at(a.dx, 0))
			}, a.steps()...)
			k.store(at(dbias, 0), sum)
			k.setArg(a.dx, "dx")
			k.setArg(a.dy, "dy")
			k.setArg(a.y, "y")
		})
	}}
}

func activating() []description {
	var list []description
	for _, act := range activations {
		list = append(list, activate(act))
	}
	for _, act := range activations {
		list = append(list, activateGrad(act), activateGradBias(act))
	}
	return list
}
