#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Links the built-in data sources once more, as shared libraries, and makes a plugin folder of each.
# Usage: packaging/make-builtin-plugins.sh GOARCH
#
# The objects are those of the debug build, so that only linking is left to do.
set -eu
cd "$(dirname "$0")/.."
goarch=$1
out=.build/builtin-plugins
names="loki mysql postgresql prometheus sqlite testdata"

export GRAFANA_BUILTIN_PLUGINS=1
swift=${SWIFT:-swift}
for product in builtin-descriptors $(printf 'builtin-%s ' $names); do
    $swift build --product "$product"
done
built=$($swift build --show-bin-path)
for name in $names; do
    mkdir -p "$out/$name"
    "$built/builtin-descriptors" "$name" > "$out/$name/plugin.json"
    cp "$built/libbuiltin-$name.so" "$out/$name/.new"
    mv -f "$out/$name/.new" "$out/$name/${name}_linux_$goarch.so"
done
