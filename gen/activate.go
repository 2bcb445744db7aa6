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

// activateGrad sums the columns of the gradient too if bias is set: then it goes down the columns, with the sums of 16 of
// them in a register.
func activateGrad(act string, bias bool) description {
	params := "rows, cols int, dx *float32, dxRow int, dy *float32, dyRow int, y *float32, yRow int, add int"
	loop := map[string]string{
		"linear":  "g = dy[i,j]",
		"relu":    "g = dy[i,j] where !(y[i,j] <= 0), else 0",
		"sigmoid": "g = dy[i,j] * ((1-y[i,j]) * y[i,j])",
		"tanh":    "g = dy[i,j] * fma(-y[i,j], y[i,j], 1)",
	}[act]
	name := act + "Grad"
	if bias {
		name += "Bias"
		params += ", dbias *float32"
		loop += "; dbias[j] += g"
	}
	loop += "; dx[i,j] = g, or dx[i,j] += g if add is not 0"
	return description{name, params, loop, func(k *kernel) {
		k.columns("cols")
		rows, dx, dy, y, add := k.arg("rows"), k.arg("dx"), k.arg("dy"), k.arg("y"), k.arg("add")
		g, v := k.vec(""), k.vec("")
		var zero, sum reg
		if act == "relu" {
			zero = k.uni("0")
			k.set(zero, num(0))
		}
		if bias {
			sum = k.vec("sums of the columns")
		}
		one := func(dx, dy, y mem) {
			k.load(g, dy)
			if act != "linear" {
				k.load(v, y)
			}
			k.gradient(act, g, v, zero)
			if bias {
				k.add(sum, sum, g)
			}
			k.unless(add, func() {
				k.load(v, dx)
				k.add(g, g, v)
			})
			k.store(dx, g)
		}
		if !bias {
			unroll := 2
			k.rows(rows, func() {
				k.each(unroll, func(vectors int, at func(word, int) mem) {
					for i := range vectors {
						one(at(dx, i), at(dy, i), at(y, i))
					}
				})
			}, step{dx, "dxRow"}, step{dy, "dyRow"}, step{y, "yRow"})
			return
		}
		dbias := k.arg("dbias")
		count := rows
		k.each(1, func(_ int, at func(word, int) mem) {
			k.load(sum, at(dbias, 0))
			k.setArg(count, "rows")
			k.rows(count, func() {
				one(at(dx, 0), at(dy, 0), at(y, 0))
			}, step{dx, "dxRow"}, step{dy, "dyRow"}, step{y, "yRow"})
			k.store(at(dbias, 0), sum)
			k.setArg(dx, "dx")
			k.setArg(dy, "dy")
			k.setArg(y, "y")
		})
	}}
}

func activating() []description {
	var list []description
	for _, act := range activations {
		list = append(list, activate(act))
	}
	for _, act := range activations {
		list = append(list, activateGrad(act, false), activateGrad(act, true))
	}
	return list
}
