//go:build !amd64

package train

func move(w, m, v, dw *float32, lines int) { moveGeneric(w, m, v, dw, lines) }
