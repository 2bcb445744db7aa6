package nn

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/espalier-ml/espalier/safetensors"
)

// Any reader of safetensors can read the weights.
func TestFileIsSafetensors(t *testing.T) {
	c := savedCases(t)["several outputs"]
	c.compile(t, Adam(0.01))
	c.fit(t, c.model)
	b := savedBytes(t, c.model)

	size := binary.LittleEndian.Uint64(b)
	require.Zero(t, size%8)
	header := map[string]json.RawMessage{}
	require.NoError(t, json.Unmarshal(b[8:8+size], &header))
	var meta map[string]string
	require.NoError(t, json.Unmarshal(header["__metadata__"], &meta))
	delete(header, "__metadata__")
	require.Equal(t, "espalier", meta["format"])
	require.Equal(t, "2", meta["version"])
	var graph struct {
		Name   string
		Layers []struct {
			Class string `json:"class_name"`
			Name  string
		}
		Nodes []struct {
			Layer string
			On    []int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(meta["architecture"]), &graph))
	require.Equal(t, "arms", graph.Name)
	require.Equal(t, "Dense", graph.Layers[1].Class)
	require.Equal(t, "value", graph.Nodes[3].Layer)
	require.Equal(t, []int{1}, graph.Nodes[3].On)
	require.Contains(t, meta["training"], `"iterations":4`)

	data := b[8+size:]
	want := map[string][]float32{}
	shapes := map[string][]int{"trunk/kernel": {3, 4}, "trunk/bias": {4}, "label/kernel": {4, 3}, "label/bias": {3}, "value/kernel": {4, 2}}
	for i, w := range c.model.Weights() {
		want[w.Name] = w.Data
		want["optimizer/"+w.Name+"/momentum"] = c.model.trainer.slots[i][0]
		want["optimizer/"+w.Name+"/velocity"] = c.model.trainer.slots[i][1]
	}
	require.Len(t, header, len(want))
	covered := 0
	for name, values := range want {
		var info struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets []int  `json:"data_offsets"`
		}
		require.NoError(t, json.Unmarshal(header[name], &info), name)
		require.Equal(t, "F32", info.DType)
		weight := regexp.MustCompile(`^optimizer/|/(momentum|velocity)$`).ReplaceAllString(name, "")
		require.Equal(t, shapes[weight], info.Shape, name)
		have := make([]float32, (info.Offsets[1]-info.Offsets[0])/4)
		require.NoError(t, binary.Read(bytes.NewReader(data[info.Offsets[0]:info.Offsets[1]]), binary.LittleEndian, have))
		require.Equal(t, values, have, name)
		covered += 4 * len(have)
	}
	require.Equal(t, len(data), covered)
}

// tiny is a small file with something of everything.
func tiny(t testing.TB) *savedCase {
	a, b := Input("a", 2), Input("b", 2)
	shared := Dense(2, ReLU, Name("shared"))
	out := Dense(2, Linear).On(Dropout(0.5).On(Concatenate().On(shared.On(a), shared.On(b))))
	m, err := NewModel([]*Node{a, b}, []*Node{out}, Seed(3))
	require.NoError(t, err)
	c := &savedCase{m, Data{Inputs: Arrays{"a": savedRows(10, 2), "b": savedRows(10, 2)}, Targets: Arrays{"dense": savedRows(10, 2)}}}
	optimizer := SGD(0.01)
	optimizer.Momentum = 0.9
	c.compile(t, optimizer)
	c.fit(t, m)
	return c
}

// requireDamaged requires that b is not a model, that this is said well and that no panic says it.
func requireDamaged(t *testing.T, b []byte, want ...string) {
	t.Helper()
	m, err := parse(b)
	require.Error(t, err)
	require.Nil(t, m)
	require.Regexp(t, "^nn: Read: ", err.Error())
	for _, part := range want {
		require.ErrorContains(t, err, part)
	}
}

func TestTruncated(t *testing.T) {
	b := savedBytes(t, tiny(t).model)
	for i := range b {
		requireDamaged(t, b[:i], io.ErrUnexpectedEOF.Error())
	}
	requireDamaged(t, append(b, 0), "goes on after the last value")
	requireDamaged(t, append(b, b...), "goes on after the last value")
}

