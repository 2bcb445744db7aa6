package multitask

import "math"

// minimize sets x to where ½xᵀQx + qᵀx is least for x of at least 0 and, where simplex is set, of sum 1. Q is positive
// semidefinite, and without simplex definite. It is the active-set method of Lawson and Hanson ("Solving Least Squares
// Problems", 1974, NNLS) on products instead of vectors, and on the simplex that of Wolfe ("Finding the nearest point in a
// polytope", 1976). It takes at most 10·m+50 steps, and far fewer in practice; x satisfies its bounds even when it stops
// there.
func (s *Step) minimize(x, q, matrix []float64, simplex bool) {
	m := len(x)
	defer func(used int) { s.used = used }(s.used)
	z, slope, noise := s.zeros(m), s.zeros(m), s.zeros(m)
	reduced, rhs := s.zeros(m*m), s.zeros(m)
	s.ints = resize(s.ints, m)
	set := s.ints[:0] // the variables that are not held at 0
	blocked := s.zeros(m)
	clear(x)
	if simplex {
		best := 0
		for i := range x {
			if matrix[i*m+i]/2+q[i] < matrix[best*m+best]/2+q[best] {
				best = i
			}
		}
		x[best], set = 1, append(set, best)
	}
	for range 10*m + 50 {
		level, levelNoise := 0.0, 0.0
		for i := range slope {
			slope[i], noise[i] = q[i], math.Abs(q[i])
			for j, v := range x {
				p := float64(matrix[i*m+j] * v)
				slope[i] += p
				noise[i] += math.Abs(p)
			}
			if simplex {
				level += float64(x[i] * slope[i])
				levelNoise += float64(x[i] * noise[i])
			}
		}
		enter, least := -1, 0.0
		for i, v := range slope {
			if v = v - level; x[i] == 0 && blocked[i] == 0 && v < -1e-13*(noise[i]+levelNoise) {
				if d := v / math.Sqrt(matrix[i*m+i]+math.SmallestNonzeroFloat64); enter < 0 || d < least {
					enter, least = i, d
				}
			}
		}
		if enter < 0 {
			return
		}
		set = append(set, enter)
		for len(set) > 0 {
			if !s.solve(z, q, matrix, set, simplex, reduced, rhs) {
				blocked[set[len(set)-1]] = 1 // its gradient is one of the others' span, as far as float64 tells
				set = set[:len(set)-1]
				break
			}
			step := 1.0
			for _, i := range set {
				if z[i] <= 0 {
					step = min(step, x[i]/(x[i]-z[i]))
				}
			}
			kept, changed := set[:0], false
			for _, i := range set {
				v := z[i]
				if step < 1 {
					v = x[i] + float64(step*(z[i]-x[i]))
				}
				changed = changed || v != x[i]
				if x[i] = v; z[i] <= 0 && v <= 1e-15 || v <= 0 {
					x[i] = 0
					continue
				}
				kept = append(kept, i)
			}
			if changed {
				clear(blocked)
			}
			if len(kept) == len(set) || step == 1 {
				set = kept
				break
			}
			if set = kept; x[enter] == 0 && step == 0 {
				blocked[enter] = 1
			}
		}
	}
}

// solve sets z to where ½zᵀQz + qᵀz is least when only the variables of a set differ from 0, and reports whether there is
// one such place. On the simplex it is solved for the differences to the variable of the least product with itself, which
// keeps the digits of tasks whose gradients are much smaller than others.
func (s *Step) solve(z, q, matrix []float64, set []int, simplex bool, a, b []float64) bool {
	m := len(z)
	base := -1
	if simplex {
		for _, i := range set {
			if base < 0 || matrix[i*m+i] < matrix[base*m+base] {
				base = i
			}
		}
	}
	n := 0
	for _, i := range set {
		if i == base {
			continue
		}
		k := 0
		for _, j := range set {
			if j == base {
				continue
			}
			if k > n {
				break
			}
			v := matrix[i*m+j]
			if simplex {
				v = (v - matrix[i*m+base]) + (matrix[base*m+base] - matrix[j*m+base])
			}
			a[n*m+k] = v
			k++
		}
		b[n] = -q[i]
		if simplex {
			b[n] = (q[base] - q[i]) + (matrix[base*m+base] - matrix[i*m+base])
		}
		n++
	}
	if !cholesky(a, b, n, m) {
		return false
	}
	clear(z)
	rest := 1.0
	n = 0
	for _, i := range set {
		if i != base {
			z[i] = b[n]
			rest -= b[n]
			n++
		}
	}
	if simplex {
		z[base] = rest
	}
	return true
}

