// Package onnx reads models that others have trained and stored as ONNX.
package onnx
