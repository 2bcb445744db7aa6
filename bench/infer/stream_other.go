//go:build !amd64

package infer

func read(p *float32, lines int) { readGeneric(p, lines) }
