#!/usr/bin/env bash
# Runs goreleaser's own check and a snapshot build for every system, then makes and checks
# their packages. The first run is slow because it compiles goreleaser. With --single it
# builds only for this machine.
set -euo pipefail
cd "$(dirname "$0")/.."

goreleaser() { go run github.com/goreleaser/goreleaser/v2@v2.15.1 "$@"; }
single=()
[ "${1-}" != --single ] || single=(--single-target)

goreleaser check
goreleaser build --snapshot --clean "${single[@]}"
ls -l dist/*/wesendall-mcp*
packaging/check-packages.sh dist/*/wesendall-mcp*
