package main

import "math"

// The kernels other than the products are described here over logical vectors of 16 lanes: one register of AVX-512, two
// of AVX2, four of NEON. A level provides the operations of isa; a kernel adds to them what all levels share, such as
// the loops, and nothing in the descriptions names an instruction.

// A reg is a logical vector in consecutive registers or, with one part, a value that all lanes share.
type reg struct{ first, parts int }

// A cond is the outcome of a comparison, lane by lane.
type cond reg

// A num is a constant in every lane, by its bits.
type num uint32

// A word is a general register.
type word string

// A mem is 16 elements of memory at base+index+offset; of a tail only those of the last columns, and no other address
// is touched.
type mem struct {
	base, index word
	offset      int
	tail        bool
}

// isa is one vector level. Values are reg or num, at most one of them a num; d may be any of the operands. An operation
// on a d of one part is done once, and its operands must have one part too.
type isa interface {
	// Registers. What vec, uni, test and word hand out returns by free.
	vec(name string) reg
	uni(name string) reg
	test() cond
	word(name string) word
	arg(name string) word // loads a parameter
	free(what ...any)
	hold(r ...reg) // takes freed registers back, to read no more from them

	fit(vectors int) int // how many times so many vectors fit into the registers left: 4, 2 or 1

	// Memory. Beyond a tail load gives zero, and loadLow -Inf: nothing to a maximum or to a sum of exponentials.
	load(d reg, m mem)
	loadLow(d reg, m mem)
	store(m mem, s reg)
	share(d reg, m mem) // one element for all lanes
	shareArg(d reg, name string)
	storeOne(m mem, s reg)
	laneNumbers(d reg) // the integer i in lane i
	keepTail(d reg)    // zeroes the lanes beyond the tail

	set(d reg, a any)
	add(d reg, a, b any)
	sub(d reg, a, b any)
	mul(d reg, a, b any)
	div(d reg, a, b any)
	sqrt(d, a reg)
	min(d, a, bound reg) // NaN where a is; a or NaN where bound is
	max(d, a, bound reg)
	mulAdd(d reg, a, b, c any)
	mulSub(d reg, a, b, c any)
	negMulAdd(d reg, a, b, c any) // c - a·b

	and(d reg, a, b any)
	or(d reg, a, b any)
	xor(d reg, a, b any)
	addInt(d reg, a, b any)
	subInt(d reg, a, b any)
	shiftLeft(d, a reg, n int)
	shiftRight(d, a reg, n int) // arithmetic
	toFloat(d, a reg)           // of integers

	compare(c cond, a reg, op string, b any) // op is <, >, !>, !<, !<=, or == of integers
	keep(d, a reg, c cond)                   // a where c, else zero
	pick(d reg, c cond, a any, b reg)        // a where c, else b
	pickNegative(d, sign, a, b reg)          // a where the sign bit of sign is set, else b

	foldAdd(d, a reg) // d is shared: the sum of the lanes, folded 8, 4, 2, 1
	foldMax(d, a reg)

	// Four rows at a time: a half is the first folds of a row, into a shared register. Lane i of d, and lanes i+4, i+8
	// and so on, become the sum of the halves a[i], which are destroyed.
	halfAdd(d, a reg)
	halfMax(d, a reg)
	fold4Add(d reg, a []reg)
	fold4Max(d reg, a []reg)
	shareLane(d, four reg, i int)  // lane i of four for all lanes
	insert(four reg, i int, m mem) // one element becomes lane i, with i ascending from 0
	storeFour(m mem, four reg)

	// General registers. b is a word or an int.
	move(d word, b any)
	setArg(d word, name string)
	frameOf(d word, bytes int) // where the function has so many bytes of its own
	addTo(d word, b any)
	addArg(d word, name string)
	mask(d word, b int)
	scale(d word, bits int)
	loadLabel(d word, m mem) // as an unsigned number
	branch(a word, op string, b any, label string)
	jump(label string)
	align()
	makeTail(bytes word) // prepares tails for rows of so many bytes
	finish()
}

// kernel is one function being described.
type kernel struct {
	isa
	row
	fn *fn
}

// row says how the columns of a row are visited: whole vectors up to byte full, then a tail up to byte end.
type row struct {
	j, full, end word
}

// f32 returns the constant x.
func f32(x float32) num { return num(math.Float32bits(x)) }

const (
	signBit = num(1 << 31)
	allBits = num(1<<31 - 1) // of the magnitude
)

var (
	minusInf = f32(float32(math.Inf(-1)))
	nan      = f32(float32(math.NaN()))
)

// columns prepares visits to rows of the given number of columns.
func (k *kernel) columns(name string) {
	k.end = k.arg(name)
	k.scale(k.end, 2)
	k.full = k.word("full")
	k.move(k.full, k.end)
	k.mask(k.full, -64)
	k.makeTail(k.end)
	k.j = k.word("j")
}

// each visits all columns of a row: the body is printed for several vectors at once, for one and for a tail. It gets
// the place of each vector as a function from the start of a row.
func (k *kernel) each(unroll int, body func(vectors int, at func(base word, v int) mem)) {
	at := func(tail bool) func(base word, v int) mem {
		return func(base word, v int) mem { return mem{base, k.j, 64 * v, tail} }
	}
	k.move(k.j, 0)
	last, done := k.fn.label("tail"), k.fn.label("done")
	for ; unroll > 1; unroll = 1 {
		bulk, next, again := k.word("bulk"), k.fn.label("rest"), k.fn.label("bulk")
		k.move(bulk, k.end)
		k.mask(bulk, -64*unroll)
		k.branch(bulk, "==", 0, next)
		k.align()
		k.fn.at(again)
		body(unroll, at(false))
		k.addTo(k.j, 64*unroll)
		k.branch(k.j, "<", bulk, again)
		k.fn.at(next)
		k.free(bulk)
	}
	again := k.fn.label("columns")
	k.branch(k.j, ">=", k.full, last)
	k.align()
	k.fn.at(again)
	body(1, at(false))
	k.addTo(k.j, 64)
	k.branch(k.j, "<", k.full, again)
	k.fn.at(last)
	k.branch(k.j, ">=", k.end, done)
	body(1, at(true))
	k.fn.at(done)
}

// narrow returns the only vector of a row of less than 16 columns.
func narrow(base word) mem { return mem{base: base, tail: true} }

// like returns a temporary of the size of r.
func (k *kernel) like(r reg) reg {
	if r.parts == 1 {
		return k.uni("")
	}
	return k.vec("")
}

// unless skips what body prints if the word is zero.
func (k *kernel) unless(w word, body func()) {
	skip := k.fn.label("skip")
	k.branch(w, "==", 0, skip)
	body()
	k.fn.at(skip)
}

// A step moves a pointer to the next row: by a parameter or by so many bytes.
type step struct {
	pointer word
	by      any
}

// rows repeats body for each row.
func (k *kernel) rows(count word, body func(), steps ...step) {
	again, done := k.fn.label("row"), k.fn.label("end")
	k.branch(count, "<=", 0, done)
	k.fn.at(again)
	body()
	for _, s := range steps {
		if name, ok := s.by.(string); ok {
			k.addArg(s.pointer, name)
		} else {
			k.addTo(s.pointer, s.by)
		}
	}
	k.addTo(count, -1)
	k.branch(count, "!=", 0, again)
	k.fn.at(done)
}
