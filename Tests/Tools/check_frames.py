# SPDX-License-Identifier: Apache-2.0
"""Checks our Arrow files with pyarrow.

  check_frames.py compare EXPECTED_DIR ACTUAL_DIR   every .arrow file of EXPECTED_DIR equals ours (file and .stream)
  check_frames.py make DIR                          writes Arrow files as other programs write them, with their rows
"""
import json
import pathlib
import sys

import pyarrow as pa


def metadata(raw):
    """Metadata with the JSON in it parsed, so that spelling does not count."""
    result = {}
    for key, value in (raw or {}).items():
        key, value = key.decode(), value.decode()
        result[key] = json.loads(value) if key in ("meta", "labels", "config") else value
    return result


def bits(column):
    """The values; floats as hexadecimal text, so that NaN and -0 are told apart."""
    if pa.types.is_floating(column.type):
        return [None if v is None else float(v).hex() for v in column.to_pylist()]
    if pa.types.is_timestamp(column.type):
        return column.cast(pa.int64()).to_pylist()
    return column.to_pylist()


def differences(expected, actual):
    if metadata(expected.schema.metadata) != metadata(actual.schema.metadata):
        yield f"metadata {actual.schema.metadata} instead of {expected.schema.metadata}"
    if expected.schema.names != actual.schema.names:
        yield f"names {actual.schema.names} instead of {expected.schema.names}"
        return
    for index, (left, right) in enumerate(zip(expected.schema, actual.schema)):
        if (left.type, left.nullable) != (right.type, right.nullable):
            yield f"field {index}: {right} instead of {left}"
        elif metadata(left.metadata) != metadata(right.metadata):
            yield f"field {index}: metadata {right.metadata} instead of {left.metadata}"
        elif bits(expected.column(index)) != bits(actual.column(index)):
            yield f"field {index}: values differ"


def compare(expected_dir, actual_dir):
    failures = 0
    count = 0
    for path in sorted(pathlib.Path(expected_dir).glob("*.arrow")):
        expected = pa.ipc.open_file(path).read_all()
        actual_path = pathlib.Path(actual_dir) / path.name
        tables = [pa.ipc.open_file(actual_path).read_all(),
                  pa.ipc.open_stream(actual_path.with_suffix(".stream").read_bytes()).read_all()]
        for table in tables:
            table.validate(full=True)
            for text in differences(expected, table):
                print(f"{path.name}: {text}")
                failures += 1
        count += 1
    print(f"{count} files compared, {failures} differences")
    return 1 if failures or not count else 0


def make(folder):
    """Frames whose rows our reader has to find: see ArrowForeignFileTests."""
    folder = pathlib.Path(folder)
    texts = ["", "a", None, "a text of more than twelve bytes", "grüße"]

    def write(name, batches, **options):
        with pa.ipc.new_file(folder / f"{name}.arrow", batches[0].schema, options=pa.ipc.IpcWriteOptions(**options)) as out:
            for batch in batches:
                out.write_batch(batch)

    def batch(values, kind):
        return pa.record_batch([pa.array(values, kind)], names=["v"])

    write("large-utf8", [batch(texts, pa.large_string())])
    write("utf8-view", [batch(texts, pa.string_view())])
    write("sliced", [batch(["x", "y"] + texts + ["z"], pa.string()).slice(2, 5)])
    write("several-batches", [batch(texts[:2], pa.string()), batch([], pa.string()), batch(texts[2:], pa.string())])
    write("v4", [batch(texts, pa.string())], metadata_version=pa.ipc.MetadataVersion.V4)
    write("legacy", [batch(texts, pa.string())], metadata_version=pa.ipc.MetadataVersion.V4, use_legacy_format=True)
    for unit, value in (("s", 1), ("ms", 1000), ("us", 1000_000), ("ns", 1000_000_000)):
        write(f"time-{unit}", [batch([value, None, -value], pa.timestamp(unit, tz="UTC"))])
    write("bad-compressed", [batch(texts * 100, pa.string())], compression="zstd")
    write("bad-dictionary", [pa.record_batch([pa.array(texts).dictionary_encode()], names=["v"])])
    write("bad-list", [batch([[1], [2]], pa.list_(pa.int64()))])
    write("bad-decimal", [batch([1], pa.decimal128(10, 2))])
    write("bad-time", [batch([2**62], pa.timestamp("s"))])
    return 0


if __name__ == "__main__":
    sys.exit({"compare": compare, "make": make}[sys.argv[1]](*sys.argv[2:]))