// cholesky solves a·x = b for the lower triangle of n rows of a definite matrix whose rows are m apart. b becomes x. It
// reports false where the matrix is not definite as far as float64 tells.
func cholesky(a, b []float64, n, m int) bool {
	for i := range n {
		diagonal := a[i*m+i]
		for j := range i + 1 {
			sum := a[i*m+j]
			for k := range j {
				sum -= float64(a[i*m+k] * a[j*m+k])
			}
			if i == j {
				if !(sum > 1e-14*diagonal) {
					return false
				}
				a[i*m+i] = math.Sqrt(sum)
			} else {
				a[i*m+j] = sum / a[j*m+j]
			}
		}
	}
	for i := range n {
		for k := range i {
			b[i] -= float64(a[i*m+k] * b[k])
		}
		b[i] /= a[i*m+i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			b[i] -= float64(a[k*m+i] * b[k])
		}
		b[i] /= a[i*m+i]
	}
	return true
}

// project writes the point of the simplex (at least 0, of sum 1) that is nearest to v: v less one number, and at least 0.
func project(v, sorted []float64) {
	copy(sorted, v)
	insertionSort(sorted)
	sum, level := 0.0, 0.0
	for i := range sorted { // from the largest
		sum += sorted[len(sorted)-1-i]
		if t := (sum - 1) / float64(i+1); i == len(sorted)-1 || t >= sorted[len(sorted)-2-i] {
			level = t
			break
		}
	}
	for i := range v {
		v[i] = max(v[i]-level, 0)
	}
}

func insertionSort[T float32 | float64](v []T) {
	for i := range v {
		for j := i; j > 0 && v[j] < v[j-1]; j-- {
			v[j], v[j-1] = v[j-1], v[j]
		}
	}
}

// eigen makes a symmetric matrix of m rows diagonal by Jacobi's rotations (1846), which keep the digits of small
// eigenvalues. Column k of vectors belongs to the k-th number of the diagonal. It takes at most 60 sweeps.
func eigen(a, vectors []float64, m int) {
	clear(vectors)
	for i := range m {
		vectors[i*m+i] = 1
	}
	for range 60 {
		turned := false
		for p := range m {
			for q := p + 1; q < m; q++ {
				apq, app, aqq := a[p*m+q], a[p*m+p], a[q*m+q]
				if math.Abs(apq) <= 1e-17*math.Sqrt(math.Abs(app))*math.Sqrt(math.Abs(aqq)) || apq == 0 {
					continue
				}
				turned = true
				theta := (aqq - app) / (2 * apq)
				t := 1 / (math.Abs(theta) + math.Sqrt(float64(theta*theta)+1))
				if math.Abs(theta) > 1e150 {
					t = 0.5 / math.Abs(theta)
				}
				if theta < 0 {
					t = -t
				}
				c := 1 / math.Sqrt(float64(t*t)+1)
				sn := t * c
				for k := range m {
					x, y := a[k*m+p], a[k*m+q]
					a[k*m+p], a[k*m+q] = float64(c*x)-float64(sn*y), float64(sn*x)+float64(c*y)
				}
				for k := range m {
					x, y := a[p*m+k], a[q*m+k]
					a[p*m+k], a[q*m+k] = float64(c*x)-float64(sn*y), float64(sn*x)+float64(c*y)
					x, y = vectors[k*m+p], vectors[k*m+q]
					vectors[k*m+p], vectors[k*m+q] = float64(c*x)-float64(sn*y), float64(sn*x)+float64(c*y)
				}
				a[p*m+p], a[q*m+q] = app-float64(t*apq), aqq+float64(t*apq)
				a[p*m+q], a[q*m+p] = 0, 0
			}
		}
		if !turned {
			return
		}
	}
}

// scaled returns the Gramian over its largest product of a gradient with itself, and the root of that product; 0 where all
// gradients are 0. The scale is a power of 4, so it rounds nothing but numbers too small to matter.
func (s *Step) scaled(m int) (gram []float64, unit float64) {
	top := 0.0
	for i := range m {
		top = max(top, s.Gramian[i*m+i])
	}
	gram = s.zeros(m * m)
	if top == 0 {
		return gram, 0
	}
	_, e := math.Frexp(top)
	e = (e + 1) / 2
	for i, v := range s.Gramian {
		gram[i] = math.Ldexp(v, -2*e)
	}
	return gram, math.Ldexp(1, e)
}
