#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks the frame builder of grafana/sdk.h against pyarrow: abi/sdk_frames.py, with the Python of .build/test-venv."""
import ctypes
import json
import pathlib
import subprocess
import tempfile

import pyarrow

ROOT = pathlib.Path(__file__).resolve().parent.parent


def check_frame(library, rows):
    schema, array = ctypes.create_string_buffer(72), ctypes.create_string_buffer(80)
    assert library.sdk_full_frame(rows, schema, array) == 0
    batch = pyarrow.RecordBatch._import_from_c(ctypes.addressof(array), ctypes.addressof(schema))
    batch.validate(full=True)
    expected = [
        [row * 1000000000 for row in range(rows)], [row / 2 for row in range(rows)], [row * 3 for row in range(rows)],
        ["row %d" % row for row in range(rows)], [row % 2 == 0 for row in range(rows)],
        [b'{"i":%d}' % row for row in range(rows)]]
    for index in range(12):
        values = expected[index // 2]
        if index % 2:
            values = [None if row % 3 == 2 else value for row, value in enumerate(values)]
        column = batch.column(index)
        if index // 2 == 0:
            assert str(column.type) == "timestamp[ns]"
            column = column.cast(pyarrow.int64())
        assert column.to_pylist() == values, batch.schema.field(index)
        assert batch.schema.field(index).nullable == bool(index % 2)
    assert batch.schema.metadata == {b"name": b"full", b"refId": b"A", b"meta": b'{"custom":1}'}
    field = batch.schema.field(2)
    assert field.metadata[b"tstype"] == b"number" and json.loads(field.metadata[b"config"]) == {"unit": "bytes"}
    assert field.metadata[b"labels"].startswith(b'{"host":')
    assert json.loads(field.metadata[b"labels"]) == {"host": "a", "zone": 'b"\\\n'}


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "sdk_frames.so"
        subprocess.run(
            ["cc", "-std=c11", "-g", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", str(ROOT / "include"), "-fPIC",
             "-shared", str(ROOT / "abi/sdk_frames.c"), "-o", str(path)], check=True)
        library = ctypes.CDLL(str(path))
        for rows in (0, 1, 2, 3, 8, 9, 1000, 100000):
            check_frame(library, rows)
        for which in range(3):
            assert library.sdk_bad_frame(which) == 12, which
    print("sdk: frames agree with pyarrow %s" % pyarrow.__version__)


main()
