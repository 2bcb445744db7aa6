package train

import (
	"fmt"

	"github.com/espalier-ml/espalier/bench/infer"
)

// Library is Espalier or one of its peers.
type Library interface {
	Name() string
	Version() string
	// Prepare returns the library's calls for a problem: one for each way that may be its best, none if it takes no part.
	// A call that is run is a step of training, beginning at the problem's weights.
	Prepare(p *Problem) ([]infer.Call, error)
}

// Verify runs the first steps of a call and checks their losses.
func (p *Problem) Verify(library string, c infer.Call) error {
	p.Spoil()
	err := c.Run(make([]uint32, len(p.Losses)))
	if err == nil && c.Fetch != nil {
		err = c.Fetch()
	}
	if err == nil {
		err = p.Check()
	}
	if err != nil {
		return fmt.Errorf("%s %s, %v: %w", library, c.Way, p.Row, err)
	}
	return nil
}
