package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/espalier-ml/espalier/nn"
)

// check ends the test with an error.
func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wrong reports what is not as it should be.
func wrong(t *testing.T, is bool, what string, values ...any) {
	t.Helper()
	if is {
		t.Errorf(what, values...)
	}
}

// writeIDX writes bytes as the package has them.
func writeIDX(t *testing.T, path string, values []byte, shape ...uint32) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte{0, 0, 8, byte(len(shape))})
	check(t, err)
	check(t, binary.Write(z, binary.BigEndian, shape))
	_, err = z.Write(values)
	check(t, err)
	check(t, z.Close())
	check(t, os.WriteFile(path, b.Bytes(), 0o666))
}

// madeUp writes n pictures of each part: article i is a bright row i and column 27-i.
func madeUp(t *testing.T, n int) (folder string) {
	folder = t.TempDir()
	for _, part := range []string{"train", "t10k"} {
		pixels, labels := make([]byte, n*side*side), make([]byte, n)
		for i := range n {
			labels[i] = byte(i * 7 % 10)
			for j := range side {
				pixels[i*side*side+int(labels[i])*side+j] = 255
				pixels[i*side*side+j*side+side-1-int(labels[i])] = byte(155 + i)
			}
		}
		writeIDX(t, filepath.Join(folder, part+"-images-idx3-ubyte.gz"), pixels, uint32(n), side, side)
		writeIDX(t, filepath.Join(folder, part+"-labels-idx1-ubyte.gz"), labels, uint32(n))
	}
	return folder
}

func TestRun(t *testing.T) {
	var out bytes.Buffer
	logs, err := run(context.Background(), options{madeUp(t, 60), 25, 1}, &out)
	check(t, err)
	wrong(t, !(logs["article_accuracy"] > 0.8) || !strings.Contains(out.String(), "epoch 25 of 25"), "accuracy %v: %s", logs, &out)
}

func TestRead(t *testing.T) {
	d, err := read(madeUp(t, 3), "train")
	check(t, err)
	article, group := d.Targets["article"].(nn.Labels), d.Targets["group"].(nn.Labels)
	wrong(t, !slices.Equal(article, nn.Labels{0, 7, 4}) || !slices.Equal(group, nn.Labels{0, 2, 0}), "labels %v and %v", article, group)
	table := d.Inputs["table"].(nn.Floats)
	// row 0 of picture 0, its last column, row 7 of picture 1
	for at, want := range map[int]float32{0: 1, 2*side - 1: 27.0 * 155 / 255 / 28, 2*side + 7: 1} {
		wrong(t, table[at] < want-0.1 || table[at] > want+0.1, "table %d is %v, must be near %v", at, table[at], want)
	}
}

func TestErrors(t *testing.T) {
	_, err := run(context.Background(), options{t.TempDir(), 1, 1}, new(bytes.Buffer))
	wrong(t, !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "apt-get install dataset-fashion-mnist"), "error %v", err)

	images, labels := "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
	for name, spoil := range map[string]func(folder string){
		"must be [n 28 28] and [n]": func(f string) { writeIDX(t, filepath.Join(f, images), make([]byte, 4), 1, 2, 2) },
		"label 10 of picture 2":     func(f string) { writeIDX(t, filepath.Join(f, labels), []byte{1, 2, 10}, 3) },
		"unexpected EOF":            func(f string) { writeIDX(t, filepath.Join(f, labels), []byte{1, 2}, 3) },
		"has an axis of 4294967295": func(f string) { writeIDX(t, filepath.Join(f, labels), nil, 1<<32-1) },
		"must be 0, 0, 8":           func(f string) { writeIDX(t, filepath.Join(f, labels), nil) },
		"gzip: invalid header":      func(f string) { check(t, os.WriteFile(filepath.Join(f, images), make([]byte, 99), 0o666)) },
	} {
		folder := madeUp(t, 3)
		spoil(folder)
		_, err := read(folder, "train")
		wrong(t, err == nil || !strings.Contains(err.Error(), name), "error %v, must say %q", err, name)
	}
}
