package main

import "fmt"

// constant loads a number.
func (l *neonLevel) constant(v int, c num) {
	if c == 0 {
		l.op("VMOVI", "$0", fmt.Sprintf("V%d.B16", v))
		return
	}
	l.consts[c] = true
	l.op("FMOVQ", fmt.Sprintf("%s(%s)", c.symbol(), neonNumbers), fmt.Sprintf("F%d", v))
}

func (l *neonLevel) set(d reg, a any) {
	for p := range d.parts {
		switch a := a.(type) {
		case reg:
			if to, from := l.v(d, p), l.v(a, p); to != from {
				l.copyVector(to, from)
			}
		case num:
			l.constant(l.v(d, p), a)
		}
	}
}

// inRegister calls print with a as a reg: a number gets one for that time.
func (l *neonLevel) inRegister(a any, print func(a reg)) {
	c, ok := a.(num)
	if !ok {
		print(a.(reg))
		return
	}
	r := l.take("", 1)
	l.set(r, c)
	print(r)
	l.free(r)
}

// all prints d = a op b for every part.
func (l *neonLevel) all(mnemonic string, d reg, a, b any) {
	l.inRegister(a, func(a reg) {
		l.inRegister(b, func(b reg) {
			for p := range d.parts {
				l.vector3(mnemonic, l.v(d, p), l.v(a, p), l.v(b, p))
			}
		})
	})
}

func (l *neonLevel) each2(mnemonic string, d, a reg) {
	for p := range d.parts {
		l.vector2(mnemonic, l.v(d, p), l.v(a, p))
	}
}

func (l *neonLevel) add(d reg, a, b any)    { l.all("FADD", d, a, b) }
func (l *neonLevel) sub(d reg, a, b any)    { l.all("FSUB", d, a, b) }
func (l *neonLevel) mul(d reg, a, b any)    { l.all("FMUL", d, a, b) }
func (l *neonLevel) div(d reg, a, b any)    { l.all("FDIV", d, a, b) }
func (l *neonLevel) min(d, a, bound reg)    { l.all("FMIN", d, a, bound) }
func (l *neonLevel) max(d, a, bound reg)    { l.all("FMAX", d, a, bound) }
func (l *neonLevel) and(d reg, a, b any)    { l.all("AND", d, a, b) }
func (l *neonLevel) or(d reg, a, b any)     { l.all("ORR", d, a, b) }
func (l *neonLevel) xor(d reg, a, b any)    { l.all("EOR", d, a, b) }
func (l *neonLevel) addInt(d reg, a, b any) { l.all("ADD", d, a, b) }
func (l *neonLevel) subInt(d reg, a, b any) { l.all("SUB", d, a, b) }
func (l *neonLevel) sqrt(d, a reg)          { l.each2("FSQRT", d, a) }
func (l *neonLevel) toFloat(d, a reg)       { l.each2("SCVTF", d, a) }

func (l *neonLevel) shiftLeft(d, a reg, n int) {
	for p := range d.parts {
		l.op("VSHL", value(n), fmt.Sprintf("V%d.S4", l.v(a, p)), fmt.Sprintf("V%d.S4", l.v(d, p)))
	}
}

func (l *neonLevel) shiftRight(d, a reg, n int) {
	for p := range d.parts {
		l.arithmeticShift(l.v(d, p), l.v(a, p), n)
	}
}

func (l *neonLevel) mulAdd(d reg, a, b, c any)    { l.fused("FMLA", d, a, b, c, false) }
func (l *neonLevel) mulSub(d reg, a, b, c any)    { l.fused("FMLA", d, a, b, c, true) }
func (l *neonLevel) negMulAdd(d reg, a, b, c any) { l.fused("FMLS", d, a, b, c, false) }

// fused adds to c, or to -c, a·b or -a·b.
func (l *neonLevel) fused(mnemonic string, d reg, a, b, c any, negate bool) {
	l.inRegister(a, func(a reg) {
		l.inRegister(b, func(b reg) {
			factor := d == a || d == b
			for p := range d.parts {
				l.become(d, p, !factor || d == c && !negate, func(v int) {
					switch c := c.(type) {
					case num:
						if negate {
							c ^= signBit
						}
						l.constant(v, c)
					case reg:
						if from := l.v(c, p); negate {
							l.vector2("FNEG", v, from)
						} else if v != from {
							l.copyVector(v, from)
						}
					}
					l.vector3(mnemonic, v, l.v(a, p), l.v(b, p))
				})
			}
		})
	})
}

