package main

import "fmt"

// amd64Level is the vector level of one amd64 function: its operations, and which registers are in use. AX belongs to the
// operations themselves.
type amd64Level struct {
	scope
	amd64
	vectors, conds [32]bool
	tailAt         word // AVX2: address of the mask of the tail
	tailEnd        word // bytes of a row
}

// kernel prints the description for the level.
func (m amd64) kernel(d description) *fn {
	l := &amd64Level{scope: newScope(d, m.suffix, "BX CX DX SI DI R8 R9 R10 R11 R12 R13 R14 R15"), amd64: m}
	return l.printOn(l, d, m.requires, "AX")
}

func (l *amd64Level) parts() int { return 16 / l.width }

func (l *amd64Level) take(parts int) reg {
next:
	for i := 0; i+parts <= l.regs; i++ {
		for p := range parts {
			if l.vectors[i+p] {
				continue next
			}
		}
		for p := range parts {
			l.vectors[i+p] = true
		}
		return reg{i, parts}
	}
	panic(l.name + ": out of vector registers")
}

// fit returns how many times so many vectors fit into the registers left: 4, 2 or 1.
func (l *amd64Level) fit(vectors int) int {
	left := 0
	for i := range l.regs {
		if !l.vectors[i] {
			left++
		}
	}
	return fitting(left, vectors*l.parts())
}

func (l *amd64Level) named(name string, r reg) reg {
	if name != "" {
		text := l.v(r.first)
		if r.parts > 1 {
			text += "-" + l.v(r.first+r.parts-1)
		}
		l.vectorMap.note(text, name)
	}
	return r
}

func (l *amd64Level) vec(name string) reg { return l.named(name, l.take(l.parts())) }
func (l *amd64Level) uni(name string) reg { return l.named(name, l.take(1)) }

func (l *amd64Level) test() cond {
	if l.width < 16 {
		return cond(l.vec(""))
	}
	for i := 2; i < 8; i++ {
		if !l.conds[i] {
			l.conds[i] = true
			return cond{i, 1}
		}
	}
	panic(l.name + ": out of mask registers")
}

func (l *amd64Level) arg(name string) word {
	w := l.word(name)
	l.setArg(w, name)
	return w
}

func (l *amd64Level) free(what ...any) {
	for _, w := range what {
		switch w := w.(type) {
		case reg:
			for p := range w.parts {
				l.vectors[w.first+p] = false
			}
		case cond:
			if l.width < 16 {
				l.free(reg(w))
			} else {
				l.conds[w.first] = false
			}
		case word:
			l.words = append(l.words, w)
		}
	}
}

// hold takes registers that were freed back.
func (l *amd64Level) hold(rs ...reg) {
	for _, r := range rs {
		for p := range r.parts {
			if l.vectors[r.first+p] {
				panic(l.name + ": register is in use")
			}
			l.vectors[r.first+p] = true
		}
	}
}

// part returns the operand of one instruction: the register of a part, or a constant in memory.
func (l *amd64Level) part(a any, p int) string {
	switch a := a.(type) {
	case reg:
		return l.v(a.first + min(p, a.parts-1))
	case num:
		l.consts[a] = true
		return a.symbol() + "<>(SB)"
	}
	panic(fmt.Sprintf("%s: operand %v", l.name, a))
}

func (l *amd64Level) address(m mem, p int) string {
	s := fmt.Sprintf("(%s)", m.base)
	if m.index != "" {
		s += fmt.Sprintf("(%s*1)", m.index)
	}
	if at := m.offset + 4*l.width*p; at != 0 {
		return fmt.Sprint(at) + s
	}
	return s
}

// all prints d = b op a for every part, with the operands in Go's order: a, which may be a constant, comes first.
func (l *amd64Level) all(mnemonic string, d reg, a any, rest ...any) {
	if _, ok := a.(num); ok && l.width == 16 {
		mnemonic += ".BCST"
	}
	for p := range d.parts {
		operands := []any{l.part(a, p)}
		for _, r := range rest {
			operands = append(operands, l.part(r, p))
		}
		l.op(mnemonic, append(operands, l.part(d, p))...)
	}
}

