package brief

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text       string
		characters int
		want       string
	}{
		{"", 3, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "ab…"},
		{"äöü", 3, "äöü"},
		{"äöüß", 3, "äö…"},
		{"äöüß", 4, "äöüß"},
	} {
		require.Equal(t, c.want, Cut(c.text, c.characters))
		require.LessOrEqual(t, utf8.RuneCountInString(Cut(c.text, c.characters)), c.characters)
	}
}

func TestQuoteAll(t *testing.T) {
	names := make([]string, MaxListed)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	all := QuoteAll(names)
	require.True(t, strings.HasPrefix(all, `["0" "1" `), all)
	require.True(t, strings.HasSuffix(all, ` "30" "31"]`), all)
	all = QuoteAll(append(names, "x", "y"))
	require.True(t, strings.HasSuffix(all, ` "31" and 2 more]`), all)
	require.Equal(t, "[]", QuoteAll(nil))
	require.Equal(t, `"`+strings.Repeat("a", MaxQuoted-1)+`…"`, Quote(strings.Repeat("a", 2*MaxQuoted)))
}

func TestError(t *testing.T) {
	require.NoError(t, Error(nil))
	short := fmt.Errorf("%s%w", strings.Repeat("a", MaxMessage-len(io.EOF.Error())), io.EOF)
	require.Same(t, short, Error(short), "as long as a message may be")
	long := Error(fmt.Errorf("%s%w", strings.Repeat("ä", MaxMessage), io.EOF))
	require.Equal(t, strings.Repeat("ä", MaxMessage/2)+fmt.Sprintf("… (%d more bytes)", MaxMessage+len(io.EOF.Error())), long.Error())
	require.ErrorIs(t, long, io.EOF, "what it wraps")
	long = Error(errors.New("a" + strings.Repeat("ä", MaxMessage)))
	require.True(t, utf8.ValidString(long.Error()), "cut between characters")
}
