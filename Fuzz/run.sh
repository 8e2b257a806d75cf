#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs each fuzzer of this folder for FUZZ_SECONDS under AddressSanitizer, beginning with the fixtures.
# Usage: Fuzz/run.sh [NAME…]. A finding is written to .build/fuzz/NAME-crash-… and ends the run.
set -eu
cd "$(dirname "$0")/.."
export SWIFT_BACKTRACE=enable=no
seconds=${FUZZ_SECONDS:-60}
made=.build/fuzz
mkdir -p "$made"

# The module's sources and the fuzzers are one module: SwiftPM builds no program without a main function.
# Not optimised: that builds in a minute, and every overflow and bounds check is there.
# shellcheck disable=SC2046
swiftc -Onone -sanitize=fuzzer,address -parse-as-library -swift-version 6 -module-name PluginABI -I include -use-ld=lld \
    -enable-upcoming-feature MemberImportVisibility -enable-upcoming-feature InternalImportsByDefault \
    -enable-upcoming-feature ExistentialAny -suppress-warnings \
    $(find Sources/PluginABI -name '*.swift' | sort) Fuzz/*.swift -o "$made/fuzz"

[ $# -gt 0 ] || set -- ArrowFile FrameJSON JSONText
for name in "$@"; do
    case $name in ArrowFile) kind=arrow ;; *) kind=json ;; esac
    mkdir -p "$made/$name-corpus"
    find ../shared/fixtures/frames ../shared/fixtures/sdk -name "*.$kind" -exec cp {} "$made/$name-corpus/" \;
    echo "fuzz: $name for $seconds s"
    FUZZ_TARGET=$name "$made/fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
        -verbosity=0 -print_final_stats=1 -artifact_prefix="$made/$name-" "$made/$name-corpus"
done
