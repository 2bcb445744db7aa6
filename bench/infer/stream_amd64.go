package infer

import "github.com/klauspost/cpuid/v2"

// read reads cache lines from p on: with 256-bit loads where there are such, or else as other architectures do.
func read(p *float32, lines int) {
	if cpuid.CPU.Supports(cpuid.AVX2) {
		readAVX2(p, lines)
	} else {
		readGeneric(p, lines)
	}
}

// readAVX2 loads each cache line from p on.
//
//go:noescape
func readAVX2(p *float32, lines int)
