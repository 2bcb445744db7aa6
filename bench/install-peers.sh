#!/usr/bin/env bash
# Installs the peers that `go run -tags peers ./cmd/compare` measures against, from Debian's or Ubuntu's own packages, and
# prints their versions.
set -euo pipefail

packages=(
  g++                # for oneDNN's and Eigen's wrappers
  libopenblas-dev    # OpenBLAS
  libdnnl-dev        # oneDNN
  libxsmm-dev        # libxsmm
  libxnnpack-dev     # XNNPACK
  libpthreadpool-dev # XNNPACK's threads
  libcpuinfo-dev     # XNNPACK's choice of kernels
  libeigen3-dev      # Eigen
)

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

[ "$(uname -m)" = x86_64 ] || { echo "the wrappers of the peers are for amd64, this is $(uname -m)" >&2; exit 1; }
command -v apt-get >/dev/null || { echo "needs apt-get: the peers come from Debian's or Ubuntu's packages" >&2; exit 1; }

missing=()
for p in "${packages[@]}"; do
  installed "$p" || missing+=("$p")
done
if [ ${#missing[@]} -gt 0 ]; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -q
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

for p in "${packages[@]}"; do
  installed "$p" || { echo "$p is not installed" >&2; exit 1; }
done
dpkg-query -W -f '${Package}\t${Version}\n' "${packages[@]}"
