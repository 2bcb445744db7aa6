//go:build peers && cgo && amd64

// Eigen for AVX-512. The standard headers come first, so that they are compiled for any machine.
#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <cmath>
#include <complex>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iosfwd>
#include <limits>
#include <sstream>
#include <vector>

// As with -m flags, but for this file only. g++ reads the pragma too late to define the macros that Eigen asks for.
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#define __AVX__ 1
#define __AVX2__ 1
#define __FMA__ 1
#define __AVX512F__ 1
#define __AVX512VL__ 1
#define __AVX512DQ__ 1
#define __AVX512BW__ 1

#define Eigen Eigen_avx512
#include <eigen3/Eigen/Core>

#include "eigen_product.h"

peer *eigen_prepare_avx512(const problem *q) { return prepare(q); }
