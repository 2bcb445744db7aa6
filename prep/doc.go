// Package prep makes the numbers that a model reads from the records that a program has, and answers records with a model.
//
//	pipeline, err := prep.New(
//		prep.Input("bird",
//			prep.Column("bill", &prep.Imputer{Strategy: prep.Mean}, &prep.Normalization{}),
//			prep.Column("island", &prep.StringLookup{OutputMode: prep.OneHot}),
//			prep.Column("seen", &prep.Calendar{Parts: []string{"month"}, Cyclic: true})),
//		prep.Target("species", prep.Column("species", &prep.LabelEncoder{})))
//	rows := prep.CSV("birds.csv", prep.Gaps("NA"))
//	err = pipeline.Fit(rows)                       // one pass, bounded memory
//	data, err := pipeline.Data(rows)               // or pipeline.Stream(rows), for Fit
//	metadata, err := pipeline.Metadata()           // an option of nn.NewModel and Save
//
//	predictor, err := prep.Load("birds.safetensors", 64)
//	var answer prep.Answer
//	err = predictor.Predict(&answer, map[string]any{"bill": 39.1, "island": "Dream", "seen": "2026-11-28"})
//
// Rows come from [CSV], [JSONLines], [Query], [Records], [Structs], [Columns] or a function of a program's own. A [Column] names what
// is read and the steps that make numbers of it; the order of columns in a file does not matter. Steps are values of the types that
// implement [Transform]; those that Keras has as layers have its names, its fields and its results, to the bin of a hash.
//
// The same steps run over training data and over what is served: a record gives the same bits in both, with any number of
// processors. A value that does not fit is an error with its row or line, column and value, and says what would be valid.
package prep
