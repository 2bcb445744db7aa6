package plan

import (
	"cmp"
	"slices"
)

// A buffer is memory for a matrix with a row for each sample. Places in it are columns.
type buffer struct {
	width       int
	first, last int // steps that use it; ports use theirs always
	offset      int // in the arena, in floats for each row of a batch
}

// layOut assigns places in the arena, whose size it returns: in the order in which buffers come to be used, each gets the
// first gap that those in use leave.
func (l *lowering) layOut() int64 {
	var begin, end []int
	for i := range l.buffers {
		begin, end = append(begin, i), append(end, i)
	}
	slices.SortStableFunc(begin, func(a, b int) int { return l.buffers[a].first - l.buffers[b].first })
	slices.SortStableFunc(end, func(a, b int) int { return l.buffers[a].last - l.buffers[b].last })
	var free gaps
	for _, i := range begin {
		b := &l.buffers[i]
		for ; l.buffers[end[0]].last < b.first; end = end[1:] {
			o := &l.buffers[end[0]]
			free.give(gap{int64(o.offset), int64(o.offset) + o.size()})
		}
		b.offset = int(free.take(b.size()))
	}
	return free.end
}

// size is the memory that the buffer takes, in floats for each row of a batch.
func (b *buffer) size() int64 {
	const align = 16 // floats: a cache line
	return (int64(b.width) + align - 1) / align * align
}

type gap struct{ from, to int64 }

// gaps are the unused places of the arena, in order.
type gaps struct {
	list []gap
	end  int64 // of the arena
}

// maxGaps bounds the work on gaps. Where there are more, the first ones are forgotten: the arena is larger than it could be.
const maxGaps = 1 << 10

// take returns the first place of that size, which is at the end of the arena if there is none before.
func (g *gaps) take(size int64) int64 {
	i := slices.IndexFunc(g.list, func(f gap) bool { return f.to-f.from >= size || f.to == g.end })
	if i < 0 {
		g.end += size
		return g.end - size
	}
	f := &g.list[i]
	from := f.from
	g.end = max(g.end, from+size)
	if f.from += size; f.from >= f.to {
		g.list = slices.Delete(g.list, i, i+1)
	}
	return from
}

// give joins a place with the gaps at its sides.
func (g *gaps) give(f gap) {
	i, _ := slices.BinarySearchFunc(g.list, f.from, func(o gap, from int64) int { return cmp.Compare(o.from, from) })
	if i < len(g.list) && g.list[i].from == f.to {
		f.to = g.list[i].to
		g.list = slices.Delete(g.list, i, i+1)
	}
	if i > 0 && g.list[i-1].to == f.from {
		g.list[i-1].to = f.to
		return
	}
	if g.list = slices.Insert(g.list, i, f); len(g.list) > maxGaps {
		g.list = slices.Delete(g.list, 0, 1)
	}
}
