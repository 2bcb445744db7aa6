package nn

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"unicode/utf8"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/kernels"
)

// A selfTest is in a file what the model computes for a few rows, so that whoever reads it can see that it computes the same
// there. The rows are drawn anew, always the same ones: they need no place in the file.
type selfTest struct {
	Rows   int    `json:"rows"`
	Exact  bool   `json:"exact"`  // the values are those of every SIMD level, to the last bit
	Checks []byte `json:"checks"` // of the values of each node
}

const (
	checkBytes = 16
	// selfTestBound is by how much the values of a node may differ in all, as a part of their magnitude, where one of the two
	// programs computes with generic kernels or the model with a function of its user.
	selfTestBound = 1e-3

	selfTestRows = 3
)

// A SelfTestOption says whether a file is to be tested by itself.
type SelfTestOption bool

// SelfTest of false writes a file without its self-test, or does not run it where a file is read. By default a file holds what the
// layers compute for three rows, or one if the model is large, and reading it ends with an error that names the first layer whose
// values are others: a layer of yours that has changed, damage before the file was written, or a defect of this library or of the
// processor. On SIMD kernels they must be the same bits. With generic ones, and where the model has a function of your own,
// see [Call.Custom], they may differ by a thousandth of their magnitude in all.
//
// A model has no self-test that takes much longer, or more memory, than reading its weights: one that applies them at a great
// many places of a large picture or a long series.
func SelfTest(on bool) SelfTestOption { return SelfTestOption(on) }

func (o SelfTestOption) applySave(c *saving)  { c.untested = !bool(o) }
func (o SelfTestOption) applyLoad(c *loading) { c.untested = !bool(o) }

// A MetadataOption is what a user says about a model.
type MetadataOption map[string]string

// Metadata keeps what belongs to a model, such as the names of its classes or a threshold, in its files: as an option of NewModel
// in all that are written, as one of [Model.Save] in that file, in place of the model's. [Model.Metadata] has it when the model
// is read again. Keys and values are UTF-8 and have at most 1 MiB together.
func Metadata(metadata map[string]string) MetadataOption { return maps.Clone(metadata) }

func (o MetadataOption) applyModel(m *Model) { m.metadata = o }
func (o MetadataOption) applySave(c *saving) { c.metadata = o }

// Metadata returns a copy of what was said about the model, see the option of that name.
func (m *Model) Metadata() map[string]string { return maps.Clone(m.metadata) }

const maxMetadata = 1 << 20 // bytes

// encodeMetadata returns the JSON of a user's data, with the keys in order; "" for none.
func encodeMetadata(metadata map[string]string) (string, error) {
	if len(metadata) == 0 {
		return "", nil
	}
	size := 0
	for k, v := range metadata {
		if !utf8.ValidString(k) || !utf8.ValidString(v) {
			return "", fmt.Errorf("metadata: the key %s or its value is not valid UTF-8", brief.Quote(k))
		}
		size += len(k) + len(v)
	}
	if size > maxMetadata {
		return "", fmt.Errorf("metadata: %d bytes, at most %d are possible", size, maxMetadata)
	}
	text, err := encodeJSON(metadata)
	return string(text), err
}

// decodeMetadata is the inverse. What is in the file in another way shows when the header is compared with the one for the model.
func decodeMetadata(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > 6*maxMetadata+8 { // "\u0000" is one byte
		return nil, fmt.Errorf("metadata: %d bytes are too many", len(text))
	}
	var metadata map[string]string
	if err := json.Unmarshal([]byte(text), &metadata); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	return metadata, nil
}

// newSelfTest returns the model's self-test, nil if it is too large or cannot be computed.
func (m *Model) newSelfTest() *selfTest {
	rows := m.testRows()
	if rows == 0 {
		return nil
	}
	checks, exact, err := m.checks(rows)
	if err != nil {
		return nil
	}
	t := &selfTest{Rows: rows, Exact: exact}
	for _, c := range checks {
		t.Checks = c.append(t.Checks)
	}
	return t
}

