package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// neonLevel is the vector level of one arm64 function. A logical vector is four registers, which need not be neighbours.
//
// A multiply-add adds to its destination. Where that must survive, or is a factor, the result is put into another
// register, which from then on holds the value: moving it back would cost as much as the operation. Where ways through
// the function meet, all of them must have agreed on the registers; see meet.
//
// R16 and R17 belong to the operations themselves, R26 points to the numbers; R18 and R27 to R30 are not for us.
type neonLevel struct {
	scope
	next     int                    // number of the next value: of a reg, first counts parts, not registers
	unset    map[int]reg            // the values that nothing was put into so far, by each part
	names    map[int]string         // of values, by their first part
	where    map[int]int            // the register of each part of the others
	agreed   map[string]map[int]int // where, at each label that was branched to or placed
	cut      bool                   // nothing comes here but by a label
	inverted map[int]bool           // conditions that hold where the mask is zero
	tailEnd  word                   // bytes of a row
}

const (
	neonSuffix   = "NEON"
	neonRequires = "ASIMD"
	neonNumbers  = "R26" // where numbers<> is
)

func neonKernel(d description) *fn {
	l := &neonLevel{scope: newScope(d, neonSuffix, "R0 R1 R2 R3 R4 R5 R6 R7 R8 R9 R10 R11 R12 R13 R14 R15 R19 R20 R21 R22 R23 R24 R25"),
		unset: map[int]reg{}, names: map[int]string{}, where: map[int]int{}, agreed: map[string]map[int]int{}, inverted: map[int]bool{}}
	l.placing = l.meetHere
	return l.printOn(l, d, neonRequires, "R26 the numbers; R16, R17")
}

// Registers.

// spare returns a register that is not in use.
func (l *neonLevel) spare() int {
	var used [32]bool
	for _, v := range l.where {
		used[v] = true
	}
	v := slices.Index(used[:], false)
	if v < 0 {
		panic(l.name + ": out of vector registers")
	}
	return v
}

func (l *neonLevel) take(name string, parts int) reg {
	r := reg{l.next, parts}
	l.next += parts
	l.names[r.first] = name
	l.hold(r)
	return r
}

// hold has no registers for the values before they are used.
func (l *neonLevel) hold(rs ...reg) {
	for _, r := range rs {
		for p := range r.parts {
			l.unset[r.first+p] = r
		}
	}
}

func (l *neonLevel) free(what ...any) {
	for _, w := range what {
		switch w := w.(type) {
		case reg:
			for p := range w.parts {
				delete(l.unset, w.first+p)
				delete(l.where, w.first+p)
			}
		case cond:
			l.free(reg(w))
		case word:
			l.words = append(l.words, w)
		}
	}
}

// v returns the register that holds a part.
func (l *neonLevel) v(r reg, p int) int {
	part := r.first + min(p, r.parts-1)
	if whole, ok := l.unset[part]; ok {
		l.place(whole)
	}
	v, ok := l.where[part]
	if !ok {
		panic(l.name + ": use of a freed register")
	}
	return v
}

// place gives a value its registers.
func (l *neonLevel) place(r reg) {
	for p := range r.parts {
		delete(l.unset, r.first+p)
		l.where[r.first+p] = l.spare()
	}
	if name := l.names[r.first]; name != "" {
		first, last := l.v(r, 0), l.v(r, r.parts-1)
		text := fmt.Sprintf("V%d", first)
		switch {
		case last-first != r.parts-1:
			for p := 1; p < r.parts; p++ {
				text += fmt.Sprintf(" V%d", l.v(r, p))
			}
		case r.parts > 1:
			text += fmt.Sprintf("-V%d", last)
		}
		l.vectorMap.note(text, name)
	}
}

func (l *neonLevel) vec(name string) reg { return l.take(name, 4) }
func (l *neonLevel) uni(name string) reg { return l.take(name, 1) }
func (l *neonLevel) test() cond          { return cond(l.take("", 4)) }