// two prints d = a op b, of which b may be a constant, and a too if the operation is symmetric.
func (l *amd64Level) two(mnemonic string, d reg, a, b any, symmetric bool) {
	if _, ok := a.(num); ok {
		if symmetric {
			a, b = b, a
		} else {
			if d == b {
				panic(l.name + ": constant minuend would overwrite the other operand")
			}
			l.set(d, a)
			a = d
		}
	}
	l.all(mnemonic, d, b, a)
}

func (l *amd64Level) set(d reg, a any) {
	switch a := a.(type) {
	case reg:
		if a != d {
			l.all("VMOVAPS", d, a)
		}
	case num:
		for p := range d.parts {
			if a == 0 {
				l.op("VXORPS", l.part(d, p), l.part(d, p), l.part(d, p))
			} else {
				l.op("VBROADCASTSS", l.part(a, 0), l.part(d, p))
			}
		}
	}
}

func (l *amd64Level) add(d reg, a, b any)    { l.two("VADDPS", d, a, b, true) }
func (l *amd64Level) sub(d reg, a, b any)    { l.two("VSUBPS", d, a, b, false) }
func (l *amd64Level) mul(d reg, a, b any)    { l.two("VMULPS", d, a, b, true) }
func (l *amd64Level) div(d reg, a, b any)    { l.two("VDIVPS", d, a, b, false) }
func (l *amd64Level) and(d reg, a, b any)    { l.two("VANDPS", d, a, b, true) }
func (l *amd64Level) or(d reg, a, b any)     { l.two("VORPS", d, a, b, true) }
func (l *amd64Level) xor(d reg, a, b any)    { l.two("VXORPS", d, a, b, true) }
func (l *amd64Level) addInt(d reg, a, b any) { l.two("VPADDD", d, a, b, true) }
func (l *amd64Level) subInt(d reg, a, b any) { l.two("VPSUBD", d, a, b, false) }
func (l *amd64Level) sqrt(d, a reg)          { l.all("VSQRTPS", d, a) }
func (l *amd64Level) toFloat(d, a reg)       { l.all("VCVTDQ2PS", d, a) }

// Of two operands one of which is NaN these return the second source, which Go writes first.
func (l *amd64Level) min(d, a, bound reg) { l.all("VMINPS", d, a, bound) }
func (l *amd64Level) max(d, a, bound reg) { l.all("VMAXPS", d, a, bound) }

func (l *amd64Level) mulAdd(d reg, a, b, c any)    { l.fused("VFMADD", d, a, b, c) }
func (l *amd64Level) mulSub(d reg, a, b, c any)    { l.fused("VFMSUB", d, a, b, c) }
func (l *amd64Level) negMulAdd(d reg, a, b, c any) { l.fused("VFNMADD", d, a, b, c) }

// fused picks the form of a·b + c whose destination already holds an operand.
func (l *amd64Level) fused(mnemonic string, d reg, a, b, c any) {
	if _, ok := a.(num); ok || d == b {
		a, b = b, a
	}
	_, constant := b.(num)
	switch {
	case d == c:
		l.all(mnemonic+"231PS", d, b, a)
	case d == a && constant:
		l.all(mnemonic+"132PS", d, b, c)
	case d == a:
		l.all(mnemonic+"213PS", d, c, b)
	default:
		l.set(d, c)
		l.all(mnemonic+"231PS", d, b, a)
	}
}

func (l *amd64Level) shift(mnemonic string, d, a reg, n int) {
	for p := range d.parts {
		l.op(mnemonic, fmt.Sprintf("$%d", n), l.part(a, p), l.part(d, p))
	}
}

func (l *amd64Level) shiftLeft(d, a reg, n int)  { l.shift("VPSLLD", d, a, n) }
func (l *amd64Level) shiftRight(d, a reg, n int) { l.shift("VPSRAD", d, a, n) }

func (l *amd64Level) load(d reg, m mem) {
	if !m.tail {
		for p := range d.parts {
			l.op("VMOVUPS", l.address(m, p), l.part(d, p))
		}
		return
	}
	if l.width == 16 {
		l.op("VMOVUPS.Z", l.address(m, 0), l.amd64.mask, l.part(d, 0))
		return
	}
	for p := range d.parts {
		l.op("VMOVUPS", l.address(mem{base: l.tailAt}, p), l.part(d, p))
		l.op("VMASKMOVPS", l.address(m, p), l.part(d, p), l.part(d, p))
	}
}