func TestFlipped(t *testing.T) {
	c := tiny(t)
	b := savedBytes(t, c.model)
	before := c.state(t, c.model)
	for i := range b {
		for _, bits := range []byte{0x01, 0x20, 0xff} { // 0x20: between upper and lower case, which package json does not mind
			b[i] ^= bits
			requireDamaged(t, b)
			b[i] ^= bits
		}
	}
	require.Equal(t, before, c.state(t, c.model))
	_, err := parse(b)
	require.NoError(t, err)
}

// sign gives a file the checksum that it needs.
func sign(b []byte) []byte {
	const key = `"checksum":"`
	i := bytes.Index(b, []byte(key))
	if i < 0 || len(b) < i+len(key)+checksumDigits {
		return b
	}
	digits := b[i+len(key):][:checksumDigits]
	copy(digits, strings.Repeat("0", checksumDigits))
	sum := sha256.Sum256(b)
	hex.Encode(digits, sum[:])
	return b
}

// file returns a signed file with the given header and data.
func file(header string, data []byte) []byte {
	b := append(make([]byte, 8), header...)
	for len(b)%8 != 0 {
		b = append(b, ' ')
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
	return sign(append(b, data...))
}

// split returns the header, without its padding, and the data of a file.
func split(b []byte) (string, []byte) {
	size := binary.LittleEndian.Uint64(b)
	return strings.TrimRight(string(b[8:8+size]), " "), b[8+size:]
}

// A file that is wrong and signed as if it were right.
func TestForged(t *testing.T) {
	c := tiny(t)
	header, data := split(savedBytes(t, c.model))
	before := c.state(t, c.model)
	const firstLayer = `\"layers\":[{\"class_name\":\"InputLayer\",\"name\":\"a\",\"config\":{\"shape\":[2]},\"trainable\":true},`
	const nodes = `\"nodes\":[{\"layer\":\"a\"},{\"layer\":\"b\"},{\"layer\":\"shared\",\"on\":[0]},`
	const kernel = `"shared/kernel":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}`
	for name, test := range map[string]struct {
		old, new string
		want     []string
	}{
		"class":          {`\"Concatenate\"`, `\"Concat\"`, []string{`layer "concatenate": unknown class "Concat": valid are ["Activation" "ActivityRegularization"`}},
		"activation":     {`\"relu\"`, `\"swich\"`, []string{`layer "shared": config: unknown activation "swich": valid are ["celu" "elu" "exponential" "gelu" "glu"`}},
		"loss":           {`\"loss\":\"mse\"`, `\"loss\":\"nope\"`, []string{`unknown loss "nope": valid are ["BPR" "BinaryCrossentropy"`, `nn.Register("nope", ...)`}},
		"metric":         {`[\"mae\"`, `[\"rmse\"`, []string{`unknown metric "rmse": valid are ["AUC" "Accuracy"`}},
		"optimizer":      {`\"SGD\"`, `\"Tiger\"`, []string{`unknown optimizer "Tiger": valid are ["Adadelta" "Adafactor"`}},
		"output":         {`\"output\":\"dense\"`, `\"output\":\"dance\"`, []string{`unknown output "dance": valid are ["dense"]`}},
		"format":         {`"espalier"`, `"pt"`, []string{`format is "pt", must be "espalier"`}},
		"version":        {`"version":"2"`, `"version":"3"`, []string{`version is "3", must be "1" or "2"`}},
		"no metadata":    {`"__metadata__"`, `"__meta__"`, []string{`format is "", must be "espalier"`}},
		"no JSON":        {`{"__metadata__":`, `{"__metadata__";`, []string{"invalid character ';'"}},
		"more JSON":      {kernel, kernel + `}{`, []string{"invalid character '{'"}},
		"dtype":          {`"F32"`, `"F16"`, []string{`has `, `"shared/kernel":{"dtype":"F16"`, `must be `, `"shared/kernel":{"dtype":"F32"`}},
		"shape":          {kernel, strings.Replace(kernel, "[2,2]", "[1,4]", 1), []string{`"shape":[1,4]`, `"shape":[2,2]`}},
		"units":          {`\"units\":2,\"activation\":\"relu\"`, `\"units\":3,\"activation\":\"relu\"`, []string{`"shape":[2,2]`, `"shape":[2,3]`}},
		"absurd units":   {`\"units\":2`, `\"units\":2000000000`, []string{`layer "shared"`, "has more than 2147483647 elements"}},
		"huge units":     {`\"units\":2`, `\"units\":1e300`, []string{`layer "shared": config: json: cannot unmarshal number 1e300`}},
		"negative units": {`\"units\":2`, `\"units\":-2`, []string{`layer "shared"`, "has -2 units, needs at least 1"}},
		"rate":           {`\"rate\":0.5`, `\"rate\":1.5`, []string{`layer "dropout" (Dropout): rate 1.5 is not in [0, 1)`}},
		"dimensions":     {`[2]},`, `[2` + strings.Repeat(",1", 1000) + `]},`, []string{`layer "a": config: a list has 1001 elements, at most 32 are possible`}},
		"overlap":        {`"data_offsets":[16,24]`, `"data_offsets":[12,20]`, []string{`[12,20]`, `must be`, `[16,24]`}},
		"gap":            {`"data_offsets":[16,24]`, `"data_offsets":[20,28]`, []string{`[20,28]`}},
		"beyond":         {`"data_offsets":[0,16]`, `"data_offsets":[0,18446744073709551616]`, []string{`must be`}},

		"tensor twice":        {kernel, kernel + "," + kernel, []string{"header does not fit its architecture at byte"}},
		"tensor missing":      {kernel + ",", ``, []string{"header does not fit its architecture at byte"}},
		"tensor more":         {kernel, kernel + `,"x":{"dtype":"F32","shape":[0],"data_offsets":[16,16]}`, []string{"header does not fit its architecture at byte"}},
		"tensor unknown":      {`"shared/kernel"`, `"shared/kernal"`, []string{`shared/kernal`, `shared/kernel`}},
		"metadata twice":      {`"format":"espalier",`, `"format":"pt","format":"espalier",`, []string{"header does not fit its architecture at byte"}},
		"metadata more":       {`"version":"2",`, `"version":"2","x":"",`, []string{"header does not fit its architecture at byte"}},
		"metadata no string":  {`"version":"2"`, `"version":2`, []string{`header: json: cannot unmarshal number`}},
		"checksum short":      {`"checksum":"`, `"checksum":"0`, []string{"header does not fit its architecture at byte"}},
		"architecture twice":  {`\"name\":\"functional\"`, `\"name\":\"other\",\"name\":\"functional\"`, []string{"header does not fit its architecture at byte"}},
		"architecture more":   {`{\"name\":\"functional\"`, `{\"x\":1,\"name\":\"functional\"`, []string{`architecture: json: unknown field "x"`}},
		"architecture none":   {`"architecture":"`, `"architecture":"null`, []string{`has no inputs`}},
		"layer more":          {`{\"class_name\":\"Dense\"`, `{\"x\":1,\"class_name\":\"Dense\"`, []string{`architecture: json: unknown field "x"`}},
		"layer null":          {firstLayer, `\"layers\":[null,`, []string{`layer "": has no name`}},
		"layers no list":      {firstLayer, `\"layers\":{},\"x\":[`, []string{`architecture: `}},
		"config more":         {`\"units\":2`, `\"units\":2,\"no_bias\":true`, []string{`layer "shared": config: json: unknown field "no_bias"`}},
		"config default":      {`\"units\":2`, `\"units\":2,\"use_bias\":true`, []string{"header does not fit its architecture at byte"}},
		"config none":         {`\"config\":{\"shape\":[2]},`, ``, []string{`layer "a" (InputLayer): shape has no dimensions`}},
		"layer twice":         {`\"name\":\"b\"`, `\"name\":\"a\"`, []string{`two layers have the name "a"`}},
		"layer without name":  {`\"name\":\"b\"`, `\"name\":\"\"`, []string{`layer "": has no name`}},
		"layer unused":        {firstLayer, firstLayer + strings.Replace(firstLayer[12:], `\"a\"`, `\"z\"`, 1), []string{"header does not fit its architecture at byte"}},
		"layer unknown":       {`{\"layer\":\"b\"}`, `{\"layer\":\"c\"}`, []string{`node 1: unknown layer "c": valid are ["a" "b" "concatenate"`}},
		"node on itself":      {`\"on\":[0]`, `\"on\":[2]`, []string{`node 2: layer "shared" (Dense): is on node 2, valid are earlier ones, 0 to 1`}},
		"node on later":       {`\"on\":[0]`, `\"on\":[4]`, []string{`is on node 4`}},
		"node on negative":    {`\"on\":[0]`, `\"on\":[-1]`, []string{`is on node -1`}},
		"node on none":        {`,\"on\":[0]`, ``, []string{`node 2: layer "shared" (Dense): called on no node`}},
		"node on two":         {`\"on\":[0]`, `\"on\":[0,1]`, []string{`node 2: layer "shared" (Dense): called on 2 nodes, takes 1`}},
		"node unused":         {nodes, nodes + `{\"layer\":\"shared\",\"on\":[0]},`, []string{""}},
		"input on a node":     {`{\"layer\":\"b\"}`, `{\"layer\":\"b\",\"on\":[0]}`, []string{`layer "b" (InputLayer): called on 1 nodes, takes none`}},
		"input called twice":  {`{\"layer\":\"b\"}`, `{\"layer\":\"a\"}`, []string{"must be there once and on no other node"}},
		"inputs":              {`\"inputs\":[0,1]`, `\"inputs\":[0,7]`, []string{`input is node 7, valid are 0 to 6`}},
		"inputs none":         {`\"inputs\":[0,1]`, `\"inputs\":[]`, []string{`node 0: layer "a" (InputLayer): the inputs must be`}},
		"inputs missing":      {`\"inputs\":[0,1]`, `\"inputs\":[0]`, []string{`node 1: layer "b" (InputLayer): the inputs must be`}},
		"inputs twice":        {`\"inputs\":[0,1]`, `\"inputs\":[0,0]`, []string{`two inputs are from layer "a" (InputLayer)`}},
		"inputs no input":     {`\"inputs\":[0,1]`, `\"inputs\":[0,1,2]`, []string{`node 2: layer "shared" (Dense): the inputs must be`}},
		"outputs":             {`\"outputs\":[6]`, `\"outputs\":[-1]`, []string{`output is node -1`}},
		"outputs none":        {`\"outputs\":[6]`, `\"outputs\":[]`, []string{`has no outputs`}},
		"outputs share":       {`\"outputs\":[6]`, `\"outputs\":[2,3]`, []string{`two outputs are from layer "shared" (Dense)`}},
		"heads twice":         {`\"heads\":[`, `\"heads\":[{\"output\":\"dense\",\"loss\":\"mse\",\"loss_weight\":1},`, []string{`output "dense" is there twice`}},
		"heads none":          {`{\"output\":\"dense\",\"loss\":\"mse\",\"loss_weight\":0.3,\"metrics\":[\"mae\",\"mse\"]}`, ``, []string{"every loss is nil"}},
		"metric twice":        {`[\"mae\",\"mse\"]`, `[\"mae\",\"mae\"]`, []string{"metric mae is given twice"}},
		"loss does not fit":   {`\"loss\":\"mse\"`, `\"loss\":{\"class_name\":\"SparseCategoricalCrossentropy\",\"config\":{}}`, []string{"metric mae: needs targets that are Floats"}},
		"loss option":         {`\"loss\":\"mse\"`, `\"loss\":{\"class_name\":\"mse\",\"config\":{\"x\":1}}`, []string{`"mse" has no configuration: write its name alone`}},
		"iterations negative": {`\"iterations\":4`, `\"iterations\":-4`, []string{"iterations are -4, valid are 0 to 9007199254740992"}},
		"learning rate":       {`\"momentum\":0.9`, `\"learning_rate\":-1,\"momentum\":0.9`, []string{"learning rate -1 must be finite and not negative"}},
		"training empty":      {`"training":"`, `"training":"","x":"`, []string{"header does not fit its architecture at byte"}},
		"training null":       {`"training":"`, `"training":"null`, []string{`training: optimizer is nil`}},
		"white space":         {`"F32","shape"`, `"F32", "shape"`, []string{"header does not fit its architecture at byte"}},
		"many layers":         {firstLayer, `\"layers\":[` + strings.Repeat(firstLayer[12:], maxNodes), []string{"a list has more than 16384 elements"}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Contains(t, header, test.old)
			requireDamaged(t, file(strings.Replace(header, test.old, test.new, 1), data), test.want...)
		})
	}
	for name, test := range map[string]struct {
		header string
		data   []byte
		want   string
	}{
		"empty file":   {"", nil, "header: unexpected end of JSON input"},
		"empty header": {"{}", nil, `format is "", must be "espalier"`},
		"other JSON":   {"[1,2]", nil, "header: json: cannot unmarshal array"},
		"slash":        {strings.ReplaceAll(header, `\"shared\"`, `\"sha/red\"`), data, "the name of a layer with weights cannot contain a slash"},
		"padding":      {header + strings.Repeat(" ", 16), data, "header does not fit its architecture at byte"},
		"NaN":          {header, binary.LittleEndian.AppendUint32(data[:len(data)-4:len(data)-4], math.Float32bits(float32(math.NaN()))), `"optimizer/dense/bias/momentum": value 1 is NaN`},
		"infinity":     {header, append(binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.Inf(-1)))), data[4:]...), `"shared/kernel": value 0 is -Inf`},
		"short data":   {header, data[4:], `"optimizer/dense/bias/momentum": unexpected EOF`},
		"long data":    {header, append(data[:len(data):len(data)], 0), "goes on after the last value"},
		"other data":   {header, nil, `"shared/kernel": unexpected EOF`},
	} {
		t.Run(name, func(t *testing.T) { requireDamaged(t, file(test.header, test.data), test.want) })
	}
	require.Equal(t, before, c.state(t, c.model))
	_, err := parse(file(header, data))
	require.NoError(t, err, "the tools of this test are right")
}

