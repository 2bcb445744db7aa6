//go:build ignore

// Extract makes glosses.tsv.gz from WordNet: go run extract.go < /usr/share/wordnet/data.noun > glosses.tsv.gz
//
// The file data.noun is described in wndb(5WN): an offset, the number of a file of lexicographers, the words of a synset, pointers
// to other synsets, and the gloss.
package main

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
)

// categories are the files of lexicographers that have the most nouns, by their numbers in lexnames(5WN).
var categories = map[string]string{
	"04": "act", "05": "animal", "06": "artifact", "07": "attribute", "09": "cognition", "10": "communication", "14": "group",
	"15": "location", "18": "person", "20": "plant", "26": "state", "27": "substance",
}

const rows = 12000 // drawn from some 69,000

type synset struct {
	category, gloss                                string
	broader                                        []string
	words, synonyms, narrower, parts, verbs, names int
	depth                                          int // of steps to "entity", -1 before it is known
}

func main() {
	synsets := map[string]*synset{}
	var offsets []string
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if line := lines.Text(); !strings.HasPrefix(line, "  ") { // the licence is indented
			offset, s := parse(line)
			synsets[offset] = s
			if s.category != "" && s.gloss != "" {
				offsets = append(offsets, offset)
			}
		}
	}
	check(lines.Err())

	rand.New(rand.NewPCG(1, 0)).Shuffle(len(offsets), func(i, j int) { offsets[i], offsets[j] = offsets[j], offsets[i] })
	z, err := gzip.NewWriterLevel(os.Stdout, gzip.BestCompression)
	check(err)
	fmt.Fprintln(z, "gloss\tcategory\tdepth\twords\tsynonyms\tnarrower\tparts\tverbs\tnames")
	for _, o := range offsets[:rows] {
		s := synsets[o]
		fmt.Fprintf(z, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", s.gloss, s.category, depth(synsets, o), s.words, s.synonyms, s.narrower, s.parts, s.verbs, s.names)
	}
	check(z.Close())
}

func parse(line string) (offset string, s *synset) {
	data, gloss, _ := strings.Cut(line, " | ")
	f := strings.Fields(data)
	n, err := strconv.ParseInt(f[3], 16, 0)
	check(err)
	s = &synset{category: categories[f[1]], synonyms: int(n) - 1, depth: -1}
	s.words = strings.Count(f[4], "_") + 1
	if f[4] != strings.ToLower(f[4]) {
		s.names = 1
	}
	for p := f[4+2*n+1:]; len(p) >= 4; p = p[4:] { // each pointer has a symbol, an offset, a part of speech and words
		switch symbol := p[0]; {
		case symbol[0] == '@':
			s.broader = append(s.broader, p[1])
		case symbol[0] == '~':
			s.narrower++
		case symbol[0] == '%':
			s.parts++
		case symbol == "+" && p[2] == "v":
			s.verbs++
		}
	}
	// Examples in quotes follow the definition.
	gloss, _, _ = strings.Cut(gloss, `"`)
	s.gloss = strings.TrimRight(strings.Join(strings.Fields(gloss), " "), " ;:,")
	return f[0], s
}

// depth returns the number of steps on the shortest way up.
func depth(synsets map[string]*synset, offset string) int {
	s := synsets[offset]
	if s.depth < 0 {
		s.depth = 0
		var above []int
		for _, o := range s.broader {
			above = append(above, depth(synsets, o)+1)
		}
		if len(above) > 0 {
			s.depth = slices.Min(above)
		}
	}
	return s.depth
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
