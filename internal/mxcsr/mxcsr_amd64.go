// Package mxcsr reads the control and status register of SSE and AVX, for tests that nothing changes it.
package mxcsr

// Flags are the bits that record exceptions. The others control rounding, denormals and traps.
const Flags = 0x3f

// Get returns the register of the current thread.
func Get() uint32
