package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// A report collects results, from several goroutines.
type report struct {
	verbose bool
	mutex   sync.Mutex
	results []result
}

// verdict says what a result means.
func (r result) verdict() string {
	switch {
	case r.err != nil:
		return "error"
	case r.failure != "" && r.equivalent != "":
		return "noticed" // though it is marked as equivalent
	case r.failure != "":
		return "killed"
	case r.equivalent != "":
		return "equivalent"
	}
	return "survived"
}

// add prints a result, if somebody should see it.
func (r *report) add(res result) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.results = append(r.results, res)
	verdict := res.verdict()
	if !r.verbose && (verdict == "killed" || verdict == "equivalent") {
		return
	}
	fmt.Printf("%s: %s:%d (%s:%d, %.0f s)\n", verdict, res.file, res.at, res.list, res.line, res.duration.Seconds())
	fmt.Printf("\t- %s\n\t+ %s\n", strings.ReplaceAll(res.old, "\n", "\n\t- "), strings.ReplaceAll(res.new, "\n", "\n\t+ "))
	switch {
	case res.err != nil:
		fmt.Printf("\t%v\n", res.err)
	case res.failure != "":
		fmt.Printf("\t%s\n", res.failure)
	case res.equivalent != "":
		fmt.Printf("\t%s\n", res.equivalent)
	}
}

// summary prints the numbers of verdicts, for each list and for all of them.
func (r *report) summary(duration time.Duration) {
	counts := map[string]map[string]int{}
	for _, res := range r.results {
		for _, list := range []string{res.list, "total"} {
			if counts[list] == nil {
				counts[list] = map[string]int{}
			}
			counts[list][res.verdict()]++
		}
	}
	var names []string
	for name := range counts {
		if name != "total" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range append(names, "total") {
		c := counts[name]
		fmt.Printf("%-10s %4d killed %4d equivalent %4d survived", name, c["killed"], c["equivalent"], c["survived"])
		if bad := c["error"] + c["noticed"]; bad > 0 {
			fmt.Printf(" %4d errors", bad)
		}
		fmt.Println()
	}
	fmt.Printf("%d mutations in %v\n", len(r.results), duration.Round(time.Second))
}

// ok reports whether every mutation did what is expected of it.
func (r *report) ok() bool {
	return !slices.ContainsFunc(r.results, func(res result) bool {
		v := res.verdict()
		return v != "killed" && v != "equivalent"
	})
}
