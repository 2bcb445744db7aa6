package keras

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/espalier-ml/espalier/internal/brief"
	"github.com/espalier-ml/espalier/internal/hdf5"
)

// A file is what a file has of a model. All of its parts may be missing but the weights.
type file struct {
	config   []byte // JSON
	version  string // of Keras
	training []byte // JSON: how an HDF5 file says how the model is compiled
	size     int64  // of the HDF5 file
	root     *hdf5.Group
	weights  *hdf5.Group
	byLayer  bool // weights has a group for each layer with a list of its weights, as Keras writes .h5 files
}

// open finds out what a file is, and reads its configuration.
func open(in io.ReaderAt, size int64) (*file, error) {
	start := make([]byte, min(size, 8))
	if _, err := in.ReadAt(start, 0); err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(start, []byte("PK")):
		return openZip(in, size)
	case bytes.HasPrefix(start, []byte{0x08}) && !bytes.HasPrefix(start, []byte("\x89HDF")):
		return nil, errSavedModel // what a saved_model.pb begins with
	}
	h, err := hdf5.Open(in, size)
	if err != nil {
		return nil, fmt.Errorf("is neither a zip file (.keras) nor HDF5 (.h5): %w", err)
	}
	return openHDF5(h.Root(), size)
}

const maxFiles = 1024 // in a zip file

// openZip reads a .keras file. Its names are looked up and lead nowhere.
func openZip(in io.ReaderAt, size int64) (*file, error) {
	z, err := zip.NewReader(in, size)
	if err != nil {
		return nil, err
	}
	if len(z.File) > maxFiles {
		return nil, fmt.Errorf("has %d files, at most %d are possible", len(z.File), maxFiles)
	}
	files := map[string]*zip.File{}
	var names []string
	for _, f := range z.File {
		files[f.Name] = f
		names = append(names, f.Name)
	}
	f := &file{}
	var metadata struct {
		Version string `json:"keras_version"`
	}
	if m := files["metadata.json"]; m != nil {
		text, err := unzip(m, 1<<16)
		if err == nil {
			err = json.Unmarshal(text, &metadata)
		}
		if err != nil {
			return nil, fmt.Errorf("metadata.json: %w", err)
		}
	}
	f.version = metadata.Version
	config := files["config.json"]
	if config == nil {
		for _, name := range names {
			if path.Base(name) == "saved_model.pb" {
				return nil, errSavedModel
			}
		}
		return nil, fmt.Errorf("has no config.json: it has %s", brief.QuoteAll(names))
	}
	if f.config, err = unzip(config, min(maxConfig, size+2<<20)); err != nil {
		return nil, fmt.Errorf("config.json: %w", err)
	}
	w := files["model.weights.h5"]
	if w == nil {
		return nil, fmt.Errorf("has no model.weights.h5: it has %s", brief.QuoteAll(names))
	}
	h, n, err := openWeights(in, w, 3*size+8<<20)
	if err != nil {
		return nil, fmt.Errorf("model.weights.h5: %w", err)
	}
	f.size, f.weights = n, h.Root()
	_, f.byLayer, err = f.weights.StringList("layer_names")
	return f, err
}

// openWeights opens an HDF5 file in a zip file and returns its size, at most limit if it is compressed. What is not, as Keras
// writes it, is read where it is.
func openWeights(in io.ReaderAt, f *zip.File, limit int64) (*hdf5.File, int64, error) {
	if f.Method != zip.Store {
		text, err := unzip(f, limit)
		if err != nil {
			return nil, 0, err
		}
		h, err := hdf5.Open(bytes.NewReader(text), int64(len(text)))
		return h, int64(len(text)), err
	}
	r, err := f.Open()
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 1<<17)) // compares the checksum; Discard reads in smaller pieces
	if err != nil {
		return nil, 0, err
	}
	at, err := f.DataOffset()
	if err != nil {
		return nil, 0, err
	}
	h, err := hdf5.Open(io.NewSectionReader(in, at, n), n)
	return h, n, err
}

// unzip returns the content of a file in a zip file, which has at most so many bytes.
func unzip(f *zip.File, limit int64) ([]byte, error) {
	if f.UncompressedSize64 > uint64(limit) {
		return nil, fmt.Errorf("has %d bytes, at most %d are believed of a file of this size", f.UncompressedSize64, limit)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r) // as many as the zip file says, or an error
}

// openHDF5 reads a whole model as .h5, or weights alone.
func openHDF5(root *hdf5.Group, size int64) (*file, error) {
	f := &file{size: size, root: root, weights: root}
	for name, to := range map[string]*[]byte{"model_config": &f.config, "training_config": &f.training} {
		text, err := optionalText(root, name)
		if err != nil {
			return nil, err
		}
		if text != "" {
			*to = []byte(text)
		}
	}
	if g, err := root.Group("model_weights"); err == nil {
		f.weights = g
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var err error
	if f.version, err = optionalText(root, "keras_version"); err == nil && f.version == "" {
		f.version, err = optionalText(f.weights, "keras_version")
	}
	if err != nil {
		return nil, err
	}
	_, f.byLayer, err = f.weights.StringList("layer_names")
	return f, err
}

// optionalText returns an attribute that is a string, "" if there is none.
func optionalText(g *hdf5.Group, name string) (string, error) {
	a := g.Attr(name)
	if a == nil {
		return "", nil
	}
	return a.Text()
}
