#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes archives that no installer may accept, and prints a line `NAME<tab>CODE` for each.

usage: hostile_archives.py FOLDER
"""
import json
import pathlib
import stat
import struct
import sys
import zipfile
import zlib

FOLDER = pathlib.Path(sys.argv[1])
PLUGIN = {"id": "acme-evil-panel", "type": "panel", "name": "Evil", "info": {"version": "1.0.0"}, "dependencies": {}}
GOOD = json.dumps(PLUGIN).encode()
UNSAFE, DUPLICATE, SPECIAL = "archive-unsafe-name", "archive-duplicate-name", "archive-special-file"
LARGE, MALFORMED, INVALID = "archive-too-large", "archive-malformed", "package-invalid"


def save(name, code, data):
    (FOLDER / f"{name}.zip").write_bytes(data)
    print(f"{name}\t{code}")


class Raw:
    """A zip archive byte by byte: names are bytes, and headers may lie."""

    def __init__(self):
        self.body, self.directory, self.count = b"", b"", 0

    def add(self, name, data=b"x", mode=0o100644, system=3, method=0, flags=0, size=None, local_name=None, crc=None,
            offset=None, packed_size=None, local_size=None):
        name = name if isinstance(name, bytes) else name.encode()
        local = name if local_name is None else local_name
        packed = data if method != 8 else zlib.compress(data)[2:-4]
        size = len(data) if size is None else size
        csize = len(packed) if packed_size is None else packed_size
        lsize = size if local_size is None else local_size
        crc = zlib.crc32(data) if crc is None else crc
        at = len(self.body) if offset is None else offset
        if offset is None:
            self.body += struct.pack("<IHHHHHIIIHH", 0x04034B50, 20, flags, method, 0, 33, crc, csize, lsize, len(local), 0)
            self.body += local + packed
        self.directory += struct.pack("<IBBHHHHHIIIHHHHHII", 0x02014B50, 20, system, 20, flags, method, 0, 33, crc, csize,
                                      size, len(name), 0, 0, 0, 0, mode << 16, at) + name
        self.count += 1
        return self

    def data(self, count=None, cut=0, comment=b""):
        count = self.count if count is None else count
        end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, count, count, len(self.directory), len(self.body), len(comment))
        whole = self.body + self.directory + end + comment
        return whole[: len(whole) - cut] if cut else whole


def plugin(prefix="evil/"):
    return Raw().add(prefix + "plugin.json", GOOD)


def names():
    for label, name in {
        "climbs": "../evil.txt", "climbs-in-folder": "evil/../../evil.txt", "climbs-deep": "evil/a/b/../../../../evil.txt",
        "climbs-then-back": "evil/../evil/x", "climbs-with-accent": "../\u0301evil.txt", "climbs-with-number-sign": "..\u0600/evil.txt",
        "accent-on-slash": "evil/\u0301x", "only-dots": "..", "dots-at-end": "evil/..", "absolute": "/tmp/evil.txt",
        "absolute-double": "//tmp/evil.txt", "backslash": "evil\\..\\..\\evil.txt", "backslash-root": "\\evil.txt",
        "drive": "C:/evil.txt", "drive-relative": "C:evil.txt", "stream": "evil/plugin.json:stream", "empty-part": "evil//x",
        "dot-part": "evil/./x", "newline": "evil/a\nb", "escape": "evil/\x1b[31m", "delete": "evil/a\x7f",
        "right-to-left": "evil/\u202egnp.exe", "trailing-dot": "evil/x.", "trailing-space": "evil/x ",
        "long-part": "evil/" + "a" * 300, "long-path": "evil/" + "a/" * 600 + "x", "deep": "evil/" + "a/" * 60 + "x",
    }.items():
        save(label, UNSAFE, plugin().add(name).data())
    for label, name in {
        "latin1": b"evil/caf\xe9", "overlong": b"evil/\xc0\xae\xc0\xae/x", "surrogate": b"evil/\xed\xa0\x80",
        "truncated-utf8": b"evil/\xe2\x82",
    }.items():
        save(label, UNSAFE, plugin().add(name).data())


def collisions():
    save("twice", DUPLICATE, plugin().add("evil/a").add("evil/a").data())
    save("twice-plugin-json", DUPLICATE, plugin().add("evil/plugin.json", GOOD).data())
    save("case", DUPLICATE, plugin().add("evil/Readme").add("evil/README").data())
    save("case-folder", DUPLICATE, plugin().add("evil/A/x").add("evil/a/y").data())
    save("composed", DUPLICATE, plugin().add("evil/caf\u00e9", flags=0x800).add("evil/cafe\u0301", flags=0x800).data())
    save("file-and-folder", DUPLICATE, plugin().add("evil/a").add("evil/a/b").data())
    save("folder-and-file", DUPLICATE, plugin().add("evil/a/b").add("evil/a").data())


def specials():
    for label, mode in {
        "link-absolute": stat.S_IFLNK | 0o777, "device": stat.S_IFBLK | 0o666, "characters": stat.S_IFCHR | 0o666,
        "pipe": stat.S_IFIFO | 0o666, "socket": stat.S_IFSOCK | 0o666,
    }.items():
        save(label, SPECIAL, plugin().add("evil/x", b"/etc/passwd", mode=mode).data())
    link = stat.S_IFLNK | 0o777
    save("link-relative", SPECIAL, plugin().add("evil/x", b"plugin.json", mode=link).data())
    save("link-then-through", SPECIAL, plugin().add("evil/x", b"/tmp", mode=link).add("evil/x/y").data())
    save("link-macos", SPECIAL, plugin().add("evil/x", b"/etc", mode=link, system=19).data())


def bombs():
    zeros = bytes(64 << 20)
    save("bomb-ratio", LARGE, plugin().add("evil/x", zeros, method=8).data())
    small = Raw().add("evil/plugin.json", GOOD)
    for i in range(40):
        small.add(f"evil/{i}", bytes(1 << 20), method=8)
    save("bomb-many", LARGE, small.data())
    save("bomb-claims", LARGE, plugin().add("evil/x", b"x", size=0xFFFFFFF0).data())
    with zipfile.ZipFile(FOLDER / "bomb-entries.zip", "w") as archive:
        for i in range(100_001):
            archive.writestr(zipfile.ZipInfo(f"e/{i}"), b"")
    print(f"bomb-entries\t{LARGE}")


def broken():
    save("empty", MALFORMED, b"")
    save("text", MALFORMED, b"this is no archive, it is a text of some length" * 9)
    save("cut", MALFORMED, plugin().data(cut=30))
    save("no-files", MALFORMED, Raw().data())
    save("wrong-crc", MALFORMED, plugin().add("evil/x", b"hello", crc=7).data())
    save("other-local-name", MALFORMED, plugin().add("evil/x", local_name=b"../../x").data())
    save("other-local-size", MALFORMED, plugin().add("evil/x", b"hello", local_size=99).data())
    save("encrypted", MALFORMED, plugin().add("evil/x", b"hello" * 9, flags=1).data())
    save("overlapping", MALFORMED, plugin().add("evil/x", GOOD, offset=10).data())
    save("count-lies", MALFORMED, plugin().add("evil/x").data(count=7))
    save("broken-deflate", MALFORMED, plugin().add("evil/x", b"\xff" * 50, method=0, packed_size=20).data())
    save("folder-with-content", MALFORMED, plugin().add("evil/f/", b"hello", mode=0o040755).data())
    save("uncommon-method", MALFORMED, plugin().add("evil/x", b"hello", method=99).data())
    save("no-plugin", INVALID, Raw().add("evil/readme.txt").data())
    save("two-roots", INVALID, Raw().add("one/plugin.json", GOOD).add("two/x").data())
    save("bad-json", INVALID, Raw().add("evil/plugin.json", b"{").data())
    save("no-id", INVALID, Raw().add("evil/plugin.json", b'{"type":"panel"}').data())
    save("evil-id", INVALID, Raw().add("evil/plugin.json", b'{"type":"panel","id":"../../etc"}').data())


if __name__ == "__main__":
    names()
    collisions()
    specials()
    bombs()
    broken()
