#!/usr/bin/env bash
# Makes all packages except the release archives, and checks them: see README.md.
# It stops at the first failure.
#
#   check-packages.sh              of this tree, for this machine
#   check-packages.sh PROGRAM...   of these programs, of which one is for this machine
set -euo pipefail
programs=()
for program in "$@"; do programs+=("$(realpath "$program")"); done
cd "$(dirname "$0")"

# The registry's schemas are in its own module.
registry=github.com/modelcontextprotocol/registry
release=v1.8.8

root=$([ "$(id -u)" = 0 ] || echo sudo)
missing=()
for tool in buildah openssl; do command -v "$tool" >/dev/null || missing+=("$tool"); done
[ -e /etc/ssl/certs/ca-certificates.crt ] || missing+=(ca-certificates)
if ((${#missing[@]})); then
  $root apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $root apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi
if [ ! -e node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
fi

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export TMPDIR=$tmp
modules=$(go mod download -json "$registry@$release" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
export SCHEMAS=$modules/internal/validators/schemas

# build SOURCE PROGRAM, as .goreleaser.yaml does
build() {
  CGO_ENABLED=0 go build -C "$1" -trimpath -buildvcs=true -ldflags '-s -w' -o "$2" ./cmd/wesendall-mcp
}

# valid ENTRY checks an entry with the registry's rules, which are stricter than its schema.
# The registry's module has a program that checks the examples in its documents. Here one
# of the documents is ours, and the schema is the published one.
valid() {
  local docs=$tmp/registry/docs name
  name=$(sed -n 's,.*"$schema": *".*/schemas/\([^/]*\)/server.schema.json".*,\1,p' server.json)
  mkdir -p "$docs/reference/server-json/draft" "$docs/modelcontextprotocol-io"
  cp -f "$modules/docs/reference/server-json/generic-server-json.md" "$docs/reference/server-json/"
  cp -f "$SCHEMAS/$name.json" "$docs/reference/server-json/draft/server.schema.json"
  touch "$docs/modelcontextprotocol-io/"{quickstart,remote-servers}.mdx
  { echo '```json'; cat "$1"; echo '```'; } >"$docs/modelcontextprotocol-io/package-types.mdx"
  (cd "$tmp/registry" && go run "$registry/tools/validate-examples@$release") >"$tmp/registry/log" 2>&1
}

# check_packages OUT PROGRAM... packs programs and runs the tests on the packages.
# Each has the version that the one for this machine prints.
check_packages() {
  node pack.mjs "$@"
  for program in "${@:2}"; do
    if VERSION=$("$program" --version 2>/dev/null); then break; fi
  done
  export VERSION PACKAGES=$1
  node --test --test-reporter=spec packages.test.mjs
  valid "$1/server.json" || { cat "$tmp/registry/log"; return 1; }
  # The check must find a fault in a broken entry.
  sed "s/\"version\": \"$VERSION\"/\"version\": \"^1.2.3\"/" "$1/server.json" >"$tmp/broken.json"
  if valid "$tmp/broken.json" || ! grep -q ❌ "$tmp/registry/log"; then
    printf 'the check finds no fault in a broken server.json\n'
    return 1
  fi
  printf "server.json keeps the registry's rules\n"
}

if ((${#programs[@]} == 0)); then
  programs=("$tmp/this/wesendall-mcp")
  build .. "${programs[0]}"
fi
printf -- '-- the packages\n'
check_packages "$tmp/out" "${programs[@]}"

printf -- '-- the image\n'
$root env "PATH=$PATH" ./check-image.sh "$tmp/out/image" "$VERSION"

printf -- '-- a release: the tag is the version everywhere\n'
git clone -q --no-local --depth 1 "file://$(git rev-parse --show-toplevel)" "$tmp/clone"
git -C "$tmp/clone" tag v1.2.3
build "$tmp/clone" "$tmp/tagged/wesendall-mcp"
[ "$("$tmp/tagged/wesendall-mcp" --version)" = 1.2.3 ]
check_packages "$tmp/release" "$tmp/tagged/wesendall-mcp"

printf -- '-- the packages are correct\n'
