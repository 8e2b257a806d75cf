#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes the Python environment of the tests; `make test` runs it after `make deps`.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "test-environment: $*"; }

venv=.build/test-venv
if [ "$venv/installed" -nt packaging/test-requirements.txt ] && [ -x "$venv/bin/python" ]; then
    say "the Python environment of the tests is there"
else
    say "making $venv with what packaging/test-requirements.txt names"
    python=/usr/bin/python3
    [ -x "$python" ] || python=python3
    mkdir -p .build
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" -m pip --quiet --disable-pip-version-check install -r packaging/test-requirements.txt
    touch "$venv/installed"
fi
