package train

import "github.com/klauspost/cpuid/v2"

// move reads cache lines from w, m, v and dw on and writes those of w, m and v: 256 bits at a time where that can be, or else
// as other architectures do.
func move(w, m, v, dw *float32, lines int) {
	if cpuid.CPU.Supports(cpuid.AVX2) {
		moveAVX2(w, m, v, dw, lines)
	} else {
		moveGeneric(w, m, v, dw, lines)
	}
}

// moveAVX2 replaces the cache lines from w, m and v on by their exclusive or with those from dw on.
//
//go:noescape
func moveAVX2(w, m, v, dw *float32, lines int)
