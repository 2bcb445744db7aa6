package kernels

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChoose(t *testing.T) {
	generic, avx2 := &Table{ISA: Generic}, &Table{ISA: AVX2}
	cases := []struct {
		name, forced string
		tables       []*Table
		want         *Table
		err          string
	}{
		{"best", "", []*Table{generic, avx2}, avx2, ""},
		{"only", "", []*Table{generic}, generic, ""},
		{"forced", "generic", []*Table{generic, avx2}, generic, ""},
		{"unknown", "sse9", []*Table{generic}, nil,
			`kernels: ESPALIER_ISA="sse9" is not valid here: use generic`},
		{"part of a name", "gener", []*Table{generic}, nil,
			`kernels: ESPALIER_ISA="gener" is not valid here: use generic`},
		{"missing", "neon", []*Table{generic, avx2}, nil,
			`kernels: ESPALIER_ISA="neon" is not valid here: use generic or avx2`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := choose(c.forced, c.tables)
			if c.err == "" {
				require.NoError(t, err)
				require.Same(t, c.want, got)
				return
			}
			require.EqualError(t, err, c.err)
			require.Equal(t, err, got.Fill(Matrix{}, 0), "what its kernels say")
		})
	}
}

func TestTables(t *testing.T) {
	tables := Tables()
	require.Equal(t, Generic, tables[0].ISA)
	require.True(t, slices.IsSortedFunc(tables, func(a, b *Table) int { return int(a.ISA) - int(b.ISA) }))
	require.NoError(t, Err())
	if forced := os.Getenv("ESPALIER_ISA"); forced != "" {
		require.Contains(t, tables, Default())
		require.Equal(t, forced, Default().ISA.String())
	} else {
		require.Equal(t, tables[len(tables)-1].ISA, Default().ISA)
	}
}

// A machine that is meant to test levels lists them in ESPALIER_REQUIRE_ISA, all of them, so that losing one is a failure
// and not a silent skip.
func TestRequiredTables(t *testing.T) {
	want := os.Getenv("ESPALIER_REQUIRE_ISA")
	if want == "" {
		t.Skip("ESPALIER_REQUIRE_ISA is not set")
	}
	var have []string
	for _, table := range Tables() {
		have = append(have, table.ISA.String())
	}
	require.Equal(t, want, strings.Join(have, ","))
}
