package main

import (
	"fmt"
	"slices"
	"strings"
)

// description is a kernel before it is printed for a level.
type description struct {
	name   string
	params string
	loop   string // what it computes
	body   func(k *kernel)
}

// scope is what the levels share while they print a kernel: its parameters, and what its registers hold.
type scope struct {
	*fn
	words      []word // general registers that are not in use, the next one last
	offsets    map[string]int
	vectorMap  registerMap
	generalMap registerMap
}

func newScope(d description, suffix, words string) scope {
	f := &fn{name: d.name + suffix, proto: d.params, consts: map[num]bool{}}
	s := scope{fn: f, offsets: map[string]int{}}
	for _, w := range strings.Fields(words) {
		s.words = append(s.words, word(w))
	}
	slices.Reverse(s.words)
	var waiting []string
	for _, p := range strings.Split(d.params, ", ") {
		name, kind, _ := strings.Cut(p, " ")
		waiting = append(waiting, name)
		if kind == "" {
			continue
		}
		size := 8
		if kind == "float32" {
			size = 4
		}
		for _, w := range waiting {
			f.args = (f.args + size - 1) / size * size
			s.offsets[w] = f.args
			f.args += size
		}
		waiting = nil
	}
	return s
}

// printOn prints the description with the operations of the level, which must belong to the scope.
func (s *scope) printOn(level isa, d description, requires, scratch string) *fn {
	s.note("%s", d.loop)
	s.note("")
	s.note("Requires: %s", requires)
	s.note("")
	d.body(&kernel{fn: s.fn, isa: level})
	level.finish()
	if len(s.vectorMap.order) > 0 {
		s.note("Vectors: %v; the others temporary.", &s.vectorMap)
	}
	s.note("General: %v; %s scratch.", &s.generalMap, scratch)
	return s.fn
}

func (s *scope) word(name string) word {
	w := s.words[len(s.words)-1]
	s.words = s.words[:len(s.words)-1]
	s.generalMap.note(string(w), name)
	return w
}

func (s *scope) param(name string) string {
	at, ok := s.offsets[name]
	if !ok {
		panic(s.name + ": no parameter " + name)
	}
	return fmt.Sprintf("%s+%d(FP)", name, at)
}

// registerMap says what registers hold, each of them perhaps one thing after the other.
type registerMap struct {
	order []string
	names map[string][]string
}

func (m *registerMap) note(register, name string) {
	if m.names == nil {
		m.names = map[string][]string{}
	}
	if m.names[register] == nil {
		m.order = append(m.order, register)
	}
	if !slices.Contains(m.names[register], name) {
		m.names[register] = append(m.names[register], name)
	}
}

func (m *registerMap) String() string {
	var all []string
	for _, r := range m.order {
		all = append(all, r+" "+strings.Join(m.names[r], ", then "))
	}
	return strings.Join(all, "; ")
}

// fitting is the isa's fit for so many registers left: 4, 2 or 1 times.
func fitting(left, needed int) int {
	switch n := left / needed; {
	case n >= 4:
		return 4
	case n >= 2:
		return 2
	}
	return 1
}
