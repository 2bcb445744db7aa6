package main

import "github.com/espalier-ml/espalier/nn"

// This file is the part to read: three networks, each with the arrays that feed it.
//
// nn.Input names a block of columns in the data, nn.Dense makes a layer, and layer.On(node) calls it; a layer called
// twice shares its weights. An output goes by the name of its layer: in the losses, in the metrics, in the targets
// and in the predictions.

// ---- 1. multi-task ---------------------------------------------------------------------------------------

// multiTask has one input and two outputs.
//
//	bird (7) ── trunk_1 (128) ── trunk_2 (64) ──┬── body_mass (1)
//	                                            └── species (3)
func multiTask(seed uint64) (*nn.Model, error) {
	bird := nn.Input("bird", 7)
	trunk := nn.Dense(128, nn.ReLU, nn.Name("trunk_1")).On(bird)
	trunk = nn.Dense(64, nn.ReLU, nn.Name("trunk_2")).On(trunk)
	mass := nn.Dense(1, nn.Linear, nn.Name("body_mass")).On(trunk)
	species := nn.Dense(3, nn.Softmax, nn.Name("species")).On(trunk)

	m, err := nn.NewModel([]*nn.Node{bird}, []*nn.Node{mass, species}, nn.Name("multi_task"), nn.Seed(seed))
	if err != nil {
		return nil, err
	}
	return m, m.Compile(nn.Adam(1e-3),
		nn.Losses{"body_mass": nn.MSE(), "species": nn.SparseCategoricalCrossentropy()},
		nn.Metrics{"body_mass": {nn.MAE()}, "species": {nn.Accuracy()}})
}

func multiTaskData(birds []penguin, std standards) nn.Data {
	var bird, mass []float32
	var species []int32
	for _, b := range birds {
		bird = append(bird, std.billLength.scale(b.billLength), std.billDepth.scale(b.billDepth), std.flipper.scale(b.flipper))
		bird = append(bird, oneHot(b.island, islandNames)...)
		bird = append(bird, float32(b.sex))
		mass = append(mass, std.mass.scale(b.mass))
		species = append(species, int32(b.species))
	}
	return nn.Data{
		Inputs:  nn.Arrays{"bird": nn.Floats(bird)},
		Targets: nn.Arrays{"body_mass": nn.Floats(mass), "species": nn.Labels(species)},
	}
}

// ---- 2. multi-modal --------------------------------------------------------------------------------------

// multiModal has two inputs and one output. The layer "shared" is called twice: one set of weights, two uses.
//
//	bill (2) ── bill_encoder (5) ──┐          ┌── bill_branch (16) ──┐
//	                               ├─ shared ─┤                      ├── both (32) ── sex (1)
//	body (2) ── body_encoder (5) ──┘   (32)   └── body_branch (16) ──┘
func multiModal(seed uint64) (*nn.Model, error) {
	bill, body := nn.Input("bill", 2), nn.Input("body", 2)
	shared := nn.Dense(32, nn.ReLU, nn.Name("shared"))

	fromBill := shared.On(nn.Dense(5, nn.ReLU, nn.Name("bill_encoder")).On(bill))
	fromBody := shared.On(nn.Dense(5, nn.ReLU, nn.Name("body_encoder")).On(body))
	fromBill = nn.Dense(16, nn.ReLU, nn.Name("bill_branch")).On(fromBill)
	fromBody = nn.Dense(16, nn.ReLU, nn.Name("body_branch")).On(fromBody)

	both := nn.Concatenate(nn.Name("both")).On(fromBill, fromBody)
	sex := nn.Dense(1, nn.Sigmoid, nn.Name("sex")).On(both)

	m, err := nn.NewModel([]*nn.Node{bill, body}, []*nn.Node{sex}, nn.Name("multi_modal"), nn.Seed(seed))
	if err != nil {
		return nil, err
	}
	return m, m.Compile(nn.Adam(3e-3),
		nn.Losses{"sex": nn.BinaryCrossentropy()},
		nn.Metrics{"sex": {nn.Accuracy()}})
}

func multiModalData(birds []penguin, std standards) nn.Data {
	var bill, body, sex []float32
	for _, b := range birds {
		bill = append(bill, std.billLength.scale(b.billLength), std.billDepth.scale(b.billDepth))
		body = append(body, std.flipper.scale(b.flipper), std.mass.scale(b.mass))
		sex = append(sex, float32(b.sex))
	}
	return nn.Data{
		Inputs:  nn.Arrays{"bill": nn.Floats(bill), "body": nn.Floats(body)},
		Targets: nn.Arrays{"sex": nn.Floats(sex)},
	}
}

