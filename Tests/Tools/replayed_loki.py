#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Replays the traffic that was recorded from a real Loki, strictly: what was not recorded is refused with 599.

Usage: replayed_loki.py FOLDER PORT [--user NAME:PASSWORD] [--tenant NAME] [--times ms]

With `--times ms` the times of queries are compared by their milliseconds, which is what the API of Grafana can say.

A request has to have the recorded method, path and parameters. They are compared as Loki reads them: `direction` is
backward and `limit` 100 when they are missing, `60` is the step `60000ms`, a query that was recorded without a step has
none, and a metric has neither limit nor direction. Lines that were recorded with the header for categories are given to
those who send it, and the others to those who do not.

`GET /replay/refused` lists what was refused, and why; `GET /replay/connections` the parameters of all tails. What is made
up, of recorded parts: the answer to the health check, and the tail that is cut, see Tail.
"""
import base64
import hashlib
import http.server
import json
import pathlib
import re
import socket
import struct
import sys
import threading
import urllib.parse

FLAGS = "x-loki-response-encoding-flags"
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
CUT = re.compile(r'\{cut="(\d+)"\}')
QUERIES = ("/loki/api/v1/query", "/loki/api/v1/query_range")


def milliseconds(step):
    match = re.fullmatch(r"([0-9.]+)(ms|s|m|h)?", step)
    return round(float(match.group(1)) * UNITS[match.group(2) or "s"]) if match else step


def meaning(path, pairs, recording):
    """The parameters as Loki reads them, sorted."""
    if path not in QUERIES:
        return sorted(pairs)
    known = dict(pairs)
    if len(known) != len(pairs):
        return None
    known.setdefault("direction", "backward")
    known.setdefault("limit", "100")
    if not recording.has_step:
        known.pop("step", None)
    elif "step" in known:
        known["step"] = str(milliseconds(known["step"]))
    if Handler.has_coarse_times:
        known.update((key, known[key][:-6]) for key in ("start", "end", "time") if known.get(key, "").isdigit())
    if recording.is_metric:
        known.pop("limit")
        known.pop("direction")
    return sorted(known.items())


class Recording:
    def __init__(self, entry, folder):
        request = entry["request"]
        self.name, self.method, self.path = entry["name"], request["method"], request["path"]
        self.status, self.headers = entry["status"], entry["responseHeaders"]
        self.body = (folder / entry["file"]).read_bytes()
        self.flags = {name.lower(): value for name, value in request.get("headers", {}).items()}.get(FLAGS, "")
        kind = re.search(rb'"resultType":"(\w+)"', self.body[:100])
        self.is_lines = bool(kind) and kind.group(1) == b"streams"
        self.is_metric = bool(kind) and not self.is_lines
        pairs = [tuple(pair) for pair in request["params"]]
        self.has_step = "step" in dict(pairs)
        self.meaning = meaning(self.path, pairs, self)

    def mismatch(self, method, path, pairs, flags):
        if (method, path) != (self.method, self.path):
            return "other endpoint"
        if meaning(path, pairs, self) != self.meaning:
            return f"{self.name}: {meaning(path, pairs, self)} is not {self.meaning}"
        if self.is_lines and flags != self.flags:
            return f"{self.name}: the encoding flags are {flags!r} and not {self.flags!r}"
        return None


class Tail:
    """What a tail gets, by the expression of its query.

    A recorded expression gets its recorded messages, and recorded refusals are refused. `{cut="N"}` is made of the lines
    of the recorded session with categories: N more of them become known with each connection, which gets the newest of
    them from its start on, at most its limit, oldest first and in two messages, as a real Loki gives its history. Then it
    ends without a word, but for the last, which stays open. A range query for the same expression finds the same lines.
    """

    def __init__(self, sessions):
        self.sessions = sessions
        self.connections = []
        self.known = {}
        self.lock = threading.Lock()
        session = next(one for one in sessions if one["name"] == "tail_categorized")
        self.entries = []
        for message in session["messages"]:
            self.entries += json.loads(message["text"])["streams"]
        self.entries.sort(key=lambda entry: int(entry["values"][0][0]))

    def refusal(self, query):
        for session in self.sessions:
            if session.get("query") == query and "body" in session:
                return session["status"], session["body"]
        return None

    def messages(self, query, parameters, flags):
        """(messages, how it ends): the end is a close code with its reason, or "cut", or None for an open end."""
        with self.lock:
            self.connections.append(dict(parameters, flags=flags))
        for session in self.sessions:
            if session.get("query") == query:
                close = session["messages"][0]
                return [], (close["closeCode"], close["reason"])
            request = session.get("request")
            if request and dict(request["params"])["query"] == query:
                wanted = ",".join(header.split(": ")[1] for header in request["headers"])
                if wanted == flags:
                    return [message["text"] for message in session["messages"]], None
        cut = CUT.fullmatch(query)
        if not cut:
            return None, None
        with self.lock:
            known = self.known.get(query, 0) + int(cut.group(1))
            self.known[query] = known
        history = self.lines(query, int(parameters.get("start", 0)), 2**63)[-int(parameters.get("limit", 100)):]
        half = (len(history) + 1) // 2
        texts = [json.dumps({"streams": part, "encodingFlags": ["categorize-labels"]})
                 for part in (history[:half], history[half:]) if part]
        return texts, None if known >= len(self.entries) else "cut"

    def lines(self, query, start, end):
        return [entry for entry in self.entries[:self.known.get(query, 0)]
                if start <= int(entry["values"][0][0]) < end]

    def range(self, parameters):
        """The answer to a range query, oldest first."""
        found = self.lines(parameters["query"], int(parameters["start"]), int(parameters["end"]))
        found = found[:int(parameters["limit"])]
        return json.dumps({"status": "success", "data": {
            "resultType": "streams", "encodingFlags": ["categorize-labels"], "result": found, "stats": {}}})


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recordings, tail, refused, user, tenant, has_coarse_times = [], None, [], None, None, False

    def do_GET(self):
        split = urllib.parse.urlsplit(self.path)
        pairs = urllib.parse.parse_qsl(split.query, keep_blank_values=True, strict_parsing=bool(split.query))
        if split.path == "/replay/refused":
            return self.answer(200, json.dumps(Handler.refused).encode(), "application/json")
        if split.path == "/replay/connections":
            return self.answer(200, json.dumps(Handler.tail.connections).encode(), "application/json")
        expected = Handler.user and "Basic " + base64.b64encode(Handler.user.encode()).decode()
        if expected and self.headers.get("Authorization") != expected:
            return self.answer(401, b"unauthorized\n", "text/plain")
        if Handler.tenant and self.headers.get("X-Scope-OrgID") != Handler.tenant:
            return self.answer(401, b"no org id\n", "text/plain")
        if split.path == "/loki/api/v1/tail":
            return self.stream(dict(pairs))
        if split.path == "/loki/api/v1/query" and dict(pairs).get("query") == "vector(1)+vector(1)":
            # Not recorded: the answer to vector(42.5) with the other value.
            pairs = [(name, "vector(42.5)" if name == "query" else value) for name, value in pairs if name != "time"]
            recorded = next(one for one in Handler.recordings if one.name == "instant_vector_fn")
            return self.answer(200, recorded.body.replace(b'"42.5"', b'"2"'), "application/json")
        flags = self.headers.get(FLAGS, "")
        if split.path == "/loki/api/v1/query_range" and CUT.fullmatch(dict(pairs).get("query", "")):
            if dict(pairs).get("direction") == "forward" and flags == "categorize-labels":
                return self.answer(200, Handler.tail.range(dict(pairs)).encode(), "application/json")
        reasons = []
        for recording in Handler.recordings:
            reason = recording.mismatch("GET", split.path, pairs, flags)
            if reason is None:
                return self.answer(recording.status, recording.body, recording.headers.get("Content-Type", ""))
            if reason != "other endpoint":
                reasons.append(reason)
        Handler.refused.append({"path": self.path, "reasons": reasons})
        self.answer(599, ("not recorded: " + self.path).encode(), "text/plain")

    def answer(self, status, body, kind):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    # The tail

    def stream(self, parameters):
        refusal = Handler.tail.refusal(parameters.get("query"))
        if refusal:
            return self.answer(refusal[0], refusal[1].encode() + b"\n", "text/plain; charset=utf-8")
        if self.headers.get("Upgrade", "").lower() != "websocket" or self.headers.get("Sec-WebSocket-Version") != "13":
            return self.answer(400, b"Bad Request\n", "text/plain; charset=utf-8")
        messages, end = Handler.tail.messages(parameters.get("query"), parameters, self.headers.get(FLAGS, ""))
        if messages is None:
            Handler.refused.append({"path": self.path, "reasons": ["no such tail"]})
            return self.answer(599, b"not recorded", "text/plain")
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode())
        self.end_headers()
        self.close_connection = True
        for text in messages:
            self.frame(1, text.encode())
            self.frame(9, b"ping")
            # The answer says that the message before it has been read.
            if not self.read_frame():
                return None
        if end == "cut":
            return self.connection.shutdown(socket.SHUT_RDWR)
        if end:
            self.frame(8, struct.pack(">H", end[0]) + end[1].encode())
        self.drain()

    def frame(self, opcode, data):
        size = len(data)
        head = bytes([0x80 | opcode])
        head += bytes([size]) if size < 126 else struct.pack(">BH", 126, size) if size < 65536 else struct.pack(
            ">BQ", 127, size)
        self.wfile.write(head + data)
        self.wfile.flush()

    def drain(self):
        """Reads what the client sends until it leaves."""
        while self.read_frame():
            pass

    def read_frame(self):
        """Reads one frame of the client; false when it said goodbye or left."""
        try:
            head = self.rfile.read(2)
            if len(head) < 2:
                return False
            if not head[1] & 0x80:
                Handler.refused.append({"path": "tail", "reasons": ["a frame without a mask"]})
            size = head[1] & 0x7F
            if size >= 126:
                size = int.from_bytes(self.rfile.read(2 if size == 126 else 8), "big")
            self.rfile.read(4 + size)
            return head[0] & 15 != 8
        except OSError:
            return False

    def log_message(self, *_):
        pass


def main():
    folder = pathlib.Path(sys.argv[1])
    options = dict(zip(sys.argv[3::2], sys.argv[4::2]))
    Handler.user, Handler.tenant = options.get("--user"), options.get("--tenant")
    Handler.has_coarse_times = options.get("--times") == "ms"
    entries = json.loads((folder / "index.json").read_text())["entries"]
    Handler.recordings = [Recording(entry, folder) for entry in entries if "request" in entry]
    Handler.tail = Tail(json.loads((folder / "tail.json").read_text()))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
    server.daemon_threads = True
    server.serve_forever()


main()