// loadLow gives -Inf beyond the tail.
func (l *amd64Level) loadLow(d reg, m mem) {
	if m.tail && l.width == 16 {
		l.set(d, minusInf)
		l.op("VMOVUPS", l.address(m, 0), l.amd64.mask, l.part(d, 0))
		return
	}
	l.load(d, m)
	if m.tail {
		for p := range d.parts { // zero with the bits of -Inf
			l.op("VORPS", l.address(mem{base: l.tailAt, offset: tailLow}, p), l.part(d, p), l.part(d, p))
		}
	}
}

func (l *amd64Level) keepTail(d reg) {
	if l.width == 16 {
		l.op("VMOVAPS.Z", l.part(d, 0), l.amd64.mask, l.part(d, 0))
		return
	}
	for p := range d.parts {
		l.op("VANDPS", l.address(mem{base: l.tailAt}, p), l.part(d, p), l.part(d, p))
	}
}

// store writes a tail of AVX2 in pieces: the masked store is microcode on AMD, four times as slow.
func (l *amd64Level) store(m mem, s reg) {
	if !m.tail {
		for p := range s.parts {
			l.op("VMOVUPS", l.part(s, p), l.address(m, p))
		}
		return
	}
	if l.width == 16 {
		l.op("VMOVUPS", l.part(s, 0), l.amd64.mask, l.address(m, 0))
		return
	}
	t := l.take(1)
	defer l.free(t)
	ymm, xmm := l.v(t.first), fmt.Sprintf("X%d", t.first)
	four, two, one, done := l.label("four"), l.label("two"), l.label("one"), l.label("stored")
	l.op("LEAQ", l.address(m, 0), "AX")
	l.op("VMOVAPS", l.part(s, 0), ymm)
	l.op("TESTQ", "$32", l.tailEnd)
	l.op("JEQ", four)
	l.op("VMOVUPS", ymm, "(AX)")
	l.op("VMOVAPS", l.part(s, 1), ymm)
	l.op("ADDQ", "$32", "AX")
	l.at(four)
	l.op("TESTQ", "$16", l.tailEnd)
	l.op("JEQ", two)
	l.op("VMOVUPS", xmm, "(AX)")
	l.op("VEXTRACTF128", "$1", ymm, xmm)
	l.op("ADDQ", "$16", "AX")
	l.at(two)
	l.op("TESTQ", "$8", l.tailEnd)
	l.op("JEQ", one)
	l.op("VMOVLPS", xmm, "(AX)")
	l.op("VPERMILPS", "$0x4e", xmm, xmm)
	l.op("ADDQ", "$8", "AX")
	l.at(one)
	l.op("TESTQ", "$4", l.tailEnd)
	l.op("JEQ", done)
	l.op("VMOVSS", xmm, "(AX)")
	l.at(done)
}

func (l *amd64Level) share(d reg, m mem)          { l.op("VBROADCASTSS", l.address(m, 0), l.part(d, 0)) }
func (l *amd64Level) shareArg(d reg, name string) { l.op("VBROADCASTSS", l.param(name), l.part(d, 0)) }
func (l *amd64Level) storeOne(m mem, s reg) {
	l.op("VMOVSS", fmt.Sprintf("X%d", s.first), l.address(m, 0))
}
func (l *amd64Level) loadLabel(d word, m mem) { l.op("MOVL", l.address(m, 0), d) }

// laneNumbers sets lane i to the integer i.
func (l *amd64Level) laneNumbers(d reg) {
	for p := range d.parts {
		l.op("VMOVUPS", fmt.Sprintf("lanes<>+%d(SB)", 32*p), l.part(d, p))
	}
}

var predicates = map[string]string{"<": "$0x11", ">": "$0x1e", "!>": "$0x1a", "!<": "$0x15", "!<=": "$0x16"}

func (l *amd64Level) compare(c cond, a reg, op string, b any) {
	var operands []any
	mnemonic := "VCMPPS"
	if op == "==" {
		mnemonic = "VPCMPEQD"
	} else {
		operands = append(operands, predicates[op])
	}
	if _, ok := b.(num); ok && l.width == 16 {
		mnemonic += ".BCST"
	}
	for p := range a.parts {
		d := fmt.Sprintf("K%d", c.first)
		if l.width < 16 {
			d = l.part(reg(c), p)
		}
		l.op(mnemonic, append(operands[:len(operands):len(operands)], l.part(b, p), l.part(a, p), d)...)
	}
}

