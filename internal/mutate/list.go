package main

import (
	"embed"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

//go:embed lists/*.txt
var lists embed.FS

// A mutation is one small change of the sources.
type mutation struct {
	list       string // where it is written
	line       int
	file       string // with slashes, from the root of the module
	in         string // how the line begins that its function begins with; "" for the whole file
	nth        int    // which of several places; 0 for the only one
	old, new   string
	tests      []test
	equivalent string // why nothing can notice it
}

// A test is what should notice a mutation: tests of a package.
type test struct {
	pkg  string // its directory, with slashes
	name string // a regular expression; "" for all of them
}

func (m *mutation) String() string {
	return fmt.Sprintf("%s:%d: %s: %s: %s -> %s", m.list, m.line, m.file, m.in, brief(m.old), brief(m.new))
}

// readLists returns the mutations of all lists.
func readLists() ([]*mutation, error) {
	files, err := lists.ReadDir("lists")
	if err != nil {
		return nil, err
	}
	var all []*mutation
	for _, f := range files {
		text, err := lists.ReadFile("lists/" + f.Name())
		if err != nil {
			return nil, err
		}
		list, err := parse(strings.TrimSuffix(f.Name(), ".txt"), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	return all, nil
}

// parse reads a list.
func parse(name, text string) ([]*mutation, error) {
	var all []*mutation
	var settings mutation // what holds until it changes
	lines := strings.Split(text, "\n")
	for at := 0; at < len(lines); {
		begin := at
		for at < len(lines) && lines[at] != "" {
			at++
		}
		m := &mutation{list: name, line: begin + 1}
		changes, err := m.parse(lines[begin:at])
		at++
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, m.line, err)
		}
		if m.file == "" {
			m.file = settings.file
		}
		if m.tests == nil {
			m.tests = settings.tests
		}
		if !changes {
			settings = *m
			continue
		}
		if err := m.check(); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", name, m.line, err)
		}
		all = append(all, m)
	}
	return all, nil
}

// parse reads a paragraph, and reports whether it is a change.
func (m *mutation) parse(lines []string) (changes bool, err error) {
	var old, new []string
	for _, line := range lines {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "-":
			old = append(old, value)
		case "+":
			new = append(new, value)
		case "file:":
			m.file = value
		case "in:":
			m.in = value
		case "nth:":
			if m.nth, err = strconv.Atoi(value); err != nil || m.nth < 1 {
				return false, fmt.Errorf("nth is %q", value)
			}
		case "test:":
			pkg, names, _ := strings.Cut(value, " ")
			m.tests = append(m.tests, test{pkg, names})
		case "equivalent:":
			m.equivalent = value
		default:
			if !strings.HasPrefix(line, "#") {
				return false, fmt.Errorf("unknown line %q", line)
			}
		}
	}
	m.old, m.new = strings.Join(old, "\n"), strings.Join(new, "\n")
	return len(old)+len(new) > 0, nil
}

func (m *mutation) check() error {
	switch {
	case m.file == "" || path.IsAbs(m.file):
		return fmt.Errorf("file is %q", m.file)
	case m.old == "" || m.old == m.new:
		return errors.New("nothing changes")
	case len(m.tests) == 0:
		return errors.New("there are no tests")
	}
	return nil
}

// apply returns the source with the mutation, and the line where it begins.
func (m *mutation) apply(source string) (mutated string, line int, err error) {
	from, to, err := m.scope(source)
	if err != nil {
		return "", 0, err
	}
	n := strings.Count(source[from:to], m.old)
	if m.nth == 0 && n != 1 || n < m.nth {
		return "", 0, fmt.Errorf("the text is there %d times", n)
	}
	at := from + strings.Index(source[from:to], m.old)
	for range m.nth - 1 {
		next := at + len(m.old)
		at = next + strings.Index(source[next:to], m.old)
	}
	return source[:at] + m.new + source[at+len(m.old):], 1 + strings.Count(source[:at], "\n"), nil
}

// scope returns where the function begins and ends that the mutation is in.
func (m *mutation) scope(source string) (from, to int, err error) {
	if m.in == "" {
		return 0, len(source), nil
	}
	begin := "\n" + m.in
	if n := strings.Count(source, begin); n != 1 {
		return 0, 0, fmt.Errorf("%d lines begin with %q", n, m.in)
	}
	from = strings.Index(source, begin) + 1
	to = len(source)
	for _, next := range []string{"\nfunc ", "\nTEXT "} {
		if i := strings.Index(source[from:], next); i >= 0 {
			to = min(to, from+i)
		}
	}
	return from, to, nil
}
