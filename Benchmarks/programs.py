# SPDX-License-Identifier: Apache-2.0
"""Programs that run while something is measured, our server among them, and HTTP to talk to them."""

import base64
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

RELEASE = pathlib.Path(".build/release")
CREDENTIALS = base64.b64encode(b"admin:admin").decode()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """A program that runs until the end of the `with` block."""

    def __init__(self, log, *arguments, ready=None):
        self.log = log
        self.arguments = [str(argument) for argument in arguments]
        self.ready = ready

    def __enter__(self):
        self.began = time.perf_counter()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.arguments, stdout=log, stderr=log)
        if self.ready:
            try:
                self.seconds_to_ready = wait(self.ready, self.process, self.log) - self.began
            except BaseException:
                self.process.kill()
                raise
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def peak_mebibytes(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024

    def resident_mebibytes(self):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


def wait(address, process, log):
    """The moment of the first answer 200; asks again every millisecond."""
    port, path = address
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
    end = time.perf_counter() + 60
    while time.perf_counter() < end:
        if process.poll() is not None:
            sys.exit(f"bench: {process.args[0]} ended with {process.returncode}; see {log}")
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(request)
                if connection.recv(12).endswith(b" 200"):
                    return time.perf_counter()
        except OSError:
            pass
        time.sleep(0.001)
    sys.exit(f"bench: {process.args[0]} did not answer; see {log}")


def our_server(folder, port, name="server", settings=()):
    return Program(
        folder / f"{name}.log", RELEASE / "grafana", "server", "--homepath", ".", f"cfg:paths.data={folder / name}",
        f"cfg:paths.logs={folder / name}", f"cfg:paths.plugins={folder / 'no-plugins'}", "cfg:server.http_addr=127.0.0.1",
        f"cfg:server.http_port={port}", *(f"cfg:{setting}" for setting in settings), ready=(port, "/api/health"))


# HTTP


def exchange(port, method, path, body=b"", headers=()):
    """Seconds to the first byte of the body and to the end, and the raw body, of one request on its own connection."""
    head = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", *headers]
    if body:
        head += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    room = bytearray(64 << 20)
    view = memoryview(room)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        began = time.perf_counter()
        connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        length, first, start = 0, None, -1
        while count := connection.recv_into(view[length:], 1 << 20):
            length += count
            if start < 0:
                start = room.find(b"\r\n\r\n", 0, length)
            if first is None and 0 <= start < length - 4:
                first = time.perf_counter() - began
        total = time.perf_counter() - began
    head = bytes(room[:start]).decode().lower()
    if " 200 " not in head.split("\r\n")[0]:
        sys.exit(f"bench: {method} {path} answered {bytes(room[:min(length, 2000)])!r}")
    body = room[start + 4:length]
    return first, total, dechunked(body) if "transfer-encoding: chunked" in head else bytes(body)


def dechunked(body):
    parts, place = [], 0
    while True:
        end = body.index(b"\r\n", place)
        size = int(body[place:end], 16)
        if size == 0:
            return b"".join(parts)
        parts.append(bytes(body[end + 2:end + 2 + size]))
        place = end + 4 + size


def call(port, method, path, value=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", None if value is None else json.dumps(value).encode(), method=method,
        headers={"Content-Type": "application/json", "Authorization": f"Basic {CREDENTIALS}"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)