func (l *amd64Level) keep(d, a reg, c cond) {
	if l.width == 16 {
		l.op("VMOVAPS.Z", l.part(a, 0), fmt.Sprintf("K%d", c.first), l.part(d, 0))
		return
	}
	l.all("VANDPS", d, reg(c), a)
}

func (l *amd64Level) pick(d reg, c cond, a any, b reg) {
	if l.width == 16 {
		mnemonic := "VBLENDMPS"
		if _, ok := a.(num); ok {
			mnemonic += ".BCST"
		}
		l.op(mnemonic, l.part(a, 0), l.part(b, 0), fmt.Sprintf("K%d", c.first), l.part(d, 0))
		return
	}
	for p := range d.parts {
		l.op("VBLENDVPS", l.part(reg(c), p), l.part(a, p), l.part(b, p), l.part(d, p))
	}
}

func (l *amd64Level) pickNegative(d, sign, a, b reg) {
	if l.width == 16 {
		c := l.test()
		l.op("VPMOVD2M", l.part(sign, 0), fmt.Sprintf("K%d", c.first))
		l.pick(d, c, a, b)
		l.free(c)
		return
	}
	l.pick(d, cond(sign), a, b)
}

func (l *amd64Level) foldAdd(d, a reg) { l.fold("VADDPS", d, a) }
func (l *amd64Level) foldMax(d, a reg) { l.fold("VMAXPS", d, a) }

// fold leaves the result in every lane: the operations are symmetric, so both halves get the same bits.
func (l *amd64Level) fold(mnemonic string, d, a reg) {
	temporary := l.take(1)
	defer l.free(temporary)
	to, t := l.part(d, 0), l.v(temporary.first)
	if l.width == 16 {
		l.op("VSHUFF64X2", "$0x4e", l.part(a, 0), l.part(a, 0), t)
		l.op(mnemonic, t, l.part(a, 0), to)
		l.op("VSHUFF64X2", "$0xb1", to, to, t)
	} else {
		l.op(mnemonic, l.part(a, 1), l.part(a, 0), to)
		l.op("VPERM2F128", "$1", to, to, t)
	}
	l.op(mnemonic, t, to, to)
	l.op("VPERMILPS", "$0x4e", to, t)
	l.op(mnemonic, t, to, to)
	l.op("VPERMILPS", "$0xb1", to, t)
	l.op(mnemonic, t, to, to)
}

func (l *amd64Level) halfAdd(d, a reg) { l.half("VADDPS", d, a) }
func (l *amd64Level) halfMax(d, a reg) { l.half("VMAXPS", d, a) }

// half folds a vector into eight lanes.
func (l *amd64Level) half(mnemonic string, d, a reg) {
	if l.width == 16 {
		y := l.ymm(d)
		l.op("VEXTRACTF64X4", "$1", l.part(a, 0), y)
		l.op(mnemonic, y, l.ymm(a), y)
		return
	}
	l.op(mnemonic, l.part(a, 1), l.part(a, 0), l.part(d, 0))
}

func (l *amd64Level) ymm(r reg) string { return fmt.Sprintf("Y%d", r.first) }
func (l *amd64Level) xmm(r reg) string { return fmt.Sprintf("X%d", r.first) }

func (l *amd64Level) fold4Add(d reg, a []reg) { l.fold4("VADDPS", d, a) }
func (l *amd64Level) fold4Max(d reg, a []reg) { l.fold4("VMAXPS", d, a) }

