package peers

import (
	"os"
	"slices"
	"strconv"
	"strings"
)

// Environment returns the environment of a process in which the peers keep to an ISA and a number of threads. They read
// these settings when they are loaded, so that each pair needs a process of its own.
func Environment(isa string, threads int) []string {
	n := strconv.Itoa(threads)
	settings := map[string]string{
		"OPENBLAS_NUM_THREADS": n,
		"OMP_NUM_THREADS":      n,
		"GOMAXPROCS":           n,
		// Idle threads sleep after about a millisecond. They never idle that long within a sample, and must not
		// outlast it for much longer.
		"OPENBLAS_THREAD_TIMEOUT": "21", // 2^21 cycles
		"GOMP_SPINCOUNT":          "30000",
		// Empty: the best of this machine.
		"OPENBLAS_CORETYPE":  "",
		"ONEDNN_MAX_CPU_ISA": "",
		"DNNL_MAX_CPU_ISA":   "",
		"LIBXSMM_TARGET":     "",
	}
	if isa == "avx2" {
		settings["OPENBLAS_CORETYPE"] = "Haswell"
		settings["ONEDNN_MAX_CPU_ISA"] = "AVX2"
		settings["DNNL_MAX_CPU_ISA"] = "AVX2"
		settings["LIBXSMM_TARGET"] = "hsw"
	}
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		_, set := settings[name]
		return set
	})
	for name, value := range settings {
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}
