// Package autograd differentiates what package kernels computes.
//
// A [Tape] records each operation as it runs; [Tape.Backward] walks the record in reverse and leaves the gradient of
// every parameter in the tape's memory, where [Tape.Grad] finds it. All memory of a step belongs to the tape, and
// [Tape.Reset] hands it to the next step, so a steady training loop allocates nothing.
//
// Everything is a matrix, rows by columns; a row is a sample. A scalar is 1x1. Operations never panic on bad shapes:
// the first error sticks to the tape, later operations do nothing, and Backward or [Tape.Err] reports it.
//
// A tape implements [ops.Ops] and [ops.Losses]. Each operation is one small struct with its forward and its backward side
// by side in one file: dense.go, embedding.go, activate.go, unary.go, softmax.go, shape.go (reshape, concatenate, slice),
// arithmetic.go (add, multiply, scale, reduce), affine.go, dropout.go, custom.go, loss.go.
package autograd