// fold4 folds the eight lanes of four rows.
func (l *amd64Level) fold4(mnemonic string, d reg, a []reg) {
	to := l.ymm(d)
	for i := range 2 { // 4 lanes of row i and of row i+2
		if max(a[i].first, a[i+2].first, d.first) > 15 {
			panic(l.name + ": fold4 needs registers that AVX has too")
		}
		l.op("VINSERTF128", "$1", l.xmm(a[i+2]), l.ymm(a[i]), to)
		l.op("VPERM2F128", "$0x31", l.ymm(a[i+2]), l.ymm(a[i]), l.ymm(a[i]))
		l.op(mnemonic, l.ymm(a[i]), to, l.ymm(a[i]))
	}
	y0, y1, y2, y3 := l.ymm(a[0]), l.ymm(a[1]), l.ymm(a[2]), l.ymm(a[3])
	l.op("VUNPCKLPD", y1, y0, y2) // 2 lanes of rows 0, 1, 2, 3
	l.op("VUNPCKHPD", y1, y0, y3)
	l.op(mnemonic, y3, y2, y2)
	l.op("VSHUFPS", "$0x88", y2, y2, y0)
	l.op("VSHUFPS", "$0xdd", y2, y2, y1)
	l.op(mnemonic, y1, y0, y0) // rows 0, 1, 0, 1, 2, 3, 2, 3
	l.op("VPERMPD", "$0x88", y0, to)
	if l.width == 16 {
		l.op("VSHUFF64X2", "$0x44", l.part(d, 0), l.part(d, 0), l.part(d, 0))
	}
}

func (l *amd64Level) shareLane(d, four reg, i int) {
	l.op("VPERMILPS", fmt.Sprintf("$%#x", 0x55*i), l.part(four, 0), l.part(d, 0))
}

func (l *amd64Level) insert(four reg, i int, m mem) {
	x := fmt.Sprintf("X%d", four.first)
	if i == 0 {
		l.op("VMOVSS", l.address(m, 0), x)
		return
	}
	t := l.take(1)
	l.op("VBROADCASTSS", l.address(m, 0), fmt.Sprintf("X%d", t.first))
	l.op("VBLENDPS", fmt.Sprintf("$%d", 1<<i), fmt.Sprintf("X%d", t.first), x, x)
	l.free(t)
}

func (l *amd64Level) storeFour(m mem, four reg) {
	l.op("VMOVUPS", fmt.Sprintf("X%d", four.first), l.address(m, 0))
}

func value(b any) string {
	if n, ok := b.(int); ok {
		return fmt.Sprintf("$%d", n)
	}
	return fmt.Sprint(b)
}

func (l *amd64Level) move(d word, b any) {
	if b == 0 {
		l.op("XORQ", d, d)
		return
	}
	l.op("MOVQ", value(b), d)
}

func (l *amd64Level) setArg(d word, name string) { l.op("MOVQ", l.param(name), d) }
func (l *amd64Level) frameOf(d word, bytes int) {
	l.frame = bytes
	l.op("LEAQ", fmt.Sprintf("own-%d(SP)", bytes), d)
}
func (l *amd64Level) addTo(d word, b any)        { l.op("ADDQ", value(b), d) }
func (l *amd64Level) addArg(d word, name string) { l.op("ADDQ", l.param(name), d) }
func (l *amd64Level) mask(d word, b int)         { l.op("ANDQ", value(b), d) }
func (l *amd64Level) scale(d word, bits int)     { l.op("SHLQ", value(bits), d) }
func (l *amd64Level) jump(label string)          { l.op("JMP", label) }
func (l *amd64Level) align()                     { l.op("PCALIGN", "$32") }

var jumps = map[string]string{"<": "JLT", "<=": "JLE", "==": "JEQ", "!=": "JNE", ">=": "JGE", ">": "JGT"}

func (l *amd64Level) branch(a word, op string, b any, label string) {
	if b == 0 {
		l.op("TESTQ", a, a)
	} else {
		l.op("CMPQ", a, value(b))
	}
	l.op(jumps[op], label)
}

func (l *amd64Level) makeTail(bytes word) {
	l.tailEnd = bytes
	l.tailAt = l.word("mask of the tail")
	l.op("MOVQ", bytes, "AX")
	l.op("ANDQ", "$60", "AX")
	l.op("LEAQ", "tailMask<>+64(SB)", l.tailAt)
	l.op("SUBQ", "AX", l.tailAt)
	if l.width == 16 {
		l.op("VMOVUPS", l.address(mem{base: l.tailAt}, 0), l.v(0))
		l.op("VPMOVD2M", l.v(0), l.amd64.mask)
		l.free(l.tailAt)
	}
}

func (l *amd64Level) finish() {
	l.op("VZEROUPPER")
	l.op("RET")
}
