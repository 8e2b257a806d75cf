#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Computes the frames that recorded answers of Loki have to become, the slow way.

Usage: loki_frames.py FOLDER

FOLDER has the captures and their index.json. Prints a JSON object: for each answer of a query that is 200 the frames in
the shape of Grafana's Loki source ("classic") and in that of the data-plane contract ("dataplane"), as frame JSON.
"""
import json
import math
import pathlib
import sys


def go_json(text):
    """A string as Go's encoder writes it."""
    out = json.dumps(text, ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        out = out.replace(sign, "\\u%04x" % ord(sign))
    return out


def go_object(members):
    keys = sorted(members, key=lambda key: key.encode())
    return "{" + ",".join(go_json(key) + ":" + go_json(members[key]) for key in keys) + "}"


def go_duration(milliseconds):
    seconds, rest = divmod(milliseconds, 1000)
    fraction = ("%g" % (rest / 1000))[1:] if rest else ""
    if seconds == 0 and rest:
        return f"{rest}ms"
    hours, seconds = divmod(seconds, 3600)
    minutes, seconds = divmod(seconds, 60)
    text = f"{seconds}{fraction}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text


def fnv1(data):
    value = 2166136261
    for byte in data:
        value = value * 16777619 % 2**32 ^ byte
    return value


def statistics(answer):
    chunks = ["head chunk bytes decbytes", "head chunk lines", "decompressed bytes decbytes", "decompressed lines",
              "compressed bytes decbytes", "total duplicates"]
    groups = {
        "Summary": ["bytes processed per second Bps", "lines processed per second", "total bytes processed decbytes",
                    "total lines processed", "exec time s"],
        "Store": ["total chunks ref", "total chunks downloaded", "chunks download time s"] + chunks,
        "Ingester": ["total reached", "total chunks matched", "total batches", "total lines sent"] + chunks,
    }
    rows = []
    for group, titles in groups.items():
        values = answer["data"].get("stats", {}).get(group.lower())
        for title in titles if values is not None else []:
            words = title.split()
            unit = words.pop() if words[-1] in ("Bps", "decbytes", "s") else None
            key = words[0] + "".join(word.capitalize() for word in words[1:])
            row = {"displayName": group + ": " + " ".join(words), "value": values.get(key, 0)}
            if unit:
                row["unit"] = unit
            rows.append(row)
    return rows


def field(name, kind, js, labels=None, config=None):
    made = {"name": name, "type": js, "typeInfo": {"frame": kind}}
    if labels is not None:
        made["labels"] = labels
    if config is not None:
        made["config"] = config
    return made


def frame(meta, fields, values, nanos=None, entities=None):
    data = {"values": values}
    if entities and any(entities):
        data["entities"] = entities
    if nanos and any(nanos):
        data["nanos"] = nanos
    return {"schema": {"meta": meta, "fields": fields}, "data": data}


def of_series(answer, expr, step, is_range):
    result = answer["data"]["result"]
    kind = answer["data"]["resultType"]
    if kind == "scalar":
        # The one time that Loki gives in milliseconds.
        result = [{"metric": {}, "value": [result[0] / 1000, result[1]]}]
    frames = []
    for series in result:
        points = series.get("values") or [series["value"]]
        labels = series["metric"]
        legend = "{" + ", ".join(sorted(f'{name}="{value}"' for name, value in labels.items())) + "}"
        numbers = [float(value) for _, value in points]
        special = {"NaN": [i for i, n in enumerate(numbers) if math.isnan(n)],
                   "Inf": [i for i, n in enumerate(numbers) if n == math.inf],
                   "NegInf": [i for i, n in enumerate(numbers) if n == -math.inf]}
        special = {name: rows for name, rows in special.items() if rows}
        meta = {"type": "timeseries-multi" if kind == "matrix" else "numeric-multi", "typeVersion": [0, 1],
                "executedQueryString": "Expr: " + expr + (f"\nStep: {go_duration(step)}" if is_range else "")}
        fields = [field("Time", "time.Time", "time", config={"interval": step} if is_range else None),
                  field("Value", "float64", "number", labels, {"displayNameFromDS": legend})]
        values = [[math.trunc(round(time * 1000, 3)) for time, _ in points],
                  [number if math.isfinite(number) else None for number in numbers]]
        frames.append(frame(meta, fields, values, entities=[None, special or None]))
    return frames


def of_streams(answer, expr, dataplane):
    categorized = "categorize-labels" in answer["data"].get("encodingFlags", [])
    labels, times, nanos, lines, texts, types, ids = [], [], [], [], [], [], []
    seen = {}
    for stream in answer["data"]["result"]:
        for value in stream["values"]:
            merged = {name: (text, "I") for name, text in stream["stream"].items()}
            more = value[2] if len(value) > 2 else {}
            merged.update({name: (text, "S") for name, text in more.get("structuredMetadata", {}).items()})
            merged.update({name: (text, "P") for name, text in more.get("parsed", {}).items()})
            own = {name: text for name, (text, _) in merged.items()}
            milliseconds, rest = divmod(int(value[0]), 1_000_000)
            name = "%s_%x" % (value[0], fnv1(value[1].encode() + b"_" + go_object(own).encode()))
            count = seen.get(name, 0)
            seen[name] = count + 1
            labels.append(own)
            times.append(milliseconds)
            nanos.append(rest)
            lines.append(value[1])
            texts.append(value[0])
            types.append({name: letter for name, (_, letter) in merged.items()})
            ids.append(name + (f"_{count}" if count else ""))
    json_type = ("json.RawMessage", "other")
    columns = [("labels", json_type, labels), ("timestamp" if dataplane else "Time", ("time.Time", "time"), times),
               ("body" if dataplane else "Line", ("string", "string"), lines)]
    if not dataplane:
        columns.append(("tsNs", ("string", "string"), texts))
    last = [("id", ("string", "string"), ids)]
    hidden = [("labelTypes", json_type, types)] if categorized else []
    columns += last + hidden if dataplane else hidden + last
    fields = [field(name, kind[0], kind[1], config={"custom": {"hidden": True}} if name == "labelTypes" else None)
              for name, kind, _ in columns]
    meta = {"typeVersion": [0, 0], "executedQueryString": "Expr: " + expr}
    if dataplane:
        meta["type"] = "log-lines"
    else:
        meta["custom"] = {"frameType": "LabeledTimeValues"}
    return [frame(meta, fields, [column for _, _, column in columns],
                  nanos=[nanos if index == 1 and any(nanos) else None for index in range(len(columns))])]


def main():
    folder = pathlib.Path(sys.argv[1])
    result = {}
    for entry in json.loads((folder / "index.json").read_text())["entries"]:
        request = entry.get("request", {})
        if entry.get("status") != 200 or request["path"] not in ("/loki/api/v1/query", "/loki/api/v1/query_range"):
            continue
        answer = json.loads((folder / entry["file"]).read_text())
        parameters = dict(request["params"])
        is_range = request["path"].endswith("query_range")
        step = int(float(parameters.get("step", "1").rstrip("s")) * 1000)
        shapes = {}
        for shape in ("classic", "dataplane"):
            if answer["data"]["resultType"] == "streams":
                frames = of_streams(answer, parameters["query"], shape == "dataplane")
            else:
                frames = of_series(answer, parameters["query"], step, is_range)
            rows = statistics(answer)
            if frames and rows:
                frames[0]["schema"]["meta"]["stats"] = rows
            shapes[shape] = frames
        result[entry["name"]] = shapes
    print(json.dumps(result))


main()
