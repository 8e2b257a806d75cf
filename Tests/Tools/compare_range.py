#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares a range query's answer of a server with the answer of the Prometheus behind it, sample by sample.

Usage: compare_range.py PROMETHEUS.json FRAMES.json

The first file is the body of /api/v1/query_range, the second that of /api/ds/query with the query A. Series are matched
by all their labels, samples by time; every value has to be the same double. Prints the number of samples that are equal;
fails with the first differences.
"""
import json
import math
import struct
import sys


def bits(value):
    return struct.pack("<d", value)


def of_prometheus(path):
    with open(path, "rb") as file:
        answer = json.load(file)
    for series in answer["data"]["result"]:
        labels = tuple(sorted(series["metric"].items()))
        yield labels, {round(time * 1000): float(value) for time, value in series["values"]}


def of_frames(path):
    special = {"NaN": math.nan, "Inf": math.inf, "NegInf": -math.inf}
    with open(path, "rb") as file:
        answer = json.load(file)
    for frame in answer["results"]["A"]["frames"]:
        field = frame["schema"]["fields"][1]
        times, values = frame["data"]["values"]
        if len(times) != len(values):
            sys.exit("the fields of a frame differ in length")
        entities = (frame["data"].get("entities") or [None, None])[1] or {}
        values = [None if value is None else float(value) for value in values]
        for name, indexes in entities.items():
            for index in indexes:
                values[index] = special[name]
        yield tuple(sorted(field["labels"].items())), dict(zip(times, values))


def main():
    expected = dict(of_prometheus(sys.argv[1]))
    found = dict(of_frames(sys.argv[2]))
    if expected.keys() != found.keys():
        sys.exit(f"other series: {sorted(expected.keys() ^ found.keys())[:3]}")
    count = 0
    for labels, samples in expected.items():
        other = found[labels]
        if samples.keys() != other.keys():
            sys.exit(f"{labels}: other times: {sorted(samples.keys() ^ other.keys())[:3]}")
        for time, value in samples.items():
            same = other[time] is not None and (
                bits(value) == bits(other[time]) or (math.isnan(value) and math.isnan(other[time])))
            if not same:
                sys.exit(f"{labels} at {time}: {value!r} became {other[time]!r}")
        count += len(samples)
    print(count)


main()
