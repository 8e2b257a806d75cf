#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A plugin catalogue on a loopback port, with the faults that a network has.

usage: catalogue_server.py PORT FOLDER

FOLDER/catalogue.json: {"<id>": [{"version", "file", "arch"?, "isCompatible"?, "sha256"?, "fault"?}]}, newest first; read
again for each request. Faults of a download: "stall:N" sends N bytes and waits for ever, "close:N" breaks the connection
after N bytes, "close-once:N" does so the first time, "corrupt" changes a byte, "corrupt-once", "status:CODE",
"no-range" ignores Range. /static/ serves FOLDER. /requests lists the requests so far; /stalled counts stalled downloads.
"""
import hashlib
import http.server
import json
import pathlib
import sys
import threading
import time

PORT, FOLDER = int(sys.argv[1]), pathlib.Path(sys.argv[2])
REQUESTS, DONE, STATE = [], set(), {"stalled": 0}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == "/requests":
            return self.json(REQUESTS)
        if path == "/stalled":
            return self.json(STATE)
        REQUESTS.append({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()}})
        if path.startswith("/static/"):
            return self.static(path.removeprefix("/static/"))
        if path == "/redirect":
            return self.redirect(query)
        catalogue = json.loads((FOLDER / "catalogue.json").read_text())
        parts = path.removeprefix("/api/plugins").strip("/").split("/")
        if parts == [""]:
            wanted = query.split("&")[0].removeprefix("slugIn=").split(",")
            items = [{"slug": i, "version": v[0]["version"]} for i, v in catalogue.items() if i in wanted and v]
            return self.json({"items": items})
        if parts == ["repo"]:
            plugins = [{"id": i, "category": "other", "versions": [self.version(x) for x in v]} for i, v in catalogue.items()]
            return self.json({"plugins": plugins})
        if parts[0] == "broken":
            return self.json({"message": "the catalogue is closed today"}, 403)
        if parts[0] == "failing":
            return self.json({"message": "database is down"}, 500)
        if parts[0] not in catalogue:
            return self.json({"message": "Plugin not found"}, 404)
        if parts[1:] == ["versions"]:
            return self.json({"items": [self.version(x) for x in catalogue[parts[0]]]})
        for item in catalogue[parts[0]]:
            if parts[1:] == ["versions", item["version"], "download"]:
                return self.send((FOLDER / item["file"]).read_bytes(), item.get("fault", ""), item["file"])
        self.json({"message": "Version not found"}, 404)

    def version(self, item):
        answer = {k: item[k] for k in ("version", "isCompatible", "arch") if k in item}
        if "arch" not in answer:
            data = (FOLDER / item["file"]).read_bytes()
            answer["arch"] = {"any": {"sha256": item.get("sha256", hashlib.sha256(data).hexdigest())}}
        return answer

    def static(self, name):
        path = FOLDER / name
        if ".." in name or not path.is_file():
            return self.json({"message": "not here"}, 404)
        fault = (FOLDER / "fault").read_text() if name.endswith(".zip") and (FOLDER / "fault").exists() else ""
        self.send(path.read_bytes(), fault, name)

    def redirect(self, target):
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def json(self, value, status=200):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def send(self, data, fault, name):
        kind, _, number = fault.partition(":")
        if kind.endswith("-once"):
            if name in DONE:
                kind = ""
            DONE.add(name)
            kind = kind.removesuffix("-once")
        if kind == "status":
            return self.json({"message": "no, says the catalogue"}, int(number))
        if kind == "corrupt":
            data = data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]
        start = 0
        wanted = self.headers.get("Range", "")
        if wanted.startswith("bytes=") and kind != "no-range":
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("ETag", '"' + hashlib.md5(data).hexdigest() + '"')
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if kind in ("stall", "close"):
            self.wfile.write(data[start : start + int(number)])
            self.wfile.flush()
            if kind == "stall":
                STATE["stalled"] += 1
                time.sleep(600)
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(data[start:])


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


if __name__ == "__main__":
    Server(("127.0.0.1", PORT), Handler).serve_forever()
