package asmsim

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unsafe"
)

// symbol is static memory.
type symbol struct {
	words    []uint64
	size     int
	readOnly bool
}

func (s *symbol) bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s.words))), 8*len(s.words))
}

// kind is what an operand names.
type kind uint8

const (
	general kind = iota
	vector
	opmask
	immediate
	memory
	label
)

type operand struct {
	kind  kind
	reg   int
	lanes int    // of a vector register
	imm   uint64 // sign-extended
	pc    int    // of a label
	mem   mem
}

// mem is an address. Where it lies in the arguments, the locals or a symbol and has no index, accesses are checked when
// they are decoded.
type mem struct {
	base, index int
	scale       uint64
	disp        uint64

	fixed        bool
	offset, size int // in bytes, of the address and of what it lies in
	readOnly     bool
}

func (a *mem) at(m *machine) uint64 { return m.r[a.base] + m.r[a.index]*a.scale + a.disp }

// parseError is what decoders panic with; Parse adds the line.
type parseError string

func fail(format string, args ...any) { panic(parseError(fmt.Sprintf(format, args...))) }

// Parse reads the text of a .s file.
func Parse(text string) (*Program, error) {
	p := &Program{Limit: 1 << 26, functions: map[string]*function{}, data: map[string]*symbol{}}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line, _, _ = strings.Cut(line, "//")
		lines[i] = strings.TrimSpace(line)
	}
	// Data comes first: code may stand before what it refers to.
	for i, line := range lines {
		if err := try(func() { p.global(line) }); err != nil {
			return nil, fmt.Errorf("asmsim: line %d: %s: %s", i+1, line, err)
		}
	}
	var current *function
	for i, line := range lines {
		if err := try(func() { current = p.first(current, i+1, line) }); err != nil {
			return nil, fmt.Errorf("asmsim: line %d: %s: %s", i+1, line, err)
		}
	}
	for _, f := range p.functions {
		if n := len(f.code); n == 0 || !strings.HasPrefix(f.code[n-1].text, "RET") && !strings.HasPrefix(f.code[n-1].text, "JMP") {
			return nil, fmt.Errorf("asmsim: line %d: %s has no end", f.line, f.name)
		}
		for i := range f.code {
			in := &f.code[i]
			if err := try(func() { in.step = p.decode(f, in.text) }); err != nil {
				return nil, fmt.Errorf("asmsim: line %d: %s: %s", in.line, in.text, err)
			}
		}
	}
	return p, nil
}

// try returns the failure of do. Any other panic is a mistake of the simulator's own and goes on.
func try(do func()) (err error) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case parseError:
			err = errors.New(string(e))
		default:
			panic(e)
		}
	}()
	do()
	return nil
}

var (
	globalLine = regexp.MustCompile(`^GLOBL\s+(\S+)\(SB\),\s*(?:([\w|]+),\s*)?\$(\d+)$`)
	dataLine   = regexp.MustCompile(`^DATA\s+(\S+?)(?:\+(\w+))?\(SB\)/(\d+),\s*\$(\S+)$`)
	textLine   = regexp.MustCompile(`^TEXT\s+·(\w+)\(SB\),\s*(?:[\w|]+,\s*)?\$(\d+)(?:-(\d+))?$`)
	labelLine  = regexp.MustCompile(`^(\w+):\s*(.*)$`)
	// name+8(SB)(CX*4): offset, base and index are optional.
	address = regexp.MustCompile(`^(?:([\w·]+(?:<>)?)?([+-]?\w+)?)?\((\w+)\)(?:\((\w+)\*([1248])\))?$`)
)

// global allocates the memory of a GLOBL line.
func (p *Program) global(line string) {
	if !strings.HasPrefix(line, "GLOBL") {
		return
	}
	g := globalLine.FindStringSubmatch(line)
	if g == nil {
		fail("cannot read the line")
	}
	size := number(g[3])
	// A cache line more, so that the symbol may begin at one.
	words := make([]uint64, size/8+9)
	skip := (64 - int(uintptr(unsafe.Pointer(&words[0]))%64)) % 64 / 8
	p.data[g[1]] = &symbol{words[skip:], int(size), strings.Contains(g[2], "RODATA")}
}

// first is the pass that collects functions, labels and data.
func (p *Program) first(f *function, n int, line string) *function {
	if l := labelLine.FindStringSubmatch(line); l != nil && f != nil {
		if _, twice := f.labels[l[1]]; twice {
			fail("label declared twice")
		}
		f.labels[l[1]] = len(f.code)
		line = l[2]
	}
	word, _, _ := strings.Cut(strings.ReplaceAll(line, "\t", " "), " ")
	switch word {
	case "", "#include", "GLOBL", "PCALIGN":
	case "DATA":
		d := dataLine.FindStringSubmatch(line)
		if d == nil {
			fail("cannot read the line")
		}
		p.datum(d[1], int(numberOr0(d[2])), int(number(d[3])), d[4])
	case "TEXT":
		t := textLine.FindStringSubmatch(line)
		if t == nil {
			fail("cannot read the line")
		}
		f = &function{name: t[1], line: n, frame: int(number(t[2])), args: int(numberOr0(t[3])), labels: map[string]int{}}
		if p.Has(f.name) {
			fail("function declared twice")
		}
		p.functions[f.name] = f
	default:
		if f == nil {
			fail("instruction outside of a function")
		}
		f.code = append(f.code, instruction{text: line, line: n})
	}
	return f
}

