package torch

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// An entry is one of a zip file, stored unless it is deflated.
type entry struct {
	name, data string
	deflated   bool
}

func zipOf(t testing.TB, entries ...entry) []byte {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Store}
		if e.deflated {
			h.Method = zip.Deflate
		}
		f, err := w.CreateHeader(h)
		require.NoError(t, err)
		_, err = io.WriteString(f, e.data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// saved is a file with a pickle and one storage of two float32.
func saved(t testing.TB, pickle string) []byte {
	return zipOf(t, entry{name: "m/data.pkl", data: "\x80\x02" + pickle}, entry{name: "m/data/0", data: "\x00\x00\x80\x3f\x00\x00\x00\x40"})
}

func text(s string) string {
	return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s
}

func integer(n int64) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

func integers(v ...int64) string {
	s := "("
	for _, n := range v {
		s += integer(n)
	}
	return s + "t"
}

// view is a tensor of a storage.
func view(class, key string, count, offset int64, shape, strides string) string {
	return "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\n" + class + "\n" + text(key) + text("cpu") + integer(count) + "tQ" +
		integer(offset) + shape + strides + "tR"
}

func inDict(tensor string) string { return "}" + text("x") + tensor + "s." }

const million = 1 << 20

func hostile(t testing.TB) map[string]struct {
	file []byte
	want string
} {
	repeat := strings.Repeat
	two := integers(2)
	one := integers(1)
	laughs := "}q\x00" + text("k") + "Ns"
	for i := range 60 {
		laughs += "0}" + text("a") + "h" + string(rune(i)) + "s" + text("b") + "h" + string(rune(i)) + "sq" + string(rune(i+1))
	}
	legacy := func(rest string) []byte { return []byte(legacyMagic + "\x80\x02M\xe9\x03.\x80\x02}.\x80\x02" + rest) }
	good := inDict(view("FloatStorage", "0", 2, 0, two, one))
	lie := saved(t, good)
	binary.LittleEndian.PutUint32(lie[bytes.LastIndex(lie, []byte("PK\x01\x02"))+24:], math.MaxUint32-1)
	damaged := bytes.Replace(saved(t, good), []byte("\x00\x00\x80\x3f"), []byte("\x00\x00\x81\x3f"), 1)
	return map[string]struct {
		file []byte
		want string
	}{
		"empty":                         {nil, "is neither safetensors nor"},
		"other":                         {[]byte("\x89HDF\r\n\x1a\n...."), "is neither safetensors nor"},
		"system":                        {saved(t, "cos\nsystem\n("+text("id")+"tR."), `holds "os.system", which is refused`},
		"eval by the stack":             {saved(t, text("builtins")+text("eval")+"\x93."), `holds "builtins.eval", which is refused`},
		"a module":                      {saved(t, "c__main__\nNet\n)\x81."), `holds "__main__.Net", which is refused`},
		"a new object":                  {saved(t, "ccollections\nOrderedDict\n)\x81."), "has the code 0x81"},
		"a storage is called":           {saved(t, "ctorch\nFloatStorage\n)R."), `cannot call "torch.FloatStorage"`},
		"a call of nothing":             {saved(t, "N)R."), "needs a torch.global on the stack"},
		"an OrderedDict of a list":      {saved(t, "ccollections\nOrderedDict\n(]tR."), "an OrderedDict with arguments"},
		"state of a tensor":             {saved(t, "}"+text("x")+view("FloatStorage", "0", 2, 0, two, one)+"}bs."), "needs a *torch.dict on the stack"},
		"a tensor of nothing":           {saved(t, "ctorch._utils\n_rebuild_tensor_v2\n)R."), "a tensor of 0 arguments"},
		"a parameter of nothing":        {saved(t, "ctorch._utils\n_rebuild_parameter\n(NtR."), "a parameter without a tensor"},
		"no pickle":                     {saved(t, "."), "empty stack"},
		"two objects":                   {saved(t, "}}."), "more than one object"},
		"no end":                        {saved(t, "}"), "EOF"},
		"a number":                      {saved(t, "K\x01."), "holds a int64, must hold a dictionary"},
		"no mark":                       {saved(t, "}u."), "has no mark"},
		"a mark as a value":             {saved(t, "}(s."), "takes a mark for a value"},
		"a key alone":                   {saved(t, "}(Nu."), "a key has no value"},
		"a mark in the memo":            {saved(t, "(q\x00."), "takes a mark for a value"},
		"an unknown object":             {saved(t, "h\x00."), "takes object 0"},
		"a key of a tuple":              {saved(t, "})Ns."), "has a key of type torch.tuple"},
		"long string":                   {saved(t, "X\xff\xff\xff\xff."), "bytes are left where 4294967295 must follow"},
		"longer string":                 {saved(t, "\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), "must follow"},
		"long number":                   {saved(t, "\x8a\xff."), "must follow"},
		"long name":                     {saved(t, "c"+repeat("a", million)), "a name has more than 4096 bytes"},
		"no text":                       {saved(t, "U\x01\xff."), "not valid UTF-8"},
		"dictionaries":                  {saved(t, repeat("}", million)), "far more memory than the file"},
		"lists":                         {saved(t, "]("+repeat("]", million)+"e."), "far more memory than the file"},
		"marks":                         {saved(t, repeat("(", million)), "far more memory than the file"},
		"tuples":                        {saved(t, repeat(")\x85", million/2)), "far more memory than the file"},
		"memo":                          {saved(t, "N"+repeat("\x94", million)), "far more memory than the file"},
		"deep dictionaries":             {saved(t, repeat("}"+text("k"), 1000)+"N"+repeat("s", 1000)+"."), "is in more than 64 dictionaries"},
		"a dictionary in itself":        {saved(t, "}q\x00"+text("k")+"h\x00s."), "is in more than 64 dictionaries"},
		"a list in itself":              {saved(t, "}"+text("k")+"]q\x00h\x00as."), "is in more than 64 dictionaries"},
		"doubling":                      {saved(t, laughs+"."), "memory than the file"},
		"long keys":                     {saved(t, "}"+text(repeat("k", 5000))+"}"+text("x")+"Nss."), "its name has more than 4096 bytes"},
		"two of a name":                 {saved(t, "}"+text("a.b")+view("FloatStorage", "0", 2, 0, two, one)+"s"+text("a")+"}"+text("b")+view("FloatStorage", "0", 2, 0, two, one)+"ss."), "two tensors have the name"},
		"negative dimension":            {saved(t, inDict(view("FloatStorage", "0", 2, 0, integers(-2), one))), "does not fit"},
		"many dimensions":               {saved(t, inDict(view("FloatStorage", "0", 2, 0, integers(1<<32, 1<<32), integers(0, 0)))), "does not fit"},
		"more strides":                  {saved(t, inDict(view("FloatStorage", "0", 2, 0, two, integers(1, 1)))), "as many strides"},
		"negative stride":               {saved(t, inDict(view("FloatStorage", "0", 2, 1, two, integers(-1)))), "does not fit"},
		"large stride":                  {saved(t, inDict(view("FloatStorage", "0", 2, 0, two, integers(math.MaxInt64)))), "does not fit"},
		"large product":                 {saved(t, inDict(view("FloatStorage", "0", 2, 0, integers(1<<62), integers(2)))), "does not fit"},
		"offset":                        {saved(t, inDict(view("FloatStorage", "0", 2, 1, two, one))), "does not fit"},
		"negative offset":               {saved(t, inDict(view("FloatStorage", "0", 2, -1, one, one))), "does not fit"},
		"large offset":                  {saved(t, inDict(view("FloatStorage", "0", 2, math.MaxInt64, one, one))), "does not fit"},
		"repeated element":              {saved(t, inDict(view("FloatStorage", "0", 2, 0, integers(1<<30), integers(0)))), "shape [1073741824] has more numbers than the 2 of its storage"},
		"storage that is longer":        {saved(t, inDict(view("FloatStorage", "0", 3, 0, two, one))), `there is no entry "m/data/0" of 12 bytes`},
		"storage of other numbers":      {saved(t, inDict(view("DoubleStorage", "0", 2, 0, two, one))), `there is no entry "m/data/0" of 16 bytes`},
		"negative storage":              {saved(t, inDict(view("FloatStorage", "0", -2, 0, two, one))), "a storage needs"},
		"large storage":                 {saved(t, inDict(view("FloatStorage", "0", math.MaxInt64, 0, two, one))), "a storage needs"},
		"storage of another name":       {saved(t, inDict(view("FloatStorage", "../data.pkl", 2, 0, two, one))), `there is no entry "m/data/../data.pkl"`},
		"storage without a class":       {saved(t, "("+text("storage")+"NNNNtQ."), "a storage needs"},
		"damaged storage":               {damaged, "checksum error"},
		"compressed":                    {zipOf(t, entry{"m/data.pkl", repeat("}", 20*million), true}), "is compressed, which torch.save never does"},
		"entry that lies":               {lie, "there is no entry"},
		"two entries":                   {zipOf(t, entry{name: "m/data.pkl", data: "}."}, entry{name: "m/data.pkl", data: "}."}), `entry "m/data.pkl" is there twice`},
		"byte order":                    {zipOf(t, entry{name: "m/data.pkl", data: "}."}, entry{name: "m/byteorder", data: "pdp"}), `the byte order is "pdp"`},
		"no data.pkl":                   {zipOf(t, entry{name: "word/document.xml"}), `is a zip file without data.pkl, not what torch.save writes: it has ["word/document.xml"]`},
		"no zip":                        {[]byte("PK\x03\x04"), "zip: not a valid zip file"},
		"legacy: no version":            {[]byte(legacyMagic + "\x80\x02K\x01.\x80\x02}.\x80\x02}.\x80\x02]."), "is not version 1001"},
		"legacy: keys without storages": {legacy("}.\x80\x02]" + text("0") + "a."), `no tensor has the storage "0"`},
		"legacy: a storage is missing":  {legacy(inDict(view("FloatStorage", "0", 2, 0, two, one)) + "\x80\x02]."), `storage "0" is missing`},
		"legacy: other count":           {legacy(inDict(view("FloatStorage", "0", 2, 0, two, one)) + "\x80\x02]" + text("0") + "a." + "\x03\x00\x00\x00\x00\x00\x00\x0012345678"), `storage "0" has 3 numbers`},
		"legacy: too short":             {legacy(inDict(view("FloatStorage", "0", 2, 0, two, one)) + "\x80\x02]" + text("0") + "a." + "\x02\x00\x00\x00\x00\x00\x00\x001234567"), `storage "0" has 2 numbers in 7 bytes`},
		"legacy: module":                {legacy("(" + text("module") + "c__main__\nNet\n"), `holds "__main__.Net"`},
		"safetensors: goes on":          {append(weightsFileOf(`{}`), 1), "the file has 11 bytes, its header says 10"},
		"safetensors: overlap":          {append(weightsFileOf(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`), 1, 2, 3), `tensor "b" has the bytes from 1 to 3`},
		"safetensors: out of range":     {append(weightsFileOf(`{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`), 1, 2, 3), "its header says"},
		"safetensors: twice":            {append(weightsFileOf(`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`), 1, 2), `tensor "a" is there twice`},
		"safetensors: large integer":    {append(weightsFileOf(`{"a":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}`), 1, 0, 0, 1), `tensor "a": number 0: float32 does not have the integer 16777217`},
	}
}

func weightsFileOf(header string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...)
}

// read reads all that a file has.
func floats(b []byte) error {
	tensors, err := Tensors(bytes.NewReader(b), int64(len(b)))
	for _, t := range tensors {
		_, err2 := t.Floats()
		err = errors.Join(err, err2)
	}
	return err
}

// What is allocated in all is no less than what is held at any time.
func TestHostile(t *testing.T) {
	for name, c := range hostile(t) {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			begin := time.Now()
			err := floats(c.file)
			took := time.Since(begin)
			runtime.ReadMemStats(&after)
			require.ErrorContains(t, err, c.want)
			require.Less(t, len(err.Error()), 5000)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4*len(c.file)+16<<20))
			if took > 50*time.Millisecond {
				t.Logf("took %v", took)
			}
		})
	}
	var refused *RefusedError
	require.ErrorAs(t, floats(saved(t, "cos\nsystem\n.")), &refused)
	require.Equal(t, "os.system", refused.Name)
	require.NoError(t, floats(saved(t, inDict(view("FloatStorage", "0", 2, 0, integers(2), integers(1))))))
}

// Every file that ends too early is an error.
func TestTruncated(t *testing.T) {
	for _, path := range []string{"testdata/real/pt-linear-bias/model.pt", "testdata/real/pt-legacy/model.pt"} {
		b, err := os.ReadFile(filepath.FromSlash(path))
		require.NoError(t, err)
		require.NoError(t, floats(b))
		for i := range b {
			require.Error(t, floats(b[:i]), fmt.Sprint(path, i))
		}
	}
}

func FuzzTensors(f *testing.F) {
	for path := range realCases(f, "testdata/torch") {
		b, err := os.ReadFile(filepath.Join(path, "model.pt"))
		require.NoError(f, err)
		f.Add(b)
	}
	for _, c := range hostile(f) {
		if len(c.file) < 10_000 {
			f.Add(c.file)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		tensors, err := Tensors(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			require.True(t, strings.HasPrefix(err.Error(), "torch: "))
			return
		}
		for _, x := range tensors {
			if v, err := x.Floats(); err == nil {
				require.Len(t, v, elements(x.Shape))
			}
		}
	})
}
