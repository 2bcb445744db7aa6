package nn

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestProfile(t *testing.T) {
	m, d := noisy(t), tandemData(20)
	var b strings.Builder
	_, err := m.Fit(context.Background(), d, Epochs(2), BatchSize(8), ValidationData(d), Profile(&b))
	require.NoError(t, err)
	require.Regexp(t, `^Profile: 6 training steps of [0-9.e+]+ us, [0-9.e+]+ rows/s`, b.String())
	total := 0.0
	for _, l := range m.Layers() {
		if l.paramCount() > 0 {
			require.Contains(t, b.String(), l.describe())
		}
	}
	for _, share := range regexp.MustCompile(`([0-9.]+) %`).FindAllStringSubmatch(b.String(), -1) {
		value, err := strconv.ParseFloat(share[1], 64)
		require.NoError(t, err)
		total += value
	}
	require.InDelta(t, 100, total, 0.05*float64(len(m.Layers())+4)) // each share is rounded
	require.Nil(t, m.trainer.profile)

	full := errors.New("disk full")
	_, err = m.Fit(context.Background(), d, Profile(failing{full}))
	require.ErrorIs(t, err, full)
	require.ErrorContains(t, err, "nn: Fit: profile: ")
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
