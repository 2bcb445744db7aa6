// Package keras reads and writes model files of Keras.
package keras