// fit keeps a register for constants.
func (l *neonLevel) fit(vectors int) int { return fitting(31-len(l.where), 4*vectors) }

func (l *neonLevel) arg(name string) word {
	w := l.word(name)
	l.setArg(w, name)
	return w
}

// become lets print compute a part anew: into its register if that may be overwritten at once, else into another one.
func (l *neonLevel) become(d reg, p int, inPlace bool, print func(v int)) {
	v := l.v(d, p)
	if !inPlace {
		v = l.spare()
	}
	print(v)
	l.where[d.first+p] = v
}

// Ways through the function.

// meet prints what makes the values lie where all ways to the label have them. The first one decides.
func (l *neonLevel) meet(label string) {
	agreed, ok := l.agreed[label]
	if !ok {
		l.agreed[label] = maps.Clone(l.where)
		return
	}
	moves := map[int]int{} // from to
	for part, from := range l.where {
		if to, ok := agreed[part]; ok && to != from {
			moves[from] = to
			l.where[part] = to
		}
	}
	for len(moves) > 0 {
		done := false
		for _, from := range slices.Sorted(maps.Keys(moves)) {
			to := moves[from]
			if _, occupied := moves[to]; !occupied {
				l.copyVector(to, from)
				delete(moves, from)
				done = true
			}
		}
		if !done { // they go round in circles: one of them waits elsewhere
			from := slices.Min(slices.Collect(maps.Keys(moves)))
			to := l.spare()
			l.copyVector(to, from)
			moves[to] = moves[from]
			delete(moves, from)
		}
	}
	l.requireOneEach()
}

// meetHere is meet for a label that is about to be placed.
func (l *neonLevel) meetHere(label string) {
	if agreed, ok := l.agreed[label]; ok && l.cut {
		for part := range l.where {
			if v, ok := agreed[part]; ok {
				l.where[part] = v
			}
		}
		l.requireOneEach()
	} else {
		l.meet(label)
	}
	l.cut = false
}

func (l *neonLevel) requireOneEach() {
	seen := map[int]bool{}
	for _, v := range l.where {
		if seen[v] {
			panic(l.name + ": two values in one register")
		}
		seen[v] = true
	}
}

func (l *neonLevel) branch(a word, op string, b any, label string) {
	l.meet(label)
	switch {
	case b == 0 && op == "==":
		l.op("CBZ", a, label)
	case b == 0 && op == "!=":
		l.op("CBNZ", a, label)
	default:
		l.op("CMP", value(b), a)
		l.op(neonBranches[op], label)
	}
}

var neonBranches = map[string]string{"<": "BLT", "<=": "BLE", "==": "BEQ", "!=": "BNE", ">=": "BGE", ">": "BGT"}

func (l *neonLevel) jump(label string) {
	l.meet(label)
	l.op("B", label)
	l.cut = true
}

func (l *neonLevel) align() { l.op("PCALIGN", "$16") }

func (l *neonLevel) finish() {
	l.op("RET")
	text := l.body.String()
	if strings.Contains(text, neonNumbers) {
		l.body.Reset()
		l.op("MOVD", "$numbers<>(SB)", neonNumbers)
		l.body.WriteString(text)
	}
}

// General registers.

func (l *neonLevel) move(d word, b any)         { l.op("MOVD", value(b), d) }
func (l *neonLevel) setArg(d word, name string) { l.op("MOVD", l.param(name), d) }
func (l *neonLevel) frameOf(d word, bytes int) {
	l.frame = bytes
	l.op("MOVD", fmt.Sprintf("$own-%d(SP)", bytes), d)
}
func (l *neonLevel) addTo(d word, b any)        { l.op("ADD", value(b), d) }
func (l *neonLevel) mask(d word, b int)         { l.op("AND", value(b), d) }
func (l *neonLevel) scale(d word, bits int)     { l.op("LSL", value(bits), d) }
func (l *neonLevel) loadLabel(d word, m mem)    { l.op("MOVWU", l.one(m), d) }
func (l *neonLevel) makeTail(bytes word)        { l.tailEnd = bytes }
func (l *neonLevel) addArg(d word, name string) {
	l.op("MOVD", l.param(name), "R16")
	l.op("ADD", "R16", d)
}

