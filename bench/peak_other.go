//go:build !amd64

package bench

func fmaLoop(string) (loop func(loops int), flops float64) { return nil, 0 }
