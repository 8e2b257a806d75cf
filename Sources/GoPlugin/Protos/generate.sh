#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Turns the .proto files beside this script into ../Generated; see `make protos`.
# Needs Debian's protobuf-compiler, and protoc-gen-swift of the swift-protobuf that Package.resolved names:
# PROTOC_GEN_SWIFT says where it is, else it is built from .build/checkouts.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../../..
plugin=${PROTOC_GEN_SWIFT:-}
if [ -z "$plugin" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    cp -R "$root/.build/checkouts/swift-protobuf" "$work/"
    swift build --package-path "$work/swift-protobuf" --product protoc-gen-swift
    plugin=$work/swift-protobuf/.build/debug/protoc-gen-swift
fi
cd "$here"
protoc --plugin=protoc-gen-swift="$plugin" --swift_out=../Generated \
    --swift_opt=Visibility=Package --swift_opt=UseAccessLevelOnImports=true ./*.proto
for file in ../Generated/*.pb.swift; do
    sed -i -e '1i// SPDX-License-Identifier: Apache-2.0' \
        -e '/: @unchecked Sendable {$/s|$|  // Safety: its storage is copied before it is changed|' \
        -e '/static nonisolated(unsafe) let/s|$|  // Safety: never changed|' "$file"
done
