// Package train measures training: steps of whole networks, from a batch in memory to updated weights and the batch's loss.
//
// Here are the targets, what float64 makes of the first steps, and Espalier's own calls; the networks are those of ../infer.
// Package peers has the other libraries; ../cmd/compare sets them side by side.
package train