// ---- 3. multi-modal and multi-task -----------------------------------------------------------------------

// multiModalMultiTask has two inputs and two outputs, and no input holds what an output has to find out.
//
//	bill    (3) ── bill_encoder    (5) ──┐          ┌── bill_branch    (10) ── species   (3)
//	                                     ├─ shared ─┤
//	profile (5) ── profile_encoder (5) ──┘   (32)   └── profile_branch (10) ── body_mass (1)
func multiModalMultiTask(seed uint64) (*nn.Model, error) {
	bill, profile := nn.Input("bill", 3), nn.Input("profile", 5)
	shared := nn.Dense(32, nn.ReLU, nn.Name("shared"))

	fromBill := shared.On(nn.Dense(5, nn.ReLU, nn.Name("bill_encoder")).On(bill))
	fromProfile := shared.On(nn.Dense(5, nn.ReLU, nn.Name("profile_encoder")).On(profile))
	fromBill = nn.Dense(10, nn.ReLU, nn.Name("bill_branch")).On(fromBill)
	fromProfile = nn.Dense(10, nn.ReLU, nn.Name("profile_branch")).On(fromProfile)

	mass := nn.Dense(1, nn.Linear, nn.Name("body_mass")).On(fromProfile)
	species := nn.Dense(3, nn.Softmax, nn.Name("species")).On(fromBill)

	m, err := nn.NewModel([]*nn.Node{bill, profile}, []*nn.Node{mass, species}, nn.Name("multi_modal_multi_task"), nn.Seed(seed))
	if err != nil {
		return nil, err
	}
	return m, m.Compile(nn.Adam(3e-3),
		nn.Losses{"body_mass": nn.MSE(), "species": nn.SparseCategoricalCrossentropy()},
		nn.Metrics{"body_mass": {nn.MAE()}, "species": {nn.Accuracy()}})
}

func multiModalMultiTaskData(birds []penguin, std standards) nn.Data {
	var bill, profile, mass []float32
	var species []int32
	for _, b := range birds {
		bill = append(bill, std.billLength.scale(b.billLength), std.billDepth.scale(b.billDepth), float32(b.sex))
		profile = append(profile, std.flipper.scale(b.flipper), float32(b.sex))
		profile = append(profile, oneHot(b.island, islandNames)...)
		mass = append(mass, std.mass.scale(b.mass))
		species = append(species, int32(b.species))
	}
	return nn.Data{
		Inputs:  nn.Arrays{"bill": nn.Floats(bill), "profile": nn.Floats(profile)},
		Targets: nn.Arrays{"body_mass": nn.Floats(mass), "species": nn.Labels(species)},
	}
}

// ---- how they are trained ---------------------------------------------------------------------------------

// An experiment is a network together with the way it is fed and trained.
type experiment struct {
	name  string // also the name of the saved file
	title string
	story string // for the report
	build func(seed uint64) (*nn.Model, error)
	data  func(birds []penguin, std standards) nn.Data
	heads []head // the outputs, in the model's order

	epochs, batch int
}

var experiments = []experiment{
	{
		name:  "multi_task",
		title: "Multi-task: one trunk, two heads",
		story: "One description of a bird, two questions at once: how heavy is it, and which species is it? " +
			"Both heads train the same trunk, one by a regression loss, the other by a classification loss.",
		build:  multiTask,
		data:   multiTaskData,
		heads:  []head{massHead, speciesHead},
		epochs: 30, batch: 32,
	},
	{
		name:  "multi_modal",
		title: "Multi-modal: two roots that meet",
		story: "The bill and the body are measured apart, and each gets its own encoder. One shared layer reads both, " +
			"with one set of weights, before the branches meet to answer a single question: female or male?",
		build:  multiModal,
		data:   multiModalData,
		heads:  []head{sexHead},
		epochs: 100, batch: 32,
	},
	{
		name:  "multi_modal_multi_task",
		title: "Multi-modal and multi-task: two roots, two arms",
		story: "Two inputs and two outputs, tied together only by a shared layer in the middle. The bill and the sex tell the " +
			"species; flipper, sex and island tell the weight. Each question sees only the input of its own branch.",
		build:  multiModalMultiTask,
		data:   multiModalMultiTaskData,
		heads:  []head{massHead, speciesHead},
		epochs: 100, batch: 32,
	},
}
