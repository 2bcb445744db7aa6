package nn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/plan"
)

func TestRecordEmptyModel(t *testing.T) {
	for _, m := range []*Model{nil, new(Model)} {
		require.ErrorIs(t, m.Record(plan.NewRecorder()), errEmptyModel)
	}
}
