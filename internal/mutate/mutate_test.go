package main

import (
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every mutation can be made in the sources as they are, so that the lists do not rot.
func TestListsFitTheSources(t *testing.T) {
	all, err := readLists()
	require.NoError(t, err)
	root, err := moduleRoot()
	require.NoError(t, err)
	sources, seen := map[string]string{}, map[string]string{}
	for _, m := range all {
		if sources[m.file] == "" {
			text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.file)))
			require.NoError(t, err, "%v", m)
			sources[m.file] = string(text)
		}
		mutated, _, err := m.apply(sources[m.file])
		if err == nil && strings.HasSuffix(m.file, ".go") {
			_, err = parser.ParseFile(token.NewFileSet(), m.file, mutated, parser.SkipObjectResolution)
		}
		if err != nil {
			t.Errorf("%v: %v", m, err)
			continue
		}
		for _, test := range m.tests {
			require.DirExists(t, filepath.Join(root, filepath.FromSlash(test.pkg)), "%v", m)
		}
		key := m.file + "\n" + mutated
		if other, ok := seen[key]; ok {
			t.Errorf("the same mutation twice: %s\n%v", other, m)
		}
		seen[key] = m.String()
	}
}

func TestParse(t *testing.T) {
	list, err := parse("room", "# a comment\nfile: a.go\ntest: a Fast\ntest: a\n\nin: func f(\nnth: 2\n- x++\n- y++\n+\n\nfile: b.go\ntest: b\n- 1\n+ 2\nequivalent: it is unused\n\n- 3\n+ 4\n")
	require.NoError(t, err)
	require.Len(t, list, 3)
	tests := []test{{"a", "Fast"}, {"a", ""}}
	require.Equal(t, &mutation{list: "room", line: 6, file: "a.go", in: "func f(", nth: 2, old: "x++\ny++", tests: tests}, list[0])
	require.Equal(t, &mutation{list: "room", line: 12, file: "b.go", old: "1", new: "2", tests: []test{{"b", ""}}, equivalent: "it is unused"}, list[1])
	require.Equal(t, &mutation{list: "room", line: 18, file: "a.go", old: "3", new: "4", tests: tests}, list[2])
	for text, want := range map[string]string{
		"file: a.go\ntest: a\n\nwhat":           `room:4: unknown line "what"`,
		"file: a.go\ntest: a\n- x\n+ x":         "nothing changes",
		"file: a.go\ntest: a\n+ x":              "nothing changes",
		"file: a.go\n- x\n+ y":                  "there are no tests",
		"test: a\n- x\n+ y":                     `file is ""`,
		"file: a.go\ntest: a\nnth: 0\n- x\n+ y": `nth is "0"`,
	} {
		_, err := parse("room", text)
		require.ErrorContains(t, err, want)
	}
}

func TestApply(t *testing.T) {
	const source = "package p\n\nfunc f() { x++ }\n\nfunc g() {\n\tx++\n\tx++\n\ty++\n}\n"
	for _, c := range []struct {
		m    mutation
		want string
		line int
		err  string
	}{
		{mutation{old: "y++", new: "y--"}, strings.Replace(source, "y++", "y--", 1), 8, ""},
		{mutation{in: "func f(", old: "x++", new: "x--"}, strings.Replace(source, "x++", "x--", 1), 3, ""},
		{mutation{in: "func g(", nth: 2, old: "x++", new: "x--"}, "package p\n\nfunc f() { x++ }\n\nfunc g() {\n\tx++\n\tx--\n\ty++\n}\n", 7, ""},
		{mutation{in: "func g(", old: "x++", new: "x--"}, "", 0, "the text is there 2 times"},
		{mutation{in: "func f(", old: "y++", new: "y--"}, "", 0, "the text is there 0 times"},
		{mutation{nth: 4, old: "x++", new: "x--"}, "", 0, "the text is there 3 times"},
		{mutation{in: "func h(", old: "y++", new: "y--"}, "", 0, `0 lines begin with "func h("`},
	} {
		mutated, line, err := c.m.apply(source)
		if c.err != "" {
			require.EqualError(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, mutated)
		require.Equal(t, c.line, line)
	}
}

func TestSpread(t *testing.T) {
	var list []*mutation
	for i := range 10 {
		list = append(list, &mutation{line: i})
	}
	require.Len(t, spread(list, 0, nil), 10)
	require.Len(t, spread(list, 11, nil), 10)
	for seed := range uint64(20) {
		some := spread(list, 4, rand.New(rand.NewPCG(seed, 0)))
		require.Len(t, some, 4)
		for i, m := range some {
			require.True(t, i*10/4 <= m.line && m.line < (i+1)*10/4, "part %d has %d", i, m.line)
		}
	}
}

func TestFirstFailure(t *testing.T) {
	require.Equal(t, "TestA/b/c", firstFailure("--- FAIL: TestA (0.1s)\n    --- FAIL: TestA/b (0.1s)\n        --- FAIL: TestA/b/c (0s)\nFAIL\n", os.ErrInvalid))
	require.Equal(t, "panic: boom", firstFailure("panic: boom\n\ngoroutine 1\n--- FAIL: TestA", os.ErrInvalid))
	require.Equal(t, os.ErrInvalid.Error(), firstFailure("", os.ErrInvalid))
}
