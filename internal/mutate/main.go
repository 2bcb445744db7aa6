// Mutate finds out what the tests would not notice. It makes one small mistake after the other in a copy of the sources, a
// sign, a bound, a check left out, and runs the tests that should fail then. A mutation that no test notices survives: a test
// is missing, or the mutation changes nothing that anybody can observe, and its list says why.
//
//	go run ./internal/mutate [-run regexp] [-sample n] [-seed n] [-v]
//
// -run takes the mutations whose list, file, function or text matches, -sample that many, spread evenly over the lists and chosen by
// the seed. It prints survivors and a summary, and with -v also what noticed the others. The exit code is 1 if a mutation
// survives that is not marked as equivalent, if one is noticed that is, or if one cannot be made.
//
// # Lists
//
// The mutations lie in lists/*.txt, in paragraphs. One without a change says what holds for those after it: the file, and
// the tests to run, in order until one fails, each the directory of a package and, unless all of its tests are meant, a
// regular expression for their names.
//
//	file: kernels/softmax.go
//	test: kernels Softmax
//	test: kernels
//
// Any other one is a mutation: what is there and what takes its place, each of one or more lines.
//
//	in: func expRow(
//	- e := exp(v - m)
//	+ e := exp(v)
//
// The text must be there exactly once: in the file, or from the one line that begins with the text after in: to the end of
// that function. If it is there more often, nth: says which one is meant, from 1. equivalent: gives the reason why nothing can
// notice the mutation. A line that begins with # is a comment.
package main

import (
	"flag"
	"fmt"
	"go/build"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	pattern := flag.String("run", "", "take the mutations whose list, file, function or text matches this regular expression")
	sample := flag.Int("sample", 0, "take this many of them")
	seed := flag.Uint64("seed", 1, "which ones -sample takes")
	verbose := flag.Bool("v", false, "also print what noticed the mutations")
	flag.Parse()
	ok, err := run(*pattern, *sample, *seed, *verbose)
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(pattern string, sample int, seed uint64, verbose bool) (ok bool, err error) {
	wanted, err := regexp.Compile(pattern)
	if err != nil {
		return false, err
	}
	root, err := moduleRoot()
	if err != nil {
		return false, err
	}
	all, err := readLists()
	if err != nil {
		return false, err
	}
	var chosen []*mutation
	for _, m := range all {
		if built(root, m.file) && wanted.MatchString(m.String()) {
			chosen = append(chosen, m)
		}
	}
	chosen = spread(chosen, sample, rand.New(rand.NewPCG(seed, 0)))
	begin := time.Now()
	r := report{verbose: verbose}
	if err := r.runAll(root, chosen); err != nil {
		return false, err
	}
	r.summary(time.Since(begin))
	return r.ok(), nil
}

// moduleRoot returns the directory of the go.mod around the working directory.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("there is no go.mod in the working directory or above it")
		}
		dir = filepath.Dir(dir)
	}
}

// built reports whether this machine builds the file: no test can notice a change in the others.
func built(root, file string) bool {
	match, err := build.Default.MatchFile(filepath.Join(root, path.Dir(file)), path.Base(file))
	return match || err != nil // a file that is missing is an error of its mutation
}

// spread returns one of each n parts of the list, or the list if n is 0 or it is not longer.
func spread(list []*mutation, n int, random *rand.Rand) []*mutation {
	if n <= 0 || n >= len(list) {
		return list
	}
	var chosen []*mutation
	for i := range n {
		from, to := i*len(list)/n, (i+1)*len(list)/n
		chosen = append(chosen, list[from+random.IntN(to-from)])
	}
	return chosen
}

// brief returns a change on one line.
func brief(text string) string { return strings.Join(strings.Fields(text), " ") }
