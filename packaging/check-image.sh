#!/usr/bin/env bash
# Builds the image from the context that pack.mjs made, and runs the program on the image's
# files. It needs root and buildah, but neither Docker nor a base image.
#
#   check-image.sh CONTEXT VERSION
set -euo pipefail
cd "$(dirname "$0")"
context=$1

store=$(mktemp -d)
buildah() { command buildah --root "$store/root" --runroot "$store/run" --storage-driver vfs "$@"; }
trap 'buildah umount --all >/dev/null 2>&1 || true; rm -rf "$store"' EXIT

buildah build --quiet --isolation chroot --platform "$(go env GOHOSTOS)/$(go env GOHOSTARCH)" -f Dockerfile -t wesendall-mcp "$context" >/dev/null
CONFIG=$(buildah inspect --type image wesendall-mcp)
ROOTFS=$(buildah mount "$(buildah from wesendall-mcp)")
export CONFIG ROOTFS VERSION=$2 TMPDIR=$store
node --test --test-reporter=spec image.test.mjs
