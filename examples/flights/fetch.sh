#!/usr/bin/env bash
# Fetches data/flights-3m.parquet (13 MB) out of the npm package vega-datasets, from the registry that npm is set up for.
set -euo pipefail
cd "$(dirname "$0")"

package=vega-datasets@3.2.1
file=flights-3m.parquet
sha256=dbeb920c90f59b6ccaff823dcc3d08f25a97fa1ce128d93f40be4e931f5900b0

command -v npm >/dev/null || { echo "fetch.sh needs npm, to download $package" >&2; exit 1; }
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
archive=$(npm pack --silent --pack-destination "$folder" "$package")
tar -xzf "$folder/$archive" -C "$folder" "package/data/$file"
echo "$sha256  $folder/package/data/$file" | sha256sum --check --quiet
mkdir -p data
mv "$folder/package/data/$file" data/
echo "fetched examples/flights/data/$file"