// compare knows greater, greater or equal and equal. Unlike these, their opposites hold for NaN.
func (l *neonLevel) compare(c cond, a reg, op string, b any) {
	mnemonic, swap, not := "FCMGT", false, false
	switch op {
	case "<":
		swap = true
	case "<=":
		mnemonic, swap = "FCMGE", true
	case ">=":
		mnemonic = "FCMGE"
	case "!>":
		not = true
	case "!<":
		swap, not = true, true
	case "!<=":
		mnemonic, swap, not = "FCMGE", true, true
	case "==":
		mnemonic = "CMEQ"
	case ">":
	default:
		panic(l.name + ": comparison " + op)
	}
	l.inverted[c.first] = not
	if swap {
		l.all(mnemonic, reg(c), b, a)
	} else {
		l.all(mnemonic, reg(c), a, b)
	}
}

func (l *neonLevel) keep(d, a reg, c cond) {
	if l.inverted[c.first] {
		l.all("BIC", d, a, reg(c))
	} else {
		l.all("AND", d, a, reg(c))
	}
}

func (l *neonLevel) pick(d reg, c cond, a any, b reg) {
	yes, no := "BIT", "BIF"
	if l.inverted[c.first] {
		yes, no = no, yes
	}
	if d == a {
		l.all(no, d, b, reg(c))
		return
	}
	l.set(d, b)
	l.all(yes, d, a, reg(c))
}

func (l *neonLevel) pickNegative(d, sign, a, b reg) {
	for p := range d.parts {
		l.become(d, p, d != a && d != b, func(v int) {
			l.arithmeticShift(v, l.v(sign, p), 31)
			l.vector3("BSL", v, l.v(a, p), l.v(b, p))
		})
	}
}

// Folds.

func (l *neonLevel) halfAdd(d, a reg) { l.half("FADD", d, a) }
func (l *neonLevel) halfMax(d, a reg) { l.half("FMAX", d, a) }

// half folds a vector into four lanes.
func (l *neonLevel) half(mnemonic string, d, a reg) {
	t := l.take("", 1)
	l.vector3(mnemonic, l.v(d, 0), l.v(a, 0), l.v(a, 2))
	l.vector3(mnemonic, l.v(t, 0), l.v(a, 1), l.v(a, 3))
	l.vector3(mnemonic, l.v(d, 0), l.v(d, 0), l.v(t, 0))
	l.free(t)
}

func (l *neonLevel) foldAdd(d, a reg) { l.fold("FADD", d, a) }
func (l *neonLevel) foldMax(d, a reg) { l.fold("FMAX", d, a) }

func (l *neonLevel) fold(mnemonic string, d, a reg) {
	l.half(mnemonic, d, a)
	t := l.take("", 1)
	to := fmt.Sprintf("V%d.B16", l.v(d, 0))
	l.op("VEXT", "$8", to, to, fmt.Sprintf("V%d.B16", l.v(t, 0)))
	l.vector3(mnemonic, l.v(d, 0), l.v(d, 0), l.v(t, 0)) // lanes 0+2, 1+3, 0+2, 1+3
	l.vector3(mnemonic+"P", l.v(d, 0), l.v(d, 0), l.v(d, 0))
	l.free(t)
}

func (l *neonLevel) fold4Add(d reg, a []reg) { l.fold4("FADD", d, a) }
func (l *neonLevel) fold4Max(d reg, a []reg) { l.fold4("FMAX", d, a) }

// fold4 folds the four lanes of four rows.
func (l *neonLevel) fold4(mnemonic string, d reg, a []reg) {
	t := l.take("", 1)
	d2 := func(r reg) string { return fmt.Sprintf("V%d.D2", l.v(r, 0)) }
	for i := 0; i < 4; i += 2 { // lanes 0+2 and 1+3 of a row and of the next one
		l.op("VZIP1", d2(a[i+1]), d2(a[i]), d2(t))
		l.op("VZIP2", d2(a[i+1]), d2(a[i]), d2(a[i]))
		l.vector3(mnemonic, l.v(a[i], 0), l.v(t, 0), l.v(a[i], 0))
	}
	l.vector3(mnemonic+"P", l.v(d, 0), l.v(a[0], 0), l.v(a[2], 0))
	l.free(t)
}

func (l *neonLevel) shareLane(d, four reg, i int) { l.lane(d, l.v(four, 0), i) }
