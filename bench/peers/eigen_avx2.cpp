//go:build peers && cgo && amd64

// Eigen for AVX2. The standard headers come first, so that they are compiled for any machine.
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
#pragma GCC target("avx2,fma")
#define __AVX__ 1
#define __AVX2__ 1
#define __FMA__ 1

#define Eigen Eigen_avx2
#include <eigen3/Eigen/Core>

#include "eigen_product.h"

peer *eigen_prepare_avx2(const problem *q) { return prepare(q); }

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

const char *eigen_version(void) {
	return TEXT(EIGEN_WORLD_VERSION) "." TEXT(EIGEN_MAJOR_VERSION) "." TEXT(EIGEN_MINOR_VERSION);
}
