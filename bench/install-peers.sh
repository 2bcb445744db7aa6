#!/usr/bin/env bash
# Installs the peers that `go run -tags peers ./cmd/compare` measures against and prints their versions: most from Debian's or
# Ubuntu's own packages, ONNX Runtime from npm's onnxruntime-node, TensorFlow.js from npm, GoMLX, Gorgonia and gonnx as Go
# modules. What is no package goes to .peers.
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
  python3-torch      # PyTorch
  libtorch-dev       # libtorch, for training
)

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

[ "$(uname -m)" = x86_64 ] || { echo "the wrappers of the peers are for amd64, this is $(uname -m)" >&2; exit 1; }
command -v apt-get >/dev/null || { echo "needs apt-get: the peers come from Debian's or Ubuntu's packages" >&2; exit 1; }

for tool in node npm go; do
  command -v $tool >/dev/null || { echo "needs $tool" >&2; exit 1; }
done
cd "$(dirname "$0")"

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

# ONNX Runtime: the shared library of the newest release, and the header of its C API, which the Go module for it brings.
ort=.peers/onnxruntime
if [ ! -e $ort/version ]; then
  mkdir -p $ort
  fetched=$(mktemp -d)
  trap 'rm -rf "$fetched"' EXIT
  npm pack --silent --pack-destination "$fetched" onnxruntime-node >/dev/null
  tar -xzf "$fetched"/onnxruntime-node-*.tgz -C "$fetched" --wildcards 'package/bin/*/linux/x64/libonnxruntime.so*' package/package.json
  cp "$fetched"/package/bin/*/linux/x64/libonnxruntime.so.1 $ort/
  module=$(go list -m -f '{{.Dir}}' github.com/yalue/onnxruntime_go)
  if [ -z "$module" ]; then
    go mod download github.com/yalue/onnxruntime_go
    module=$(go list -m -f '{{.Dir}}' github.com/yalue/onnxruntime_go)
  fi
  install -m 644 "$module"/onnxruntime_c_api.h "$module"/onnxruntime_ep_c_api.h $ort/
  sed -n 's/^ *"version": "\(.*\)",$/\1/p' "$fetched"/package/package.json >$ort/version
fi

# TensorFlow.js, with its backend in WebAssembly.
tfjs=4.22.0
[ -e .peers/tfjs/node_modules/@tensorflow/tfjs-backend-wasm ] ||
  npm install --silent --no-fund --no-audit --save-exact --prefix .peers/tfjs @tensorflow/tfjs@$tfjs @tensorflow/tfjs-backend-wasm@$tfjs

go build -C infer/gomlx -o ../../.peers/gomlx .
go build -C train/gomlx -o ../../.peers/gomlx-train .

# Gorgonia's vectors are written in assembly under the tag avx.
for program in infer:gorgonia train:gorgonia-train gonnx:gonnx; do
  CGO_ENABLED=1 go build -C gorgonia -tags avx,openblas -o ../.peers/"${program#*:}" ./"${program%:*}"
done

dpkg-query -W -f '${Package}\t${Version}\n' "${packages[@]}"
sed -n 's/^ *"version": "\(.*\)",$/tfjs\t\1/p' .peers/tfjs/node_modules/@tensorflow/tfjs/package.json
printf 'onnxruntime-node\t%s\n' "$(cat $ort/version)"
go version -m .peers/gomlx | awk '$1 == "dep" && $2 == "github.com/gomlx/gomlx" { print "gomlx\t" $3 }'
go version -m .peers/gorgonia .peers/gonnx | awk '$1 == "dep" && $2 ~ /\/(gorgonia|gonnx)$/ { print $2 "\t" $3 }'
