package nn

import "bytes"

// parse is Read from memory.
func parse(b []byte, opts ...LoadOption) (*Model, error) { return Read(bytes.NewReader(b), opts...) }

// parsePlan is the plan of a model in memory.
func parsePlan(b []byte, maxBatch int, opts ...LoadOption) (*Plan, error) {
	m, err := parse(b, append(opts, ForServing())...)
	if err != nil {
		return nil, err
	}
	return NewPlan(m, maxBatch)
}

// mustTally returns a tally of the trainer's heads.
func mustTally(t *trainer) *tally {
	s, err := newTally(t)
	if err != nil {
		panic(err)
	}
	return s
}
