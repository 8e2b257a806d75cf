#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the programs of the benchmarks and prints one table: ours, the peer or limit, the ratio, the figure to reach.
# Usage: Benchmarks/run.sh [PART…], the parts being: inside, go-plugin, prometheus, loki, postgresql, adbc, http, start,
# signing. `make build peers` comes first.
set -eu
cd "$(dirname "$0")/.."
made=.build/bench
for program in sha256sum prometheus promtool psql wrk cc python3; do
    command -v "$program" > /dev/null || { echo "bench: $program is missing; run make deps" >&2; exit 1; }
done

[ -x .build/peers/go-plugin-host ] || { echo "bench: the Go peers are missing; run make peers" >&2; exit 1; }

# The same flags as make build, so that nothing else is compiled again.
for product in bench bench-bare-http; do
    GRAFANA_BENCHMARKS=1 swift build -c release --static-swift-stdlib --product "$product" > "$made.log" 2>&1 ||
        { cat "$made.log" >&2; exit 1; }
done

rm -rf "$made"
mkdir -p "$made/plugins/bench"
cp Benchmarks/plugin/plugin.json "$made/plugins/bench/"
case $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=$(uname -m) ;; esac
cc -std=c11 -O2 -Wall -Wextra -Iinclude -shared -fPIC Benchmarks/plugin/bench.c \
    -o "$made/plugins/bench/bench_linux_$arch.so"
for number in $(seq 20); do
    id=grafana-bench$number-datasource folder=$made/idle-plugins/$number
    mkdir -p "$folder"
    sed "s/grafana-bench-datasource/$id/" Benchmarks/plugin/plugin.json >"$folder/plugin.json"
    cc -std=c11 -O2 -Iinclude -shared -fPIC -DBENCH_ID="\"$id\"" Benchmarks/plugin/bench.c \
        -o "$folder/bench_linux_$arch.so"
done

exec python3 Benchmarks/measure.py "$made" "$made/plugins/bench/bench_linux_$arch.so" "$@"
