#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The linker of grafana-plugin-go, which runs on machines of others: jansson goes into the program, and librnp is left
# out, whose functions Sources/CNoOpenPGP has. The package manager names both in front of all that could say so.
set -eu
files=()
trap 'rm -f "${files[@]}"' EXIT
arguments=()
for argument in "$@"; do
    case $argument in
    # The compiler's answer to a line that is too long: a file with the arguments, each in quotes.
    @*)
        file=$(mktemp)
        files+=("$file")
        sed -e 's/"-lrnp"//g' -e 's/"-ljansson"/"-l:libjansson.a"/g' "${argument#@}" >"$file"
        arguments+=("@$file")
        ;;
    -lrnp) ;;
    -ljansson) arguments+=(-l:libjansson.a) ;;
    *) arguments+=("$argument") ;;
    esac
done
"$(command -v ld.gold || command -v ld)" "${arguments[@]}"
