#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the command that runs the tests, and repeats what failed, with its words, where a reader looks first: at the end.
set -uo pipefail
cd "$(dirname "$0")/.."

log=.build/test.log
"$@" 2>&1 | tee "$log"
status=$?
if [ "$status" -ne 0 ]; then
    echo
    echo "What failed:"
    # An issue takes a line, its details follow on lines that begin with an arrow.
    grep -aE 'recorded an issue|^↳|^[^◇✔]* Test .* failed after|error: Exited' "$log" |
        grep -avE '^↳ (///|Testing Library|Target Platform)' | cut -c 1-2000 | tail -n 60
fi
exit "$status"
