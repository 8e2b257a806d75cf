#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A WebSocket server that keeps the rules or breaks one of them, by the path that is asked for.

Usage: websocket_peer.py PORT [CERTIFICATE KEY]

/ready           answers 200, as plain HTTP
/echo            gives back each message; the text `bye` makes it close with 4001 and the reason "enough"
/headers         one text: the headers of the handshake, as JSON
/early           a message in the same packet as the answer to the handshake
/early-end       the same, and the end of the connection right behind it
/fragments       a text in three fragments with a ping in between
/flood           256 messages of 256 KiB, as fast as they are read; /flooded tells how many went out
/deaf            reads nothing; /deaf-size tells nothing
/masked /binary-within-text /continuation /bad-utf8 /huge /reserved /long-ping    break the rule of that name
/cut             ends the connection in the middle of a frame, after one message of the client
/silent-close    closes without a code, after one message of the client
/refuse          answers 400 with 100,000 bytes of text
/wrong-accept    answers 101 with the key of somebody else
/no-answer       never answers
/redirect        answers 302
/closed          one text: the code with which the last client closed /wait
/wait            stays open until the client closes
"""
import base64
import hashlib
import json
import socketserver
import ssl
import struct
import sys
import threading


def frame(opcode, data, fin=True, mask=False, reserved=0):
    head = bytes([(0x80 if fin else 0) | reserved | opcode])
    size, bit = len(data), 0x80 if mask else 0
    head += bytes([bit | size]) if size < 126 else struct.pack(">BH", bit | 126, size) if size < 65536 else struct.pack(
        ">BQ", bit | 127, size)
    return head + (b"\0\0\0\0" if mask else b"") + data


class Peer(socketserver.StreamRequestHandler):
    closed, flooded, changed = "", 0, threading.Condition()

    def handle(self):
        try:
            self.answer()
        except (OSError, EOFError):
            pass

    def answer(self):
        path = self.rfile.readline().split()[1].decode()
        headers = {}
        while line := self.rfile.readline().strip().decode():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if path == "/refuse":
            body = b"no such query\n" + b"x" * 100_000
            return self.wfile.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        if path == "/ready":
            return self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        if path == "/redirect":
            return self.wfile.write(b"HTTP/1.1 302 Found\r\nLocation: /echo\r\nContent-Length: 0\r\n\r\n")
        if path == "/no-answer":
            return self.rfile.read()
        key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        if path == "/wrong-accept":
            key = "x"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        head = f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
               f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
        self.wfile.write(head + (frame(1, b"early") if path.startswith("/early") else b""))
        getattr(self, "do_" + path[1:].replace("-", "_"))(headers)

    def read(self):
        head = self.rfile.read(2)
        if len(head) < 2:
            raise EOFError
        size = head[1] & 0x7F
        if size >= 126:
            size = int.from_bytes(self.rfile.read(2 if size == 126 else 8), "big")
        if not head[1] & 0x80:
            raise AssertionError("a client's frame has to be masked")
        mask = self.rfile.read(4)
        data = self.rfile.read(size)
        return head[0] & 15, bytes(byte ^ mask[index & 3] for index, byte in enumerate(data))

    def until_closed(self):
        while True:
            opcode, data = self.read()
            if opcode == 8:
                return int.from_bytes(data[:2], "big")

    def do_echo(self, _):
        while True:
            opcode, data = self.read()
            if opcode == 8:
                return
            if data == b"bye":
                self.wfile.write(frame(8, struct.pack(">H", 4001) + b"enough"))
                self.until_closed()
                return
            self.wfile.write(frame(opcode, data))

    def do_headers(self, headers):
        self.wfile.write(frame(1, json.dumps(headers).encode()))
        self.until_closed()

    def do_early(self, _):
        self.until_closed()

    def do_early_end(self, _):
        pass

    def do_fragments(self, _):
        first, second = "ü".encode()[:1], "ü".encode()[1:]
        self.wfile.write(frame(1, b"gr", fin=False) + frame(9, b"!") + frame(0, first, fin=False))
        opcode, data = self.read()
        pong = b"pong" if (opcode, data) == (10, b"!") else b"none"
        self.wfile.write(frame(0, second + b"n " + pong))
        self.until_closed()

    def do_flood(self, _):
        Peer.flooded = 0
        for _ in range(256):
            self.wfile.write(frame(2, b"x" * 262_144))
            Peer.flooded += 1
        self.wfile.write(frame(8, struct.pack(">H", 1000)))
        self.until_closed()

    def do_flooded(self, _):
        self.wfile.write(frame(1, str(Peer.flooded).encode()))
        self.until_closed()

    def do_deaf(self, _):
        with Peer.changed:
            Peer.changed.wait(20)

    def do_wait(self, _):
        code = self.until_closed()
        with Peer.changed:
            Peer.closed = str(code)
            Peer.changed.notify_all()

    def do_closed(self, _):
        with Peer.changed:
            Peer.changed.wait_for(lambda: Peer.closed, 20)
            self.wfile.write(frame(1, Peer.closed.encode()))
        self.until_closed()

    def break_rule(self, data):
        self.wfile.write(data)
        code = self.until_closed()
        with Peer.changed:
            Peer.closed = str(code)
            Peer.changed.notify_all()

    def do_masked(self, _):
        self.break_rule(frame(1, b"x", mask=True))

    def do_binary_within_text(self, _):
        self.break_rule(frame(1, b"x", fin=False) + frame(2, b"y"))

    def do_continuation(self, _):
        self.break_rule(frame(0, b"x"))

    def do_bad_utf8(self, _):
        self.break_rule(frame(1, b"a\xff"))

    def do_huge(self, _):
        self.break_rule(frame(1, b"x" * 100_000, fin=False) + frame(0, b"x" * 100_000))

    def do_reserved(self, _):
        self.break_rule(frame(3, b"x"))

    def do_long_ping(self, _):
        self.break_rule(frame(9, b"x" * 200))

    def do_cut(self, _):
        self.read()
        self.wfile.write(frame(1, b"whole") + frame(1, b"x" * 100)[:50])

    def do_silent_close(self, _):
        self.read()
        self.wfile.write(frame(8, b""))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64


def main():
    server = Server(("127.0.0.1", int(sys.argv[1])), Peer)
    if len(sys.argv) > 2:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[2], sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


main()
