#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An HTTP server that answers in the ways in which servers go wrong, by the first part of the path.

Usage: hostile_server.py PORT

/ready      200
/endless    log lines without an end
/drip       a byte of an answer every 20 ms
/cut        less than the Content-Length says
/long       more than the Content-Length says
/headers    header fields without an end
/loop       redirects to itself
/garbage    no HTTP
/silent     closes the connection without an answer
/zeros      1 MiB of zero bytes as JSON
"""
import itertools
import socketserver
import sys
import time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
ANSWER = b'{"status":"success","data":{"resultType":"streams","result":[{"stream":{"a":"b"},"values":['
LINE = b'["1","' + b"x" * 1000 + b'"],'


class Server(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            self.answer()
        except OSError:
            pass

    def answer(self):
        line = self.rfile.readline().split()
        while self.rfile.readline().strip():
            pass
        mode = line[1].decode().split("/")[1]
        for part in getattr(self, "do_" + mode)(line[1]):
            self.wfile.write(part)

    def do_ready(self, _):
        yield b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    def do_endless(self, _):
        yield HEAD + b"\r\n" + ANSWER
        yield from itertools.repeat(LINE * 100)

    def do_drip(self, _):
        yield HEAD + b"\r\n"
        for byte in itertools.chain(ANSWER, itertools.cycle(LINE)):
            time.sleep(0.02)
            yield bytes([byte])

    def do_cut(self, _):
        yield HEAD + b"Content-Length: 1000\r\n\r\n" + ANSWER

    def do_long(self, _):
        yield HEAD + b"Content-Length: %d\r\n\r\n" % len(ANSWER) + ANSWER + b"]}]}}"

    def do_headers(self, _):
        yield HEAD
        yield from (b"X-Header-%d: %s\r\n" % (number, b"x" * 1000) for number in itertools.count())

    def do_loop(self, target):
        yield b"HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % target

    def do_garbage(self, _):
        yield b"\x16\x03\x01\x00\xff no HTTP at all\r\n\r\n"

    def do_silent(self, _):
        yield b""

    def do_zeros(self, _):
        yield HEAD + b"Content-Length: 1048576\r\n\r\n" + bytes(1 << 20)


server = socketserver.ThreadingTCPServer(("127.0.0.1", int(sys.argv[1])), Server, bind_and_activate=False)
server.daemon_threads = True
server.allow_reuse_address = True
server.server_bind()
server.server_activate()
server.serve_forever()
