package main

import (
	"os"
	"path/filepath"
	"testing"
)

// The files in package kernels are what this program prints.
func TestFiles(t *testing.T) {
	for name, want := range files() {
		have, err := os.ReadFile(filepath.Join("..", "kernels", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != want {
			t.Errorf("kernels/%s differs from what gen prints: go run -C gen .", name)
		}
	}
}

// The same description always prints the same text.
func TestDeterministic(t *testing.T) {
	first := files()
	for name, text := range files() {
		if text != first[name] {
			t.Errorf("%s differs between two runs", name)
		}
	}
}
