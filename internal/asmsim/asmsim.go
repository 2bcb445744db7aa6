// Package asmsim runs Go assembly for amd64 in a simulator, so that tests can execute kernels whose instructions the
// machine lacks.
//
// It reads the text of a .s file and gives each TEXT the shape of a Go function. What it does not know is an error when
// the text is parsed, with the line: a simulator that guesses proves nothing. For the same reason it is stricter than
// hardware: registers and locals start with garbage, a branch on a flag that its last writer left undefined panics, and
// so do a missing VZEROUPPER and an endless loop.
package asmsim

import (
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"unsafe"
)

// Program is a parsed file. Its functions are safe for concurrent use.
type Program struct {
	// Limit is how many instructions one call may take.
	Limit int

	functions map[string]*function
	data      map[string]*symbol
	machines  sync.Pool
}

// function is one TEXT.
type function struct {
	name        string
	line        int
	frame, args int
	code        []instruction
	labels      map[string]int
}

type instruction struct {
	step step
	text string
	line int
	ran  atomic.Bool
}

// A step performs one decoded instruction.
type step func(m *machine)

// Has reports whether the program has a TEXT of that name.
func (p *Program) Has(name string) bool { return p.functions[name] != nil }

// Func sets fn, a pointer to a variable of the function's Go type, to the simulated function name. Like hardware it
// reads and writes any address. It panics if there is no such function or the type does not fit.
func (p *Program) Func(name string, fn any) { p.bind(name, fn, nil) }

// CheckedFunc is Func for a function that may touch nothing but its arguments, its locals, the program's data and what
// mem holds at the time of the call. A nil mem holds everything.
func (p *Program) CheckedFunc(name string, fn any, mem *Memory) { p.bind(name, fn, mem) }

// Unreached returns the instructions of function name that no call has executed.
func (p *Program) Unreached(name string) []string {
	var lines []string
	f := p.functions[name]
	for i := range f.code {
		if in := &f.code[i]; !in.ran.Load() {
			lines = append(lines, fmt.Sprintf("%d: %s", in.line, in.text))
		}
	}
	return lines
}

func (p *Program) bind(name string, fn any, mem *Memory) {
	f := p.functions[name]
	if f == nil {
		panic(fmt.Errorf("asmsim: no function %s", name))
	}
	target := reflect.ValueOf(fn)
	if target.Kind() != reflect.Pointer || target.Elem().Kind() != reflect.Func {
		panic(fmt.Errorf("asmsim: %s: %T is not a pointer to a func", name, fn))
	}
	typ := target.Elem().Type()
	frame, size := layout(typ)
	if size != f.args {
		panic(fmt.Errorf("asmsim: %s: line %d: TEXT has %d bytes of arguments, %v has %d", name, f.line, f.args, typ, size))
	}
	results := frame.NumField() - typ.NumOut()
	target.Elem().Set(reflect.MakeFunc(typ, func(in []reflect.Value) []reflect.Value {
		args := reflect.New(frame)
		for i, v := range in {
			args.Elem().Field(i).Set(v)
		}
		p.call(f, args.UnsafePointer(), mem)
		runtime.KeepAlive(in)
		var out []reflect.Value
		for i := range typ.NumOut() {
			out = append(out, args.Elem().Field(results+i))
		}
		return out
	}))
}

// layout returns the arguments and results of a function as a struct and their size without the padding at its end. The
// stack of ABI0 has the layout of that struct, except that results begin at a whole word.
func layout(fn reflect.Type) (frame reflect.Type, size int) {
	var fields []reflect.StructField
	add := func(t reflect.Type) {
		fields = append(fields, reflect.StructField{Name: fmt.Sprintf("F%d", len(fields)), Type: t})
	}
	for i := range fn.NumIn() {
		add(fn.In(i))
	}
	if fn.NumOut() > 0 {
		add(reflect.TypeFor[[0]uint64]())
	}
	for i := range fn.NumOut() {
		add(fn.Out(i))
	}
	frame = reflect.StructOf(fields)
	if n := len(fields); n > 0 {
		last := frame.Field(n - 1)
		size = int(last.Offset + last.Type.Size())
	}
	return frame, size
}

// call runs f on a machine of its own.
func (p *Program) call(f *function, args unsafe.Pointer, mem *Memory) {
	m, _ := p.machines.Get().(*machine)
	if m == nil {
		m = new(machine)
	}
	m.reset(f, args)
	if mem != nil {
		m.checked = true
		m.regions = append(m.regions[:0], mem.regions...)
		m.allow(args, f.args, true)
		m.allow(unsafe.Pointer(unsafe.SliceData(m.stack)), f.frame, true)
		for _, s := range p.data {
			m.allow(unsafe.Pointer(&s.words[0]), s.size, !s.readOnly)
		}
	}
	// An address that is not mapped becomes a panic that names the instruction.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			in := &f.code[m.pc-1]
			panic(fmt.Errorf("asmsim: %s: line %d: %s: %v", f.name, in.line, in.text, cause))
		}
	}()
	for left := p.Limit; m.pc >= 0; left-- {
		in := &f.code[m.pc]
		m.pc++
		if left <= 0 {
			panic("too many instructions: a runaway loop?")
		}
		if !in.ran.Load() {
			in.ran.Store(true)
		}
		in.step(m)
	}
	p.machines.Put(m)
}

// Memory is what a checked function may touch.
type Memory struct{ regions []region }

type region struct {
	from, to uint64
	writable bool
}

// Allow permits to read and write the elements of a slice.
func (mem *Memory) Allow(slice any) { mem.add(slice, true) }

// AllowRead permits to read the elements of a slice.
func (mem *Memory) AllowRead(slice any) { mem.add(slice, false) }

func (mem *Memory) add(slice any, writable bool) {
	v := reflect.ValueOf(slice)
	from := uint64(v.Pointer())
	mem.regions = append(mem.regions, region{from, from + uint64(v.Len())*uint64(v.Type().Elem().Size()), writable})
}
