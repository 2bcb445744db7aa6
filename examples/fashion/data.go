package main

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/espalier-ml/espalier/nn"
)

const side = 28 // pixels

// articles are what the labels count through, each with its group.
var articles = []struct {
	name  string
	group int // index into groups
}{{"T-shirt", 0}, {"trousers", 1}, {"pullover", 0}, {"dress", 0}, {"coat", 0}, {"sandal", 2}, {"shirt", 0}, {"sneaker", 2}, {"bag", 3}, {"ankle boot", 2}}

var groups = []string{"top", "trousers", "footwear", "bag"}

// read returns the pictures of a part, "train" or "t10k", with a table of how bright their rows and columns are on average.
func read(folder, part string) (nn.Data, error) {
	shape, pixels, err := readIDX(filepath.Join(folder, part+"-images-idx3-ubyte.gz"))
	if err != nil {
		return nn.Data{}, err
	}
	count, labels, err := readIDX(filepath.Join(folder, part+"-labels-idx1-ubyte.gz"))
	if err != nil {
		return nn.Data{}, err
	}
	if len(shape) != 3 || shape[1] != side || shape[2] != side || len(count) != 1 || count[0] != shape[0] {
		return nn.Data{}, fmt.Errorf("%s: pictures of %v and labels of %v, must be [n %d %d] and [n]", folder, shape, count, side, side)
	}
	n := shape[0]
	pictures, tables := make(nn.Floats, len(pixels)), make(nn.Floats, n*2*side)
	for i, v := range pixels {
		bright := float32(v) / 255
		pictures[i] = bright
		picture, y, x := i/(side*side), i/side%side, i%side
		tables[picture*2*side+y] += bright / side
		tables[picture*2*side+side+x] += bright / side
	}
	article, group := make(nn.Labels, n), make(nn.Labels, n)
	for i, v := range labels {
		if int(v) >= len(articles) {
			return nn.Data{}, fmt.Errorf("%s: label %d of picture %d, valid are 0 to %d", folder, v, i, len(articles)-1)
		}
		article[i], group[i] = int32(v), int32(articles[v].group)
	}
	return nn.Data{
		Inputs:  nn.Arrays{"picture": pictures, "table": tables},
		Targets: nn.Arrays{"article": article, "group": group},
	}, nil
}

// readIDX reads a file of bytes in the format of MNIST: two zeros, 8 for bytes, the number of axes and their sizes.
func readIDX(path string) (shape []int, values []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, nil, err
	}
	var head [4]byte
	if _, err := io.ReadFull(z, head[:]); err != nil {
		return nil, nil, err
	}
	if head[0] != 0 || head[1] != 0 || head[2] != 8 || head[3] < 1 || head[3] > 3 {
		return nil, nil, fmt.Errorf("begins with %v, must be 0, 0, 8 and from 1 to 3", head)
	}
	const most = 1 << 28 // bytes
	size := 1
	for range head[3] {
		var n uint32
		if err := binary.Read(z, binary.BigEndian, &n); err != nil {
			return nil, nil, err
		}
		if n < 1 || int64(n)*int64(size) > most {
			return nil, nil, fmt.Errorf("has an axis of %d, valid are 1 to %d bytes together", n, most)
		}
		shape, size = append(shape, int(n)), size*int(n)
	}
	values = make([]byte, size)
	_, err = io.ReadFull(z, values)
	return shape, values, err
}
