package nn

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestShape(t *testing.T) {
	for _, c := range []struct {
		shape          Shape
		text           string
		elements, last int
		err            string
	}{
		{Shape{7}, "(7)", 7, 7, ""},
		{Shape{2, 3, 4}, "(2, 3, 4)", 24, 4, ""},
		{Shape{math.MaxInt32}, "(2147483647)", math.MaxInt32, math.MaxInt32, ""},
		{Shape{}, "()", 1, 0, "shape has no dimensions"},
		{Shape{2, 0}, "(2, 0)", 0, 0, "shape (2, 0) has a dimension below 1"},
		{Shape{-1, -1}, "(-1, -1)", 1, -1, "shape (-1, -1) has a dimension below 1"},
		{Shape{1 << 16, 1 << 15}, "(65536, 32768)", Shape{1 << 16, 1 << 15}.Elements(), 1 << 15, "has more than 2147483647 elements"},
		{make(Shape, 33), Shape(make([]int, 33)).String(), 0, 0, "shape has 33 dimensions, at most 32 are possible"},
	} {
		require.Equal(t, c.text, c.shape.String())
		require.Equal(t, c.elements, c.shape.Elements(), c.text)
		require.Equal(t, c.last, c.shape.Last(), c.text)
		if err := c.shape.check(); c.err == "" {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, c.err)
		}
	}
	var s Shape
	require.NoError(t, json.Unmarshal([]byte("[4,5]"), &s))
	require.Equal(t, Shape{4, 5}, s)
	require.NoError(t, json.Unmarshal([]byte("[1"+strings.Repeat(",1", 31)+"]"), &s))
	require.ErrorContains(t, json.Unmarshal([]byte("[1"+strings.Repeat(",1", 32)+"]"), &s), "a list has 33 elements, at most 32 are possible")
}
