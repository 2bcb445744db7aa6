// Package multitask balances the tasks of a model that has several outputs: it weighs their losses, or combines the
// gradients that they have in the layers they share. Its methods are those of the papers, under the names that LibMTL and
// TorchJD give them.
//
// A [Balancer] is of one of two kinds, which [Balancer.Needs] tells. From the losses of the tasks, and from the mean losses of
// the epochs behind, one computes the weights of the total loss. From gradients, one needs in most cases no more than their
// Gramian, the m by m matrix of products gᵢ·gⱼ of the gradients that the m tasks have in the shared layers. It gives weights
// w, and Σ wᵢ·gᵢ is the gradient of the shared layers. A few need the gradients themselves.
//
// All arithmetic is in float64 and gives the same bits on every machine. What a method chooses by chance follows from
// [Step.Seed] alone. A method is a plain value: encoding/json writes its options and its state, and what it reads back goes on
// with the same bits.
package multitask