func TestChecksum(t *testing.T) {
	b := savedBytes(t, tiny(t).model)
	b[len(b)-1] ^= 1
	requireDamaged(t, b, "is damaged: its checksum is ")
	copy(b[checksumAt:], strings.ToUpper(string(sign(b)[checksumAt:checksumAt+checksumDigits])))
	requireDamaged(t, b, "is damaged: its checksum is ")
}

// allocated returns how many bytes f allocates, freed ones included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What a file claims costs nothing.
func TestClaimsCostNothing(t *testing.T) {
	claims := map[string][]byte{}
	for _, size := range []uint64{safetensors.MaxHeader, safetensors.MaxHeader + 1, 1 << 31, 1 << 40, 1 << 63, math.MaxUint64} {
		claims[fmt.Sprint("header of ", size)] = append(binary.LittleEndian.AppendUint64(nil, size), "0123456789"...)
	}
	x := Input("x", 40000)
	y := Dense(40000, Linear).On(x)
	huge := &Model{name: "huge", inputs: []*Node{x}, outputs: []*Node{y}}
	require.NoError(t, huge.connect())
	heads, err := huge.heads(compilation{losses: Losses{"dense": MSE()}})
	require.NoError(t, err)
	huge.trainer = newTrainer(huge, Adam(0.01), heads)
	header, err := huge.header(nil, nil)
	require.NoError(t, err)
	claims["weights of 19 GB"] = append(header, "0123456789"...)
	for name, b := range claims {
		t.Run(name, func(t *testing.T) {
			require.Less(t, allocated(func() { requireDamaged(t, b) }), uint64(1<<19))
		})
	}

	t.Run("endless data", func(t *testing.T) {
		b := savedBytes(t, tiny(t).model)
		_, err := Read(io.MultiReader(bytes.NewReader(b), endless{}))
		require.ErrorContains(t, err, "goes on after the last value")
	})

	// JSON that is short in the file and could be long in memory.
	small, data := split(savedBytes(t, tiny(t).model))
	at := strings.Index(small, `\"layers\":[`) + len(`\"layers\":[`)
	for _, element := range []string{"0,", "{},", "[],", "null,", `\"\",`} {
		t.Run("many "+element, func(t *testing.T) {
			b := file(small[:at]+strings.Repeat(element, 1<<20)+small[at:], data)
			require.Less(t, allocated(func() { requireDamaged(t, b) }), uint64(12*len(b)+1<<25))
		})
	}
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// A graph of as many nodes as a file can have is no work, and no recursion is too deep.
func TestLargestGraph(t *testing.T) {
	x := Input("x", 1)
	h := x
	for i := range maxNodes - 1 {
		h = Flatten(Name(fmt.Sprint(i))).On(h)
	}
	m, err := NewModel([]*Node{x}, []*Node{h})
	require.NoError(t, err)
	loaded, err := parse(savedBytes(t, m))
	require.NoError(t, err)
	require.Len(t, loaded.nodes, maxNodes)
}

// fuzzSeeds returns small files.
func fuzzSeeds(f *testing.F) [][]byte {
	cases := savedCases(f)
	cases["tiny"] = tiny(f)
	var files [][]byte
	for _, c := range cases {
		files = append(files, savedBytes(f, c.model))
		if c.model.trainer == nil {
			c.compile(f, Adam(0.01))
			files = append(files, savedBytes(f, c.model))
		}
	}
	return files
}

// Whatever loads can predict and is what WriteTo writes. (Run it with -fuzzminimizetime 10x: files are long.)
func FuzzParse(f *testing.F) {
	for _, b := range fuzzSeeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzFile(t, b)
		fuzzFile(t, sign(bytes.Clone(b)))
	})
}

