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

# DuckDB's ADBC driver comes inside an extension of Python: a library that needs both is a driver for every program.
driver=$venv/drivers/libadbc_driver_duckdb.so
if [ ! "$driver" -nt "$venv/installed" ]; then
    mkdir -p "$venv/drivers"
    {
        read -r packages
        read -r extension
        read -r libraries
        read -r python
    } < <("$venv/bin/python" -c '
import glob, os, sysconfig
packages = sysconfig.get_paths()["platlib"]
extension = glob.glob(packages + "/_duckdb*.so") + glob.glob(packages + "/duckdb/duckdb*.so")
libraries = sysconfig.get_config_vars()
print(packages, os.path.relpath(extension[0], packages), libraries["LIBDIR"], libraries["INSTSONAME"], sep="\n")')
    ${CC:-cc} -shared -fPIC -O2 -o "$driver" Tests/Programs/duckdb_driver.c -Wl,--no-as-needed \
        -L"$packages" -l:"$extension" -L"$libraries" -l:"$python" \
        -Wl,-rpath,"\$ORIGIN/../${packages#"$PWD/$venv/"}",-rpath,"$libraries"
    say "made $driver"
fi
