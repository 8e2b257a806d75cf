#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs our programs and their peers side by side and prints one table; called by Benchmarks/run.sh."""

import functools
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

from databases import adbc, postgresql
from programs import CREDENTIALS, RELEASE, Program, call, exchange, free_port, our_server
from table import Table, ms, ns

FRAMES = [(65_536, "1 MiB"), (1_000_000, "16 MB"), (4_194_304, "64 MiB")]
LINES, STREAMS = 100_000, 20
SERIES, STEPS, STEP, START = 200, 5001, 15, 1_700_000_010
END = START + (STEPS - 1) * STEP


# The parts


def inside(folder, library, table):
    output = subprocess.run(
        [RELEASE / "bench", folder / "plugins", library], check=True, stdout=subprocess.PIPE, text=True).stdout
    got = {name: float(value) for name, value in (line.split() for line in output.splitlines())}
    output = subprocess.run(
        ["taskset", "-c", str(min(os.sched_getaffinity(0))), RELEASE / "bench", folder / "plugins", "one-processor"],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    alone = {name: float(value) for name, value in (line.split() for line in output.splitlines())}
    megabytes = got["json.bytes"] / 1e6
    table.row("small call in process (deadline, limits, sink, metrics)", ns(got["call.nanoseconds"]),
              ns(got["bare.nanoseconds"]) + " bare C call", got["call.nanoseconds"] / got["bare.nanoseconds"],
              "≤ 1 µs", got["call.nanoseconds"] <= 1000)
    table.row("— heap allocations of that call", f"{got['call.allocations']:.2f}", "0", None, "0",
              got["call.allocations"] < 0.01)
    table.row("— with a task that waits for the answer", ns(got["platform-call.nanoseconds"]),
              ns(got["bare.nanoseconds"]) + " bare C call",
              got["platform-call.nanoseconds"] / got["bare.nanoseconds"], "", None)
    table.row("1 M rows × (time, float64), plugin → frame", ms(got["sink.nanoseconds"] / 1e6),
              ms(got["arrow-copy.nanoseconds"] / 1e6) + " memcpy of the columns",
              got["sink.nanoseconds"] / got["arrow-copy.nanoseconds"], "", None)
    table.row(f"— frame → JSON ({megabytes:.1f} MB)", ms(got["json.nanoseconds"] / 1e6),
              ms(got["json-copy.nanoseconds"] / 1e6) + " memcpy of the text",
              got["json.nanoseconds"] / got["json-copy.nanoseconds"], "≤ 50 ms", got["json.nanoseconds"] <= 50e6)
    table.row(f"— frame → Arrow ({got['arrow.bytes'] / 1e6:.1f} MB)", ms(got["arrow.nanoseconds"] / 1e6),
              ms(got["arrow-copy.nanoseconds"] / 1e6) + " memcpy of the bytes",
              got["arrow.nanoseconds"] / got["arrow-copy.nanoseconds"], "", None)
    table.row(f"load 50 signed plugins ({got['signed-start.bytes'] / 1e6:.0f} MB of files)",
              ms(got["signed-start.nanoseconds"] / 1e6),
              ms(got["unsigned-start.nanoseconds"] / 1e6) + " the same without signatures",
              got["signed-start.nanoseconds"] / got["unsigned-start.nanoseconds"], "", None)
    expressions(got, table)
    isolated(folder, got, alone, table)


def expressions(got, table):
    table.row("expression $A + $B, two series of 1 M points", ms(got["math.nanoseconds"] / 1e6),
              ms(got["math-loop.nanoseconds"] / 1e6) + " loop in C", got["math.nanoseconds"] / got["math-loop.nanoseconds"],
              "≤ 2 ×", got["math.nanoseconds"] <= 2 * got["math-loop.nanoseconds"])
    table.row("— $A * $B + 1, 1000 × 1000 series of 1000 points", ms(got["math-series.nanoseconds"] / 1e6),
              f"{got['math-series.bytes'] / 2**20:.0f} MiB at most beside the data", None, "", None)
    table.row("SQL expression over 1 M rows × 2", ms(got["sql.nanoseconds"] / 1e6),
              ms(got["sql-table.nanoseconds"] / 1e6) + " SQLite on a table of its own",
              got["sql.nanoseconds"] / got["sql-table.nanoseconds"], "≤ 2 ×",
              got["sql.nanoseconds"] <= 2 * got["sql-table.nanoseconds"])
    table.row("— which SQLite had to fill first", "", ms(got["sql-load.nanoseconds"] / 1e6), None, "", None)


def isolated(folder, got, alone, table):
    """A plugin in a process of its own; the peers are a bare round trip over such a socket, and Go plugin and host."""
    peer = go_pair(folder)[1]
    for where, figures in [("two processors", got), ("one processor", alone)]:
        ours, bare = ([figures[f"{name}.{part}.nanoseconds"] for part in ("p50", "p99")]
                      for name in ("isolated-call-1", "round-trip"))
        table.row(f"small call isolated, on {where}, p50 (p99 {ns(ours[1])})", ns(ours[0]),
                  f"{ns(bare[0])} bare round trip (p99 {ns(bare[1])})", ours[0] / bare[0], "≤ 15 µs, p99 ≤ 100 µs",
                  ours[0] <= 15e3 and ours[1] <= 100e3)
    for in_flight in (1, 4, 16, 64):
        p50 = got[f"isolated-call-{in_flight}.p50.nanoseconds"]
        p99 = got[f"isolated-call-{in_flight}.p99.nanoseconds"]
        theirs = peer[f"query {in_flight} in flight"]["p50_us"] * 1e3
        table.row(f"— without a task, {in_flight} in flight, p50 (p99 {ns(p99)})", ns(p50),
                  ns(theirs) + " Go host and plugin", p50 / theirs, "", None)
    ours, theirs = got["isolated-call-64.per-second"], peer["query 64 in flight"]["per_second"]
    table.row("— calls a second, 64 in flight", f"{ours:,.0f}", f"{theirs:,.0f} Go host and plugin", ours / theirs, "",
              None)
    for name in ("pooled", "copied"):
        for rows, size in FRAMES:
            time = got[f"isolated-sink-{name}-{rows}.nanoseconds"]
            theirs = peer[f"frame-{rows}.arrow"]["p50_us"] * 1e3
            reach = "≤ 1 ms" if (name, rows) == ("pooled", 1_000_000) else ""
            table.row(f"frame of {size} isolated, ready to read, {name}", ms(time / 1e6),
                      ms(theirs / 1e6) + " Go host and plugin, bytes not decoded", time / theirs, reach,
                      time <= 1e6 if reach else None)
    ours, theirs = got["isolated-packets.per-second"], peer["stream"]["per_second"]
    table.row("20,000 batches of a row in one isolated call, a second", f"{ours:,.0f}",
              f"{theirs:,.0f} packets of a stream, Go host and plugin", ours / theirs, "", None)
    cold, bare, theirs = got["isolated-cold.nanoseconds"] / 1e6, bare_start(), peer["cold start"]["p50_us"] / 1e3
    table.row("start of an isolated plugin, with its first call", ms(cold), ms(bare) + " /bin/true", cold / bare,
              "≤ 1.5 ms", cold <= 1.5)
    table.row("— against a Go plugin", ms(cold), ms(theirs) + " Go host and plugin", cold / theirs, "", None)
    start = got["isolated-start.nanoseconds"]
    table.row("reload of an isolated plugin", ms(start / 1e6), "", None, "", None)
    output = subprocess.run(
        [RELEASE / "bench", folder / "idle-plugins", "idle"], check=True, stdout=subprocess.PIPE, text=True).stdout
    idle = {name: float(value) for name, value in (line.split() for line in output.splitlines())}
    ours, theirs = idle["idle-plugins.bytes"], peer["idle plugins"]["bytes"]
    table.row(f"memory of {idle['idle-plugins.count']:.0f} idle isolated plugins", f"{ours / 2**20:.1f} MiB",
              f"{theirs / 2**20:.1f} MiB Go plugins", ours / theirs, "", None)


def bare_start():
    """Milliseconds for the smallest program to start and end."""
    times = []
    for _ in range(101):
        began = time.perf_counter()
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


@functools.cache
def go_pair(folder):
    """What the same Go plugin takes under our host and under a Go host, one after the other."""
    peers, place = pathlib.Path(".build/peers"), folder / "go-plugins"
    (place / "peer").mkdir(parents=True)
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
    shutil.copy(peers / "go-plugin-peer", place / "peer" / f"peer_linux_{architecture}")
    (place / "peer" / "plugin.json").write_text(json.dumps(
        {"id": "peer-datasource", "type": "datasource", "name": "Peer", "backend": True, "executable": "peer"}))
    output = subprocess.run(
        [RELEASE / "bench", place, "go-plugin"], check=True, stdout=subprocess.PIPE, text=True).stdout
    got = {name: float(value) for name, value in (line.split() for line in output.splitlines())}
    output = subprocess.run(
        [peers / "go-plugin-host", peers / "go-plugin-peer", *(place / f"frame-{rows}.arrow" for rows, _ in FRAMES)],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    return got, {line["name"]: line for line in map(json.loads, output.splitlines())}


def go_plugin(folder, _, table):
    got, peer = go_pair(folder)
    for in_flight in (1, 4, 16, 64):
        p50, p99 = (got[f"go-call-{in_flight}.{part}.nanoseconds"] for part in ("p50", "p99"))
        theirs = peer[f"query {in_flight} in flight"]
        table.row(f"small call to a Go plugin, {in_flight} in flight, p50 (p99 {ns(p99)})", ns(p50),
                  f"{ns(theirs['p50_us'] * 1e3)} Go host (p99 {ns(theirs['p99_us'] * 1e3)})",
                  p50 / theirs["p50_us"] / 1e3, "≤ 1 ×", p50 <= theirs["p50_us"] * 1e3)
        table.row("— calls a second", f"{got[f'go-call-{in_flight}.per-second']:,.0f}",
                  f"{theirs['per_second']:,.0f} Go host", got[f"go-call-{in_flight}.per-second"] / theirs["per_second"],
                  "", None)
    for rows, size in FRAMES:
        time, theirs = got[f"go-rows-{rows}.nanoseconds"], peer[f"frame-{rows}.arrow"]["p50_us"] * 1e3
        reach = "≤ 45 ms" if rows == 1_000_000 else ""
        table.row(f"frame of {size} from a Go plugin, ready to read", ms(time / 1e6),
                  f"{ms(theirs / 1e6)} Go host, bytes not decoded", time / theirs, reach,
                  time <= 45e6 if reach else None)
    ours, theirs = got["go-packets.per-second"], peer["stream"]["per_second"]
    table.row("stream of a Go plugin, packets a second", f"{ours:,.0f}", f"{theirs:,.0f} Go host", ours / theirs, "",
              None)
    start, theirs = got["go-start.nanoseconds"], peer["cold start"]["p50_us"] * 1e3
    table.row("start of a Go plugin to its first answer, with a reload", ms(start / 1e6),
              f"{ms(theirs / 1e6)} Go host", start / theirs, "", None)


def prometheus(folder, _, table):
    make_blocks(folder)
    port, ours = free_port(), free_port()
    (folder / "prometheus.yml").write_text("global:\n  scrape_interval: 1h\n")
    raw = f"/api/v1/query_range?query=bulk_value&start={START}&end={END}&step={STEP}"
    query = json.dumps({"from": str(START * 1000), "to": str(END * 1000), "queries": [{
        "refId": "A", "datasource": {"uid": "bench"}, "expr": "bulk_value", "range": True, "format": "time_series",
        "interval": f"{STEP}s", "intervalMs": STEP * 1000, "maxDataPoints": STEPS}]}).encode()
    login = [f"Authorization: Basic {CREDENTIALS}"]
    with Program(folder / "prometheus.log", "prometheus", f"--config.file={folder / 'prometheus.yml'}",
                 f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}",
                 "--storage.tsdb.retention.time=100y", ready=(port, "/-/ready")), our_server(folder, ours) as server:
        call(ours, "POST", "/api/datasources", {
            "name": "bench", "uid": "bench", "type": "prometheus", "access": "proxy", "isDefault": False,
            "url": f"http://127.0.0.1:{port}", "jsonData": {"httpMethod": "POST"}})
        answer = exchange(ours, "POST", "/api/ds/query", query, login)[2]
        check_values(json.loads(exchange(port, "GET", raw)[2]), json.loads(answer))
        peer, mine, first, peer_first = [], [], [], []
        before = server.processor_seconds()
        for _ in range(9):
            to_first, total, _ = exchange(port, "GET", raw)
            peer.append(total)
            peer_first.append(to_first)
            to_first, total, _ = exchange(ours, "POST", "/api/ds/query", query, login)
            mine.append(total)
            first.append(to_first)
        spent = (server.processor_seconds() - before) / 9 * 1000
        memory = server.resident_mebibytes()
    mine, peer, first, peer_first = (statistics.median(values) * 1000 for values in (mine, peer, first, peer_first))
    table.row(f"Prometheus, 1 M samples → JSON answer ({len(answer) / 1e6:.1f} MB)", ms(mine),
              ms(peer) + " the raw answer", mine / peer, "≤ 1.3 ×", mine <= 1.3 * peer)
    # The first byte leaves in the first half of the time that reading and writing take.
    table.row("— first byte", ms(first), ms(peer_first) + " the raw answer's first byte", first / peer_first,
              "before the last is read", first - peer_first < (mine - peer_first) / 2)
    table.row("— our processor time; resident memory afterwards", ms(spent), f"{memory:.0f} MiB", None, "", None)


def loki(folder, _, table):
    """Lines as Loki answers them, from a server that sends the same answer each time."""
    port, ours = free_port(), free_port()
    per_stream = LINES // STREAMS
    wanted = {}
    result = []
    for stream in range(STREAMS):
        lines = [(str(START * 10**9 + stream * per_stream + number), f'level=info ts={number} caller=handler.go:{stream} '
                  f'msg="request served" path=/api/v1/items/{number * 7919 % 10_007} status=200 duration={number % 97}ms')
                 for number in range(per_stream)]
        labels = {"app": "bench", "stream": str(stream)}
        result.append({"stream": labels, "values": [[*line, {}] for line in lines]})
        wanted.update((time, (line, str(stream))) for time, line in lines)
    file = folder / "loki.json"
    file.write_text(json.dumps({"status": "success", "data": {
        "resultType": "streams", "encodingFlags": ["categorize-labels"], "result": result, "stats": {}}}))
    query = json.dumps({"from": str(START * 1000), "to": str(START * 1000 + 1000), "queries": [{
        "refId": "A", "datasource": {"uid": "logs"}, "expr": '{app="bench"}', "maxLines": LINES}]}).encode()
    login = [f"Authorization: Basic {CREDENTIALS}"]
    server_program = pathlib.Path(__file__).parent / "answer_server.py"
    with Program(folder / "loki.log", sys.executable, server_program, port, file, ready=(port, "/")), our_server(
            folder, ours, "server-loki") as server:
        call(ours, "POST", "/api/datasources", {"name": "logs", "uid": "logs", "type": "loki", "access": "proxy",
                                                "url": f"http://127.0.0.1:{port}"})
        before = server.resident_mebibytes()
        answer = exchange(ours, "POST", "/api/ds/query", query, login)[2]
        frame = json.loads(answer)["results"]["A"]["frames"][0]
        columns = dict(zip((field["name"] for field in frame["schema"]["fields"]), frame["data"]["values"]))
        found = {time: (line, labels["stream"]) for time, line, labels in zip(
            columns["tsNs"], columns["Line"], columns["labels"])}
        if found != wanted:
            sys.exit(f"bench: our {len(found)} lines differ from the {len(wanted)} of the answer")
        rounds = [(exchange(ours, "POST", "/api/ds/query", query, login)[:2], exchange(port, "GET", "/")[1])
                  for _ in range(9)]
        memory = server.resident_mebibytes()
    first, mine, peer = (statistics.median(values) * 1000 for values in zip(
        *((first, total, raw) for (first, total), raw in rounds)))
    table.row(f"Loki, {LINES:,} lines → JSON answer ({len(answer) / 1e6:.1f} MB)", ms(mine),
              f"{ms(peer)} the raw answer ({file.stat().st_size / 1e6:.1f} MB)", mine / peer, "", None)
    table.row("— first byte; resident memory before and afterwards", ms(first), f"{before:.0f} → {memory:.0f} MiB", None,
              "", None)


def sample(series, step):
    return ((series * 7919 + step * 104_729) % 1_000_003 - series * 1000) / 1000


def make_blocks(folder):
    file = folder / "bulk.om"
    with open(file, "w", encoding="ascii") as out:
        out.write("# TYPE bulk_value gauge\n")
        for series in range(SERIES):
            out.writelines(f'bulk_value{{series="{series}"}} {sample(series, step)} {START + step * STEP}\n'
                           for step in range(STEPS))
        out.write("# EOF\n")
    # The hidden flag makes few large blocks: the file is read once for each.
    subprocess.run(["promtool", "tsdb", "create-blocks-from", "--max-block-duration=162h", "openmetrics", file,
                    folder / "tsdb"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    file.unlink()


def check_values(raw, ours):
    """Every time and value of our answer is Prometheus's."""
    wanted = {series["metric"]["series"]: series["values"] for series in raw["data"]["result"]}
    frames = ours["results"]["A"]["frames"]
    if len(wanted) != SERIES or len(frames) != SERIES:
        sys.exit(f"bench: {len(frames)} frames for {len(wanted)} series, {SERIES} expected")
    for frame in frames:
        times, values = frame["data"]["values"]
        expected = wanted.pop(frame["schema"]["fields"][1]["labels"]["series"])
        if [[time / 1000, value] for time, value in zip(times, values)] != [[t, float(v)] for t, v in expected] or (
                len(times) != STEPS):
            sys.exit("bench: our answer differs from Prometheus's")


def http(folder, _, table):
    ours, bare = free_port(), free_port()
    path = "/api/user"
    with our_server(folder, ours) as server:
        size = len(exchange(ours, "GET", path, headers=[f"Authorization: Basic {CREDENTIALS}"])[2])
        with Program(folder / "bare.log", RELEASE / "bench-bare-http", bare, size, ready=(bare, path)) as other:
            rounds = [(wrk(server, ours, path), wrk(other, bare, path)) for _ in range(5)]
    (mine, slow, cost), (peer, peer_slow, peer_cost) = (
        [statistics.median(values) for values in zip(*results)] for results in zip(*rounds))
    table.row(f"HTTP, GET {path} signed in ({size} bytes), whole stack", f"{mine / 1000:.1f} k/s",
              f"{peer / 1000:.1f} k/s bare hummingbird route", mine / peer, "≥ 0.85 ×", mine >= 0.85 * peer)
    table.row("— processor time of a request", f"{cost:.1f} µs", f"{peer_cost:.1f} µs bare hummingbird route",
              cost / peer_cost, "", None)
    table.row("— p99, 32 connections", ms(slow), ms(peer_slow) + " bare hummingbird route", slow / peer_slow, "", None)


def wrk(program, port, path, seconds=3):
    """Requests a second, the 99th percentile of their time in milliseconds, processor microseconds of each."""
    before = program.processor_seconds()
    output = subprocess.run(
        ["wrk", "-t1", "-c32", f"-d{seconds}s", "--latency", "-H", f"Authorization: Basic {CREDENTIALS}",
         f"http://127.0.0.1:{port}{path}"], check=True, stdout=subprocess.PIPE, text=True).stdout
    if "Non-2xx" in output:
        sys.exit(f"bench: wrk got errors:\n{output}")
    late, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", output).groups()
    requests = int(re.search(r"(\d+) requests in", output)[1])
    spent = (program.processor_seconds() - before) / requests * 1e6
    scale = {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]), float(late) * scale, spent


def start(folder, _, table):
    port = free_port()
    with our_server(folder, port, "start"):
        pass  # makes the database
    seconds = []
    for _ in range(9):
        with our_server(folder, port, "start") as server:
            seconds.append(server.seconds_to_ready)
    with our_server(folder, port, "start") as server:
        time.sleep(2)
        memory = server.resident_mebibytes()
    milliseconds = statistics.median(seconds) * 1000
    table.row("server start to first 200, existing database", ms(milliseconds), "100 ms", milliseconds / 100,
              "≤ 100 ms", milliseconds <= 100)
    table.row("idle resident memory after 2 s", f"{memory:.1f} MiB", "40 MiB", memory / 40, "≤ 40 MiB", memory <= 40)


def signing(folder, _, table):
    """Verifies a plugin of 200 MB, and hashes its files with sha256sum."""
    plugin, trust, tool = folder / "signed-plugin", folder / "signing-trust", RELEASE / "grafana-sign"
    plugin.mkdir()
    (plugin / "plugin.json").write_text('{"id": "acme-bench-datasource", "info": {"version": "1.0.0"}}')
    for number in range(200):
        (plugin / f"{number}.bin").write_bytes(os.urandom(1_000_000))
    key = folder / "signing"
    for arguments in (["keygen", "--no-passphrase", "--output", key, "Bench"],
                      ["sign", "--key", f"{key}.secret.asc", "--org", "bench", plugin],
                      ["trust", "add", "--yes", "--trust", trust, "--plugin", "*", f"{key}.asc"]):
        subprocess.run([tool, *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    files = sorted(str(file) for file in plugin.iterdir())
    rounds = [(spent([tool, "verify", "--trust", trust, plugin]), spent(["sha256sum", *files])) for _ in range(9)]
    (mine, mine_wall), (peer, peer_wall) = (
        [statistics.median(values) * 1000 for values in zip(*results)] for results in zip(*rounds))
    table.row("verify a signed plugin of 200 MB, processor time", ms(mine), ms(peer) + " sha256sum of its files",
              mine / peer, "≤ 1.2 ×", mine <= 1.2 * peer)
    table.row("— from start to verdict", ms(mine_wall), ms(peer_wall) + " sha256sum, one core", mine_wall / peer_wall,
              "", None)


def spent(arguments):
    """Processor and elapsed seconds of a program that must succeed."""
    began = time.perf_counter()
    process = subprocess.Popen([str(argument) for argument in arguments], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"bench: {arguments[0]} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began


def main():
    folder, library, *chosen = sys.argv[1:]
    parts = {
        "inside": inside, "go-plugin": go_plugin, "prometheus": prometheus, "loki": loki, "postgresql": postgresql,
        "adbc": adbc, "http": http, "start": start, "signing": signing}
    for name in chosen:
        if name not in parts:
            sys.exit(f"bench: there is no part '{name}'; the parts are {', '.join(parts)}")
    folder = pathlib.Path(folder).absolute()
    (folder / "no-plugins").mkdir(exist_ok=True)
    table = Table()
    for name, part in parts.items():
        if not chosen or name in chosen:
            print(f"bench: {name} …", file=sys.stderr)
            part(folder, library, table)
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the end; medians\n")
    table.print()


if __name__ == "__main__":
    main()
