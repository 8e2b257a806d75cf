#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the peers from Debian's packages alone: build.sh FOLDER puts go-plugin-peer, go-plugin-host and go-plugin-driver there.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
mkdir -p "$out/gopath/src/pluginv2"
exec 9>"$out/lock"
flock 9
# The messages of the tests come from the same description as ours, through another generator.
protoc -I "$here/../../../Sources/GoPlugin/Protos" \
    --go_out="plugins=grpc,import_path=pluginv2:$out/gopath/src/pluginv2" backend.proto
export GO111MODULE=off GOPATH="$out/gopath:/usr/share/gocode" GOCACHE="${GOCACHE:-$out/cache}" GOFLAGS=-trimpath
cd "$here"
go build -o "$out/go-plugin-peer" ./plugin
go build -o "$out/go-plugin-host" ./host
go build -o "$out/go-plugin-driver" ./driver
