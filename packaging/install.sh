#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what was built. Usage: PREFIX=/usr/local DESTDIR= packaging/install.sh RELEASE-FOLDER PROGRAM…; by `make install`.
set -eu
cd "$(dirname "$0")/.."
release=$1
shift
root=${DESTDIR:-}${PREFIX:-/usr/local}

find include/grafana -name '*.h' | while read -r header; do
    install -D -m 644 "$header" "$root/$header"
done
sed "s|@PREFIX@|${PREFIX:-/usr/local}|" grafana-plugin.pc.in >"$release/grafana-plugin.pc"
install -D -m 644 "$release/grafana-plugin.pc" "$root/share/pkgconfig/grafana-plugin.pc"

for program in "$@"; do
    install -D -m 755 -s "$release/$program" "$root/bin/$program"
    made=$(mktemp -d)
    "$release/$program" --generate-completion-script bash >"$made/bash"
    "$release/$program" --generate-completion-script zsh >"$made/zsh"
    "$release/$program" --generate-completion-script fish >"$made/fish"
    "$release/$program" --experimental-dump-help >"$made/help.json"
    python3 packaging/man.py <"$made/help.json" >"$made/man"
    install -D -m 644 "$made/bash" "$root/share/bash-completion/completions/$program"
    install -D -m 644 "$made/zsh" "$root/share/zsh/site-functions/_$program"
    install -D -m 644 "$made/fish" "$root/share/fish/vendor_completions.d/$program.fish"
    install -D -m 644 "$made/man" "$root/share/man/man1/$program.1"
    rm -r "$made"
done

# What programs start: the server, for plugins that run in processes of their own; and Grafana, from the packages that
# grafana-plugin makes.
for program in grafana-plugin-runner grafana-plugin-go; do
    install -D -m 755 -s "$release/$program" "$root/libexec/grafana/$program"
done

# The trust folder of the installation, for grafana-sign trust add.
install -d -m 755 "$root/share/grafana/conf/trust"

# The plugins that are part of the server and run in such processes.
for library in "$release"/core-plugins/*/*.so; do
    [ -f "$library" ] || continue
    name=$(basename "$(dirname "$library")")
    install -D -m 755 -s "$library" "$root/libexec/grafana/core-plugins/$name/$(basename "$library")"
    install -D -m 644 "$(dirname "$library")/plugin.json" "$root/libexec/grafana/core-plugins/$name/plugin.json"
done

# What the server reads below its home path: grafana server --homepath PREFIX/share/grafana
for folder in conf public; do
    [ -d "$folder" ] || continue
    find "$folder" -type f ! -name custom.ini | while read -r file; do
        install -D -m 644 "$file" "$root/share/grafana/$file"
    done
done
echo "install: $root/bin has $*; start: $root/bin/grafana server --homepath $root/share/grafana"
