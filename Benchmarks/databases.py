# SPDX-License-Identifier: Apache-2.0
"""The parts of the benchmarks that ask a PostgreSQL: our own data source, and ADBC with PostgreSQL's driver."""

import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from programs import CREDENTIALS, call, exchange, free_port, our_server
from table import ms


class PostgreSQL:
    """A PostgreSQL with a table of a million rows, on a Unix socket in a folder of its own."""

    def __init__(self, folder):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-pg-", dir="/tmp"))
        self.log = folder / "postgresql.log"

    def __enter__(self):
        programs = sorted(pathlib.Path("/usr/lib/postgresql").iterdir())[-1] / "bin"
        drop = []
        if os.getuid() == 0:  # PostgreSQL refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
            drop = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
        data = self.folder / "data"
        subprocess.run([*drop, programs / "initdb", "-D", data, "-U", "bench", "-A", "trust", "--no-sync"],
                       check=True, stdout=subprocess.DEVNULL)
        self.port = free_port()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*drop, programs / "postgres", "-D", data, "-p", str(self.port), "-k", self.folder, "-c", "fsync=off",
                 "-c", "listen_addresses=127.0.0.1"], stdout=log, stderr=log)
        while subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode:
            if self.process.poll() is not None:
                sys.exit(f"bench: postgres ended; see {self.log}")
        self.psql("-c", "create table bulk as select g as id, g * 0.25::float8 as value, 'row ' || g as name, "
                        "timestamptz '2026-01-01' + g * interval '1 second' as at from generate_series(1, 1000000) g",
                  "-c", "vacuum analyze bulk")
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def psql(self, *arguments):
        """Elapsed seconds and the most memory in MiB of psql, whose output goes to a file."""
        began = time.perf_counter()
        with open(self.folder.parent / f"{self.folder.name}.out", "wb") as out:
            process = subprocess.Popen(["psql", "-X", "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "bench",
                                        "postgres", *arguments], stdout=out)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        os.unlink(out.name)
        if process.returncode:
            sys.exit(f"bench: psql {arguments} ended with {process.returncode}")
        return time.perf_counter() - began, usage.ru_maxrss / 1024


def postgresql(folder, _, table):
    ours, statement = free_port(), "select id, value, name, at from bulk"
    query = json.dumps({"from": "0", "to": "1", "queries": [{
        "refId": "A", "datasource": {"uid": "pg"}, "rawSql": statement, "format": "table"}]}).encode()
    login = [f"Authorization: Basic {CREDENTIALS}"]
    with PostgreSQL(folder) as database, our_server(folder, ours, "server-sql") as server:
        call(ours, "POST", "/api/datasources", {
            "name": "pg", "uid": "pg", "type": "grafana-postgresql-datasource", "access": "proxy", "user": "bench",
            "url": f"127.0.0.1:{database.port}", "jsonData": {"sslmode": "disable", "database": "postgres"}})
        idle = server.resident_mebibytes()
        answer = exchange(ours, "POST", "/api/ds/query", query, login)[2]
        values = json.loads(answer)["results"]["A"]["frames"][0]["data"]["values"]
        assert [len(column) for column in values] == [1_000_000] * 4 and sum(values[0]) == 500_000_500_000
        mine, copy, csv = [], [], []
        for _ in range(5):
            copy.append(database.psql("-c", f"copy ({statement}) to stdout"))
            csv.append(database.psql("--csv", "-c", statement))
            mine.append(exchange(ours, "POST", "/api/ds/query", query, login)[1])
        memory = server.peak_mebibytes() - idle
    mine = statistics.median(mine) * 1000
    (copy, copy_memory), (csv, csv_memory) = (
        [statistics.median(values) for values in zip(*rounds)] for rounds in (copy, csv))
    table.row(f"PostgreSQL, 1 M rows × 4 → JSON answer ({len(answer) / 1e6:.1f} MB)", ms(mine),
              ms(csv * 1000) + " psql --csv to a file", mine / (csv * 1000), "", None)
    table.row("— most memory, ours above the idle server", f"{memory:.0f} MiB", f"{csv_memory:.0f} MiB psql --csv",
              memory / csv_memory, "", None)
    table.row("— against COPY to a file", ms(mine), ms(copy * 1000) + f" psql, {copy_memory:.0f} MiB",
              mine / (copy * 1000), "", None)


def adbc(folder, _, table):
    """The same driver for PostgreSQL under our server and under Python."""
    python = pathlib.Path(".build/test-venv/bin/python")
    driver = next(pathlib.Path(".build/test-venv/lib").glob("python*/site-packages/adbc_driver_postgresql/*.so")).resolve()
    ours, statement = free_port(), "select id, value, name, at from bulk"
    query = json.dumps({"from": "0", "to": "1", "queries": [{
        "refId": "A", "datasource": {"uid": "adbc"}, "rawSql": statement, "format": "table"}]}).encode()
    login = [f"Authorization: Basic {CREDENTIALS}"]
    settings = [f"plugin.gf-adbc-datasource.drivers=postgresql={driver}"]
    with PostgreSQL(folder) as database, our_server(folder, ours, "server-adbc", settings) as server:
        address = f"postgresql://bench@127.0.0.1:{database.port}/postgres"
        call(ours, "POST", "/api/datasources", {
            "name": "adbc", "uid": "adbc", "type": "gf-adbc-datasource", "access": "proxy", "url": address,
            "jsonData": {"driver": "postgresql", "dialect": "postgresql"}})
        answer = exchange(ours, "POST", "/api/ds/query", query, login)[2]
        values = json.loads(answer)["results"]["A"]["frames"][0]["data"]["values"]
        assert [len(column) for column in values] == [1_000_000] * 4 and sum(values[0]) == 500_000_500_000
        mine, peer, copy = [], [], []
        for _ in range(5):
            copy.append(database.psql("-c", f"copy ({statement}) to stdout")[0])
            peer.append(json.loads(subprocess.run(
                [python, "Benchmarks/peers/adbc.py", address, statement], check=True, stdout=subprocess.PIPE).stdout))
            mine.append(exchange(ours, "POST", "/api/ds/query", query, login)[1])
        memory = server.resident_mebibytes()
        plugin = call(ours, "GET", "/api/plugins/gf-adbc-datasource")
        process = (plugin.get("status") or {}).get("process") or {}
    mine, copy = (statistics.median(values) * 1000 for values in (mine, copy))
    fetched, text, resident = (statistics.median(values) for values in zip(*peer))
    table.row(f"PostgreSQL over ADBC, 1 M rows × 4 → JSON answer ({len(answer) / 1e6:.1f} MB)", ms(mine),
              ms(fetched * 1000) + " the driver in Python, to a table in memory", mine / fetched / 1000, "", None)
    table.row("— against Python with its JSON", "", ms(text * 1000) + " the driver, and json.dumps of the columns",
              mine / text / 1000, "", None)
    table.row("— against COPY to a file", "", ms(copy) + " psql", mine / copy, "", None)
    isolated = process.get("memoryBytes", 0) / 2**20
    table.row("— resident memory afterwards, server and plugin", f"{memory:.0f} + {isolated:.0f} MiB",
              f"{resident:.0f} MiB Python", (memory + isolated) / resident, "", None)
