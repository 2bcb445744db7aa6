package kernels

// The optimizer steps update flat parameters in place with the operations of
// Keras 3 in Keras' order. All vectors of a call have one length; w are the
// weights, g the gradient, and the others the optimizer's state, zero at first.

// SGD computes w -= g·lr.
func (t *Table) SGD(w, g []float32, lr float32) error {
	if t.err != nil {
		return t.err
	}
	if err := checkVectors("SGD", w, named{"g", g}); err != nil {
		return err
	}
	raceReads(vector(g))
	raceWrites(vector(w))
	level := t.level
	if level == nil {
		sgdGeneric(w, g, lr)
		return nil
	}
	for from, n := range parts(len(w), updateCall) {
		level.sgd(n, &w[from], &g[from], lr)
	}
	return nil
}

func sgdGeneric(w, g []float32, lr float32) {
	for j, d := range g {
		w[j] = mulAdd(-d, lr, w[j])
	}
}

// Momentum computes v = v·momentum - g·lr, then w += v, or
// w += v·momentum - g·lr if nesterov is set.
func (t *Table) Momentum(w, v, g []float32, lr, momentum float32, nesterov bool) error {
	if t.err != nil {
		return t.err
	}
	if err := checkVectors("Momentum", w, named{"v", v}, named{"g", g}); err != nil {
		return err
	}
	raceReads(vector(g))
	raceWrites(vector(w), vector(v))
	level := t.level
	if level == nil {
		momentumGeneric(w, v, g, lr, momentum, nesterov)
		return nil
	}
	step := level.momentum
	if nesterov {
		step = level.nesterov
	}
	for from, n := range parts(len(w), updateCall) {
		step(n, &w[from], &v[from], &g[from], lr, momentum)
	}
	return nil
}

func momentumGeneric(w, v, g []float32, lr, momentum float32, nesterov bool) {
	for j, d := range g {
		step := float32(d * lr)
		v[j] = mulAdd(v[j], momentum, -step)
		if nesterov {
			w[j] += mulAdd(v[j], momentum, -step)
		} else {
			w[j] += v[j]
		}
	}
}

// Adam computes m += (g-m)·(1-beta1) and v += (g²-v)·(1-beta2), then
// w -= m·alpha / (sqrt(v)+epsilon). At step t = 1, 2, ... the bias correction is
// the caller's: alpha = lr·sqrt(1-beta2^t)/(1-beta1^t), best computed in float64.
// (Kingma and Ba, arXiv:1412.6980, end of section 2.) The betas are float64
// because 1-beta is small and must be rounded only once.
func (t *Table) Adam(w, m, v, g []float32, alpha float32, beta1, beta2 float64, epsilon float32) error {
	if t.err != nil {
		return t.err
	}
	if len(m) != len(w) || len(v) != len(w) || len(g) != len(w) {
		return checkVectors("Adam", w, named{"m", m}, named{"v", v}, named{"g", g})
	}
	raceReads(vector(g))
	raceWrites(vector(w), vector(m), vector(v))
	c1, c2 := float32(1-beta1), float32(1-beta2)
	level := t.level
	if level == nil {
		adamGeneric(w, m, v, g, alpha, c1, c2, epsilon)
		return nil
	}
	for from, n := range parts(len(w), updateCall) {
		level.adam(n, &w[from], &m[from], &v[from], &g[from], alpha, c1, c2, epsilon)
	}
	return nil
}

func adamGeneric(w, m, v, g []float32, alpha, c1, c2, epsilon float32) {
	for j, d := range g {
		m[j] = mulAdd(d-m[j], c1, m[j])
		v[j] = mulAdd(mulAdd(d, d, -v[j]), c2, v[j])
		w[j] -= float32(m[j]*alpha) / (sqrt(v[j]) + epsilon)
	}
}

// RMSprop computes v = v·rho + g²·(1-rho), then w -= g·lr / sqrt(v+epsilon).
func (t *Table) RMSprop(w, v, g []float32, lr float32, rho float64, epsilon float32) error {
	if t.err != nil {
		return t.err
	}
	if err := checkVectors("RMSprop", w, named{"v", v}, named{"g", g}); err != nil {
		return err
	}
	raceReads(vector(g))
	raceWrites(vector(w), vector(v))
	c := float32(1 - rho)
	level := t.level
	if level == nil {
		rmspropGeneric(w, v, g, lr, float32(rho), c, epsilon)
		return nil
	}
	for from, n := range parts(len(w), updateCall) {
		level.rmsprop(n, &w[from], &v[from], &g[from], lr, float32(rho), c, epsilon)
	}
	return nil
}

func rmspropGeneric(w, v, g []float32, lr, rho, c, epsilon float32) {
	for j, d := range g {
		v[j] = mulAdd(v[j], rho, float32(float32(d*d)*c))
		w[j] -= float32(d*lr) / sqrt(v[j]+epsilon)
	}
}

// Adagrad computes v += g², then w -= g·lr / sqrt(v+epsilon). (Duchi, Hazan and
// Singer 2011.)
func (t *Table) Adagrad(w, v, g []float32, lr, epsilon float32) error {
	if t.err != nil {
		return t.err
	}
	if err := checkVectors("Adagrad", w, named{"v", v}, named{"g", g}); err != nil {
		return err
	}
	raceReads(vector(g))
	raceWrites(vector(w), vector(v))
	level := t.level
	if level == nil {
		adagradGeneric(w, v, g, lr, epsilon)
		return nil
	}
	for from, n := range parts(len(w), updateCall) {
		level.adagrad(n, &w[from], &v[from], &g[from], lr, epsilon)
	}
	return nil
}

func adagradGeneric(w, v, g []float32, lr, epsilon float32) {
	for j, d := range g {
		v[j] = mulAdd(d, d, v[j])
		w[j] -= float32(d*lr) / sqrt(v[j]+epsilon)
	}
}

// named is a slice under the name it has in an error message.
type named struct {
	name string
	data []float32
}

func checkVectors(kernel string, w []float32, others ...named) error {
	for _, o := range others {
		if len(o.data) != len(w) {
			return shapeError(kernel, "%s has %d elements, w has %d", o.name, len(o.data), len(w))
		}
	}
	return nil
}
