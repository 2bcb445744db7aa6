//go:build !amd64

// Package mxcsr is for amd64 only.
package mxcsr
