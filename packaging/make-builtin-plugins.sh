#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Links built-in data sources once more, as shared libraries, and makes a plugin folder of each.
#
# packaging/make-builtin-plugins.sh GOARCH            all of them, from the debug build, into .build/builtin-plugins
# packaging/make-builtin-plugins.sh GOARCH release    those that the server runs in processes of their own, from the
#                                                     release build, into core-plugins beside its programs
#
# The objects are those of the build, so that only linking is left to do.
set -eu
cd "$(dirname "$0")/.."
goarch=$1
core="adbc"
export GRAFANA_BUILTIN_PLUGINS=1
swift=${SWIFT:-swift}
if [ "${2:-debug}" = release ]; then
    names=$core
    options="-c release --static-swift-stdlib --disable-local-rpath"
else
    names="adbc loki mysql postgresql prometheus sqlite testdata"
    options=""
fi

for product in builtin-descriptors $(printf 'builtin-%s ' $names); do
    $swift build $options --product "$product"
done
built=$($swift build $options --show-bin-path)
if [ -n "$options" ]; then out=$built/core-plugins; else out=$PWD/.build/builtin-plugins; fi
for name in $names; do
    mkdir -p "$out/$name"
    "$built/builtin-descriptors" "$name" > "$out/$name/plugin.json"
    cp "$built/libbuiltin-$name.so" "$out/$name/.new"
    # Every start of a server reads the file whole: the names of what it does not export are half of it.
    if [ "$options" ]; then strip --strip-unneeded "$out/$name/.new"; fi
    mv -f "$out/$name/.new" "$out/$name/${name}_linux_$goarch.so"
done
# The server finds its own beside its program.
if [ -z "$options" ]; then
    mkdir -p "$built/core-plugins"
    for name in $core; do ln -sfn "$out/$name" "$built/core-plugins/$name"; done
fi
