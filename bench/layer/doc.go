// Package layer compares Espalier with other libraries in models of one layer that is more than a product: the normalizations,
// attention, recurrent and convolutional layers, as served.
package layer
