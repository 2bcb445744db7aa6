// Package onnx reads models that others have trained and stored as ONNX, and writes models for others to run.
package onnx