// Memory.

// at returns a register that holds the address, and what must be added to it.
func (l *neonLevel) at(m mem) (string, int) {
	if m.index == "" {
		return string(m.base), m.offset
	}
	l.op("ADD", m.index, m.base, "R16")
	return "R16", m.offset
}

// one returns the address of a single element.
func (l *neonLevel) one(m mem) string {
	base, offset := l.at(m)
	return fmt.Sprintf("%d(%s)", offset, base)
}

// bare returns a register with the address itself.
func (l *neonLevel) bare(m mem) string {
	base, offset := l.at(m)
	if offset != 0 {
		l.op("ADD", value(offset), base, "R16")
		return "R16"
	}
	return base
}

func (l *neonLevel) toR16(m mem) {
	if at := l.bare(m); at != "R16" {
		l.op("MOVD", at, "R16")
	}
}

func (l *neonLevel) load(d reg, m mem)    { l.loadFilled(d, m, 0) }
func (l *neonLevel) loadLow(d reg, m mem) { l.loadFilled(d, m, minusInf) }

func (l *neonLevel) loadFilled(d reg, m mem, fill num) {
	if !m.tail {
		base, offset := l.at(m)
		for p := 0; p < 4; p += 2 {
			l.op("FLDPQ", fmt.Sprintf("%d(%s)", offset+16*p, base), fmt.Sprintf("(F%d, F%d)", l.v(d, p), l.v(d, p+1)))
		}
		return
	}
	last := l.take("", 1) // the register that the tail fills in part, or not at all
	defer l.free(last)
	t := l.v(last, 0)
	l.constant(t, fill)
	l.toR16(m)
	l.op("AND", "$48", l.tailEnd, "R17")
	l.op("ADD", "R16", "R17")
	one, loaded := l.label("one"), l.label("last")
	l.op("TBZ", "$3", l.tailEnd, one)
	l.op("VLD1.P", "8(R17)", fmt.Sprintf("V%d.D[0]", t))
	l.op("TBZ", "$2", l.tailEnd, loaded)
	l.op("VLD1", "(R17)", fmt.Sprintf("V%d.S[2]", t))
	l.op("B", loaded)
	l.fn.at(one)
	l.op("TBZ", "$2", l.tailEnd, loaded)
	l.op("VLD1", "(R17)", fmt.Sprintf("V%d.S[0]", t))
	l.fn.at(loaded)
	for p := 1; p < 4; p++ {
		l.constant(l.v(d, p), fill)
	}
	l.eachQuad(func(p int) {
		if p == 3 {
			l.op("FLDPQ", "(R16)", fmt.Sprintf("(F%d, F%d)", l.v(d, 0), l.v(d, 1)))
			l.op("FMOVQ", "32(R16)", fmt.Sprintf("F%d", l.v(d, 2)))
		} else if p == 2 {
			l.op("FLDPQ", "(R16)", fmt.Sprintf("(F%d, F%d)", l.v(d, 0), l.v(d, 1)))
		} else if p == 1 {
			l.op("FMOVQ", "(R16)", fmt.Sprintf("F%d", l.v(d, 0)))
		}
		l.copyVector(l.v(d, p), t)
	})
}

// eachQuad prints what to do for each part p that may be the one that the tail fills in part.
func (l *neonLevel) eachQuad(do func(p int)) {
	low, even, lowEven, done := l.label("low"), l.label("two"), l.label("none"), l.label("parts")
	l.op("TBZ", "$5", l.tailEnd, low)
	l.op("TBZ", "$4", l.tailEnd, even)
	do(3)
	l.op("B", done)
	l.fn.at(even)
	do(2)
	l.op("B", done)
	l.fn.at(low)
	l.op("TBZ", "$4", l.tailEnd, lowEven)
	do(1)
	l.op("B", done)
	l.fn.at(lowEven)
	do(0)
	l.fn.at(done)
}

