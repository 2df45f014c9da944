#!/usr/bin/env bash
# Runs goreleaser's own check and a snapshot build of every system, then makes
# the packages of all of them and checks those. Slow the first time, for
# goreleaser is compiled from source. With --single it builds for this machine
# alone.
set -euo pipefail
cd "$(dirname "$0")/.."

goreleaser() { go run github.com/goreleaser/goreleaser/v2@v2.15.1 "$@"; }
single=()
[ "${1-}" != --single ] || single=(--single-target)

goreleaser check
goreleaser build --snapshot --clean "${single[@]}"
ls -l dist/*/wesendall-mcp*
packaging/check-packages.sh dist/*/wesendall-mcp*
