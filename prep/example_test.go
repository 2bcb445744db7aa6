package prep_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/espalier-ml/espalier/nn"
	"github.com/espalier-ml/espalier/prep"
)

const birds = `bill,island,seen,species
39.1,Torgersen,2007-11-11,Adelie
NA,Torgersen,2007-11-16,Adelie
46.5,Dream,2008-11-02,Chinstrap
50,Dream,2009-11-21,Chinstrap
`

// readBirds returns the rows of a file that is a text here; prep.CSV takes a path.
func readBirds() prep.Rows {
	return prep.ReadCSV(func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(birds)), nil }, prep.Gaps("NA"))
}

func newBirds() *prep.Pipeline {
	pipeline, err := prep.New(
		prep.Input("bird",
			prep.Column("bill", &prep.Imputer{Strategy: prep.Mean, AddIndicator: true}, &prep.Normalization{}).Optional(),
			prep.Column("island", &prep.StringLookup{OutputMode: prep.OneHot}),
			prep.Column("seen", &prep.Calendar{Parts: []string{"year", "month"}})),
		prep.Target("species", prep.Column("species", &prep.LabelEncoder{})))
	if err != nil {
		log.Fatal(err)
	}
	return pipeline
}

// A pipeline learns from a file what it needs, and makes numbers of its rows.
func Example() {
	pipeline, rows := newBirds(), readBirds()
	if err := pipeline.Fit(rows); err != nil {
		log.Fatal(err)
	}
	data, err := pipeline.Data(rows) // or pipeline.Stream(rows.Shuffle(10_000, 1)).Prefetch(), for files that are larger than memory
	if err != nil {
		log.Fatal(err)
	}
	width, _ := pipeline.Width("bird")
	for row := range 2 {
		fmt.Println(data.Inputs["bird"].(nn.Floats)[row*width : (row+1)*width])
	}
	fmt.Println(data.Targets["species"])
	_, err = pipeline.Data(prep.Records([]map[string]any{{"bill": "long", "island": "Dream", "seen": "2010-01-01", "species": "Adelie"}}))
	fmt.Println(err)
	// Output:
	// [-1.3424709 0 0 1 0 2007 11]
	// [0 1 0 1 0 2007 11]
	// [0 0 1 1]
	// prep: Data: row 0: input "bird": column "bill": "long": is not a number
}

// A model's file holds the pipeline, so whoever loads it needs nothing else to answer records.
func ExamplePredictor() {
	pipeline := newBirds()
	if err := pipeline.Fit(readBirds()); err != nil {
		log.Fatal(err)
	}
	metadata, err := pipeline.Metadata()
	if err != nil {
		log.Fatal(err)
	}
	width, _ := pipeline.Width("bird")
	bird := nn.Input("bird", width)
	m, err := nn.NewModel([]*nn.Node{bird}, []*nn.Node{nn.Dense(2, nn.Softmax, nn.Name("species"), nn.KernelInitializer(nn.Zeros())).On(bird)}, metadata)
	if err != nil {
		log.Fatal(err)
	}
	var file bytes.Buffer // it would be trained, and saved with m.Save; prep.Load reads that
	m.WriteTo(&file)
	m, err = nn.Read(&file, nn.ForServing())
	if err != nil {
		log.Fatal(err)
	}
	loaded, err := prep.Of(m)
	if err != nil {
		log.Fatal(err)
	}
	plan, err := nn.NewPlan(m, 64)
	if err != nil {
		log.Fatal(err)
	}
	predictor, err := prep.NewPredictor(loaded, plan)
	if err != nil {
		log.Fatal(err)
	}
	var answer prep.Answer // to be used again: then nothing is allocated
	if err := predictor.Predict(&answer, map[string]any{"island": "Dream", "seen": "2026-11-28"}); err != nil {
		log.Fatal(err)
	}
	species, err := answer.Output("species")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(species.Class(0))
	fmt.Println(predictor.Predict(&answer, map[string]any{"seen": "2026-11-28"}))
	// Output:
	// Adelie 0.5
	// prep: Predict: column "island" is missing; it is not optional
}

// Describe shows what becomes of each column.
func ExamplePipeline_Describe() {
	pipeline := newBirds()
	if err := pipeline.Fit(readBirds()); err != nil {
		log.Fatal(err)
	}
	pipeline.Describe(os.Stdout)
	// Output:
	// to                from             steps                                                                                                 numbers
	// input "bird"      bill (optional)  Imputer(strategy:mean,fill_value:45.2,add_indicator:true), Normalization(mean:45.2,variance:20.6467)  2
	// input "bird"      island           StringLookup(2 texts)                                                                                 3
	// input "bird"      seen             Calendar(parts:[year,month])                                                                          2
	// target "species"  species          LabelEncoder(classes:[Adelie,Chinstrap])                                                              1
}

// Texts and lists become counts of their words; categories with too many values are hashed, alone or together.
func ExampleTextVectorization() {
	pipeline, err := prep.New(prep.Input("post",
		prep.Column("text", &prep.TextVectorization{OutputMode: prep.Count, MaxTokens: 4}),
		prep.Column("tags", &prep.StringLookup{Vocabulary: []string{"go", "ml"}, OutputMode: prep.MultiHot}).List(),
		prep.Column("author", &prep.Hashing{NumBins: 1000}),
		prep.Cross([]string{"author", "tags"}, &prep.HashedCrossing{NumBins: 100})))
	if err != nil {
		log.Fatal(err)
	}
	posts := prep.Columns{"text": []string{"Fast, fast and faster.", "Not as fast"}, "tags": []string{"go", "other"}, "author": []string{"ann", "bob"}}
	if err := pipeline.Fit(posts.Rows()); err != nil {
		log.Fatal(err)
	}
	inputs, err := pipeline.Inputs(posts.Rows())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(inputs["post"])
	// Output: [1 2 0 1 0 1 0 516 52 1 1 1 0 1 0 0 913 51]
}

// Clamp is a step of one's own: a number becomes the nearest one between two others. It is saved and served like those of the package.
type Clamp struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

func (*Clamp) Reads() prep.Kind { return prep.Number }

func (t *Clamp) Build(width int) (prep.Kind, int, error) {
	if !(t.Low < t.High) {
		return 0, 0, fmt.Errorf("low is %v, must be below high, which is %v", t.Low, t.High)
	}
	return prep.Number, width, nil
}

func (t *Clamp) Apply(c *prep.Cell) error {
	for i, v := range c.Values {
		c.Values[i] = prep.NumberOf(min(max(v.Float(), t.Low), t.High))
	}
	return nil
}

func init() { prep.Register[Clamp]("Clamp") }

func ExampleRegister() {
	pipeline, err := prep.New(prep.Input("x", prep.Column("x", &Clamp{Low: 0, High: 10}, &prep.Log{})))
	if err != nil {
		log.Fatal(err)
	}
	inputs, err := pipeline.Inputs(prep.Columns{"x": []int{-5, 0, 1, 1000}}.Rows())
	fmt.Println(inputs["x"], err)
	// Output: [0 0 0.6931472 2.3978953] <nil>
}
