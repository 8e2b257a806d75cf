#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes a plugin folder from a built Swift package: plugin.json and its library under the name that the loader looks for.
# Usage: packaging/copy-plugin.sh PACKAGE BUILT-FOLDER PLUGIN-FOLDER GOARCH
set -eu
package=$1 built=$2 plugin=$3 goarch=$4

library=$(sed -n 's/.*"library": *"\([^"]*\)".*/\1/p' "$package/plugin.json")
[ -n "$library" ] || { echo "copy-plugin: $package/plugin.json names no \"library\"" >&2; exit 1; }
mkdir -p "$plugin"
# Copied beside its place and moved there, so that a server that watches the folder never opens half a library.
cp "$built/lib$library.so" "$plugin/.library.new"
mv -f "$plugin/.library.new" "$plugin/${library}_linux_$goarch.so"
cp "$package/plugin.json" "$plugin/.plugin.new"
mv -f "$plugin/.plugin.new" "$plugin/plugin.json"
