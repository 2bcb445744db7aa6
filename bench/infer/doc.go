// Package infer measures inference: whole networks, from inputs that are in memory to outputs in memory, call by call.
//
// Here are the networks, their weights and inputs, what float64 makes of them, and Espalier's own calls. Package peers has
// the other libraries; ../cmd/compare sets them side by side.
package infer