// datum sets size bytes of a symbol to an integer or a float.
func (p *Program) datum(name string, offset, size int, value string) {
	s := p.data[name]
	if s == nil || offset+size > s.size {
		fail("outside of %s", name)
	}
	value = strings.Trim(value, "()")
	var bits uint64
	if strings.ContainsAny(value, ".") {
		x, err := strconv.ParseFloat(value, 64)
		switch {
		case err != nil || size < 4:
			fail("not a number: %s", value)
		case size == 4:
			bits = uint64(math.Float32bits(float32(x)))
		default:
			bits = math.Float64bits(x)
		}
	} else {
		bits = number(value)
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], bits)
	if size != 1 && size != 2 && size != 4 && size != 8 {
		fail("%d bytes", size)
	}
	copy(s.bytes()[offset:offset+size], b[:])
}

// number reads an integer; a negative one is sign-extended.
func number(s string) uint64 {
	if u, err := strconv.ParseUint(strings.TrimPrefix(s, "+"), 0, 64); err == nil {
		return u
	}
	i, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		fail("not a number: %s", s)
	}
	return uint64(i)
}

func numberOr0(s string) uint64 {
	if s == "" {
		return 0
	}
	return number(s)
}

var generalNames = func() map[string]int {
	names := map[string]int{"AX": 0, "CX": 1, "DX": 2, "BX": 3, "SP": rSP, "BP": rBP, "SI": 6, "DI": 7}
	for i := 8; i < 16; i++ {
		names[fmt.Sprintf("R%d", i)] = i
	}
	return names
}()

// operand reads one operand.
func (p *Program) operand(f *function, s string) operand {
	if r, ok := generalNames[s]; ok {
		return operand{kind: general, reg: r}
	}
	if len(s) >= 2 && strings.Contains("XYZK", s[:1]) {
		lanes := map[byte]int{'X': 4, 'Y': 8, 'Z': 16, 'K': 0}[s[0]]
		limit := 32
		if lanes == 0 {
			limit = 8
		}
		if r, err := strconv.Atoi(s[1:]); err == nil && r < limit {
			if lanes == 0 {
				return operand{kind: opmask, reg: r}
			}
			return operand{kind: vector, reg: r, lanes: lanes}
		}
	}
	if value, ok := strings.CutPrefix(s, "$"); ok {
		if strings.HasSuffix(value, "(SB)") {
			a := p.address(f, value)
			return operand{kind: immediate, imm: a.disp}
		}
		return operand{kind: immediate, imm: number(value)}
	}
	if pc, ok := f.labels[s]; ok {
		if pc >= len(f.code) {
			fail("label %s is behind the last instruction", s)
		}
		return operand{kind: label, pc: pc}
	}
	return operand{kind: memory, mem: p.address(f, s)}
}

// address reads an operand in memory.
func (p *Program) address(f *function, s string) mem {
	part := address.FindStringSubmatch(s)
	if part == nil {
		fail("unknown operand %s", s)
	}
	name, base := part[1], part[3]
	// A number without a sign matches as a name.
	if part[2] == "" && name != "" && name[0] >= '0' && name[0] <= '9' {
		name, part[2] = "", name
	}
	a := mem{index: rZero, fixed: true, disp: numberOr0(part[2])}
	a.offset = int(a.disp)
	switch {
	case base == "SB":
		sym := p.data[name]
		if sym == nil {
			fail("no symbol %s", name)
		}
		a.base, a.size, a.readOnly = rZero, sym.size, sym.readOnly
		a.disp += uint64(uintptr(unsafe.Pointer(&sym.words[0])))
	case base == "FP" && name != "":
		a.base, a.size = rArgs, f.args
	case base == "SP" && name != "":
		a.base, a.size = rTop, f.frame
		a.offset += f.frame
	case base == "SP":
		a.base, a.size = rSP, f.frame
	default:
		r, ok := generalNames[base]
		if !ok || name != "" {
			fail("unknown operand %s", s)
		}
		a.base, a.fixed = r, false
	}
	if part[4] != "" {
		r, ok := generalNames[part[4]]
		if !ok || r == rSP {
			fail("unknown index in %s", s)
		}
		a.index, a.scale, a.fixed = r, number(part[5]), false
	}
	return a
}

// access demands that size bytes may be read or written at the address, as far as that is known now.
func (a *mem) access(size int, write bool) {
	if a.fixed && (a.offset < 0 || a.offset+size > a.size) {
		fail("%d bytes at %d of %d are out of bounds", size, a.offset, a.size)
	}
	if write && a.readOnly {
		fail("write to read-only data")
	}
}