func (l *neonLevel) store(m mem, s reg) {
	if !m.tail {
		base, offset := l.at(m)
		for p := 0; p < 4; p += 2 {
			l.op("FSTPQ", fmt.Sprintf("(F%d, F%d)", l.v(s, p), l.v(s, p+1)), fmt.Sprintf("%d(%s)", offset+16*p, base))
		}
		return
	}
	last := l.take("", 1)
	defer l.free(last)
	t := l.v(last, 0)
	l.toR16(m)
	l.eachQuad(func(p int) {
		l.copyVector(t, l.v(s, p))
		if p >= 2 {
			l.op("FSTPQ.P", fmt.Sprintf("(F%d, F%d)", l.v(s, 0), l.v(s, 1)), "32(R16)")
		}
		if p%2 == 1 {
			l.op("FMOVQ.P", fmt.Sprintf("F%d", l.v(s, p-1)), "16(R16)")
		}
	})
	one, done := l.label("one"), l.label("stored")
	l.op("TBZ", "$3", l.tailEnd, one)
	l.op("FMOVD.P", fmt.Sprintf("F%d", t), "8(R16)")
	l.op("VDUP", fmt.Sprintf("V%d.D[1]", t), fmt.Sprintf("V%d.D2", t))
	l.fn.at(one)
	l.op("TBZ", "$2", l.tailEnd, done)
	l.op("FMOVS", fmt.Sprintf("F%d", t), "(R16)")
	l.fn.at(done)
}

func (l *neonLevel) share(d reg, m mem) {
	l.op("VLD1R", fmt.Sprintf("(%s)", l.bare(m)), fmt.Sprintf("[V%d.S4]", l.v(d, 0)))
}

func (l *neonLevel) shareArg(d reg, name string) {
	l.op("FMOVS", l.param(name), fmt.Sprintf("F%d", l.v(d, 0)))
	l.lane(d, l.v(d, 0), 0)
}

// lane sets d to a lane of a register.
func (l *neonLevel) lane(d reg, v, i int) {
	l.op("VDUP", fmt.Sprintf("V%d.S[%d]", v, i), fmt.Sprintf("V%d.S4", l.v(d, 0)))
}

func (l *neonLevel) storeOne(m mem, s reg) { l.op("FMOVS", fmt.Sprintf("F%d", l.v(s, 0)), l.one(m)) }

func (l *neonLevel) laneNumbers(d reg) {
	for p := range 4 {
		l.op("FMOVQ", fmt.Sprintf("%d(%s)", neonLaneNumbers+16*p, neonNumbers), fmt.Sprintf("F%d", l.v(d, p)))
	}
}

// keepTail reads the masks from 64 bytes before their end, less four for each lane.
func (l *neonLevel) keepTail(d reg) {
	mask := l.take("", 1)
	l.op("AND", "$60", l.tailEnd, "R16")
	l.op("SUB", "R16", neonNumbers, "R16")
	for p := range 4 {
		l.op("FMOVQ", fmt.Sprintf("%d(R16)", 64+16*p), fmt.Sprintf("F%d", l.v(mask, 0)))
		l.vector3("AND", l.v(d, p), l.v(d, p), l.v(mask, 0))
	}
	l.free(mask)
}

func (l *neonLevel) insert(four reg, i int, m mem) {
	if i == 0 { // clears the others
		l.op("FMOVS", l.one(m), fmt.Sprintf("F%d", l.v(four, 0)))
		return
	}
	l.op("VLD1", fmt.Sprintf("(%s)", l.bare(m)), fmt.Sprintf("V%d.S[%d]", l.v(four, 0), i))
}

func (l *neonLevel) storeFour(m mem, four reg) {
	l.op("FMOVQ", fmt.Sprintf("F%d", l.v(four, 0)), l.one(m))
}
