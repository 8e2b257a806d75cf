#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Compares the plugin ABI with every released baseline: only what append-only.suppr allows may differ.
#
# abi/check.sh [INCLUDE]                 checks the headers in INCLUDE (default: include)
# abi/check.sh --new-baseline VERSION    writes abi/baseline/VERSION.abi and .contract, once for each release
set -eu
export LC_ALL=C
cd "$(dirname "$0")/.."

command -v abidiff >/dev/null || { echo "abi-check: abidiff is missing; run 'make deps'" >&2; exit 2; }
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

# dump INCLUDE: writes $made/now.abi and $made/now.contract without any path of this machine.
dump() {
    ${CC:-cc} -std=c11 -g -O0 -fPIC -shared -I"$1" -ffile-prefix-map="$PWD=." abi/probe.c -o "$made/probe.so"
    abidw --no-architecture --no-corpus-path --no-comp-dir-path --no-show-locs --out-file "$made/now.abi" "$made/probe.so"
    abi/generate.py --contract --include "$1" >"$made/now.contract"
}

if [ "${1:-}" = --new-baseline ]; then
    dump include
    mkdir -p abi/baseline
    cp "$made/now.abi" "abi/baseline/$2.abi"
    cp "$made/now.contract" "abi/baseline/$2.contract"
    echo "abi-check: wrote abi/baseline/$2.abi and $2.contract"
    exit 0
fi

dump "${1:-include}"
for baseline in abi/baseline/*.abi; do
    version=$(basename "$baseline" .abi)
    if ! abidiff --no-architecture --no-added-syms --suppressions abi/append-only.suppr "$baseline" "$made/now.abi"; then
        echo "abi-check: the headers break ABI $version; members may only be appended, see docs/plugin-abi.md" >&2
        exit 1
    fi
    # abidiff lets a member of a suppressed struct change its type or place; this does not.
    comm -23 "abi/baseline/$version.contract" "$made/now.contract" >"$made/lost"
    if [ -s "$made/lost" ]; then
        echo "abi-check: the headers break ABI $version; these are gone or changed:" >&2
        cat "$made/lost" >&2
        exit 1
    fi
    echo "abi-check: compatible with ABI $version"
done
