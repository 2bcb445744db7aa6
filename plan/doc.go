// Package plan makes what is to be computed ready to serve.
//
// A [Recorder] notes operations, those of [ops.Ops], for one sample; who adds one adds a method in a file of its family:
// dense.go, matmul.go, embedding.go, activate.go, unary.go, softmax.go, maskscores.go, layernorm.go, rmsnorm.go, batchnorm.go,
// permute.go, addpairs.go, shape.go (reshape, concatenate, slice, repeat), arithmetic.go (add, multiply, maximum, minimum,
// scale), affine.go, dropout.go, custom.go. [Recorder.Plan] lowers the record in passes, one file each: fold.go
// computes what depends on constants only, alias.go finds values that are others in another shape, absorb.go makes scales
// and shifts a part of products, fuse.go joins products with what follows them, merge.go makes several products one,
// place.go decides where values lie, lower.go turns them into steps, chain.go finds those that run for few samples at a time, layout.go shares the memory. A [Session] runs the steps, and a [Handle] lets a service change its plan without a pause. No
// pass knows of layers.
package plan