// run reports the first layer of a model that computes other values than the file says.
func (t *selfTest) run(m *Model) error {
	most := m.testRows()
	if most == 0 {
		return nil
	}
	if t.Rows < 1 || t.Rows > most || len(t.Checks) != checkBytes*(len(m.nodes)-len(m.inputs)) {
		return fmt.Errorf("self-test: %d rows and %d bytes of checks, must be 1 to %d and %d", t.Rows, len(t.Checks), most, checkBytes*(len(m.nodes)-len(m.inputs)))
	}
	checks, exact, err := m.checks(t.Rows)
	if err != nil {
		return fmt.Errorf("self-test: %w", err)
	}
	i := 0
	for _, n := range m.nodes {
		if isSource(n) {
			continue
		}
		if !checks[i].fits(t.Checks[checkBytes*i:], exact && t.Exact) {
			return fmt.Errorf("self-test: %s computes other values than where the file was written; it is the first one; SelfTest(false) reads the file all the same", n.layer.describe())
		}
		i++
	}
	return nil
}

// testRows returns for how many rows the model can be tested without much time and memory: 3, 1 or 0. Nobody should
// need either for a small file that asks for large values.
func (m *Model) testRows() int {
	const mostNumbers, mostProducts = 1 << 20, 1 << 27
	var numbers, products float64
	for _, n := range m.nodes {
		places, others, width, size := 1, 0, 1, 0
		for _, x := range append(n.in[:len(n.in):len(n.in)], n) {
			places = max(places, x.features()/x.shape.Last())
			others = max(others, x.features())
		}
		for _, p := range n.layer.params {
			width = max(width, p.shape.Last())
			size += p.size()
		}
		here := float64(max(n.features(), places*width))
		if len(n.in) > 1 && places > 1 { // all with all, as in attention
			here += float64(places) * float64(others)
		}
		numbers += here
		products += here + float64(places)*float64(size)
	}
	weights := 0.0
	for _, w := range m.weights {
		weights += float64(w.Shape.Elements())
	}
	for _, rows := range []int{selfTestRows, 1} {
		if r := float64(rows); r*numbers <= mostNumbers+2*weights && r*products <= mostProducts+r*weights {
			return rows
		}
	}
	return 0
}

// checks computes the rows of the test and returns what is to be known of the values of each node but the inputs, and whether they
// are those of every SIMD level.
func (m *Model) checks(rows int) (all []check, exact bool, err error) {
	inputs := make([]kernels.Matrix, len(m.inputs))
	for i, n := range m.inputs {
		x := kernels.NewMatrix(rows, n.features())
		limit := 0
		for _, l := range m.lookups[n] {
			if limit == 0 || l.limit < limit {
				limit = l.limit
			}
		}
		random := rand.NewPCG(1, uint64(i))
		for j := range x.Data {
			if u := random.Uint64(); limit > 0 {
				x.Data[j] = float32(u % uint64(limit))
			} else {
				x.Data[j] = float32(int64(u>>40)-1<<23) / (1 << 23) // from -1 to 1
			}
		}
		inputs[i] = x
	}
	r := newRunner(m, nil)
	r.run(inputs, false, 0)
	if r.err != nil {
		return nil, false, r.err
	}
	for i, n := range m.nodes {
		if !isSource(n) {
			all = append(all, checkOf(r.values[i].Matrix))
		}
	}
	return all, kernels.Default().ISA != kernels.Generic && !r.call.custom, nil
}

// A check is what is to be known of values.
type check struct {
	digest uint64  // of their bits, those of zeros and of NaNs apart
	sum    float64 // with factors from -1 to 1 by chance, so that no two errors cancel each other
	size   float64 // of the magnitudes
}

func checkOf(x kernels.Matrix) check {
	c := check{digest: 14695981039346656037}
	turn := uint64(0)
	for i := range x.Rows {
		for _, v := range x.Data[i*x.Stride : i*x.Stride+x.Cols] {
			bits := uint64(math.Float32bits(v))
			if v == 0 {
				bits = 0
			} else if v != v {
				bits = 0x7fc00000
			}
			c.digest = (c.digest ^ bits) * 1099511628211 // FNV-1a, by words
			turn = turn*6364136223846793005 + 1442695040888963407
			c.sum += float64(float64(v) * (float64(int64(turn)) / (1 << 63)))
			c.size += math.Abs(float64(v))
		}
	}
	return c
}

func (c check) append(b []byte) []byte {
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, c.digest), math.Float64bits(c.sum))
}

// fits compares with what append has made of another check. Sums that are not numbers are compared by their bits alone.
func (c check) fits(b []byte, exact bool) bool {
	if exact {
		return c.digest == binary.LittleEndian.Uint64(b)
	}
	return !(math.Abs(c.sum-math.Float64frombits(binary.LittleEndian.Uint64(b[8:]))) > selfTestBound*c.size+1e-6)
}