// FuzzArchitecture gets deeper than FuzzParse: the rest of the header is made to fit.
func FuzzArchitecture(f *testing.F) {
	for _, b := range fuzzSeeds(f) {
		var header struct {
			Metadata metadata `json:"__metadata__"`
		}
		text, data := split(b)
		require.NoError(f, json.Unmarshal([]byte(text), &header))
		f.Add(header.Metadata.Architecture, header.Metadata.Training, data)
	}
	f.Fuzz(func(t *testing.T, architecture, training string, data []byte) {
		architecture, training = strings.ToValidUTF8(architecture, "?"), strings.ToValidUTF8(training, "?")
		header, err := encodeHeader(metadata{Version: fileVersion, Architecture: architecture, Training: training}, nil)
		require.NoError(t, err)
		m, _, err := parseHeader(header[8:])
		if err != nil {
			return
		}
		b, err := m.header(nil, nil)
		require.NoError(t, err)
		size := 0
		for _, tensor := range m.tensors() {
			if size += 4 * Shape(tensor.shape).Elements(); size > 1<<20 {
				return
			}
		}
		values := make([]byte, size)
		copy(values, data)
		fuzzFile(t, sign(append(b, values...)))
		for i := 3; i < len(values); i += 4 {
			values[i] &= 0xbf // finite
		}
		_, err = parse(sign(append(b, values...)))
		require.NoError(t, err)
	})
}

func fuzzFile(t *testing.T, b []byte) {
	m, err := parse(b)
	if err != nil {
		require.Nil(t, m)
		require.Regexp(t, "^nn: Read: ", err.Error())
		return
	}
	if !bytes.Contains(b, []byte(`"self_test"`)) { // which could say less than it does where it is not exact
		var again bytes.Buffer
		_, err := m.write(&again, saving{untested: true, metadata: m.metadata})
		require.NoError(t, err)
		require.Equal(t, b, again.Bytes())
	}
	_, err = parse(savedBytes(t, m))
	require.NoError(t, err)
	require.NoError(t, m.Summary(io.Discard))
	size := 0
	for _, n := range m.nodes {
		size = min(size+n.features(), 1<<16)
	}
	if size == 1<<16 {
		return
	}
	inputs := Arrays{}
	for _, n := range m.inputs {
		inputs[n.layer.name] = savedRows(2, n.features())
		if dim := inputDim(m, n); dim > 0 {
			inputs[n.layer.name] = savedLabels(2*n.features(), dim)
		}
	}
	y, err := m.Predict(inputs)
	require.NoError(t, err)
	require.Len(t, y, len(m.outputs))
}
