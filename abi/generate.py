#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what follows from the layout of the plugin ABI's headers.

abi/generate.py              writes include/grafana/check.h, Tests/PluginABITests/LayoutTests.swift and abi/probe.c
abi/generate.py --check      writes nothing; fails when one of them differs from what it would write
abi/generate.py --contract   prints every constant with its value and every member with its offset, size and type, one a
                             line, sorted; --include DIR reads other headers

Sizes and offsets come from the C compiler (CC, default cc), names from the headers themselves, which are simple enough
to be read with regular expressions: structs of plain members and function pointers, one union.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
# What is no value, and what a release may change.
NOT_CONSTANTS = {"GF_EXPORT", "GF_ABI_MINOR"}


def headers(include):
    """The headers that are ABI: grafana/sdk.h, its parts and check.h are not."""
    grafana = include / "grafana"
    return [grafana / "arrow.h", grafana / "plugin.h"] + sorted((grafana / "ext").glob("*.h"))


def without_comments(path):
    return re.sub(r"/\*.*?\*/", "", path.read_text(encoding="utf-8"), flags=re.S)


def without_names(parameters):
    """The types of a parameter list: "gf_call_t *call, double fraction" is "gf_call_t *, double"."""
    types = []
    for parameter in parameters.split(","):
        parameter = " ".join(parameter.split())
        named = re.fullmatch(r"(.*[ *])\w+", parameter)
        types.append(named.group(1).strip() if named else parameter)
    return ", ".join(types)


def members(body):
    """[(name, type)]"""
    union = re.search(r"union\s*\{([^}]*)\}\s*(\w+);", body)
    if union:
        parts = " ".join(union.group(1).replace(";", ",").split())
        body = body.replace(union.group(0), "union<%s> %s;" % (parts, union.group(2)))
    found = []
    for declaration in filter(None, (part.strip() for part in body.split(";"))):
        pointer = re.fullmatch(r"(.*)\(\*(\w+)\)\s*\((.*)\)", declaration, flags=re.S)
        if pointer:
            found.append((pointer.group(2), "%s (*)(%s)" % (pointer.group(1).strip(), without_names(pointer.group(3)))))
        else:
            plain = re.fullmatch(r"(.*?)(\w+)", " ".join(declaration.split()))
            found.append((plain.group(2), plain.group(1).strip()))
    return found


class Struct:
    """One struct: its C spelling, its Swift name, its members in order."""

    def __init__(self, tag, alias, body):
        self.c = alias or "struct " + tag
        self.swift = alias or tag
        self.types = dict(members(body))
        self.members = list(self.types)


def structs(path):
    text = without_comments(path)
    forward = dict(re.findall(r"typedef struct (\w+) (\w+);", text))
    found = []
    pattern = r"^(typedef )?struct (\w+) \{\n((?:[^{}]|\{[^{}]*\})*)\}\s*(\w*);"
    for match in re.finditer(pattern, text, flags=re.M):
        found.append(Struct(match.group(2), match.group(4) or forward.get(match.group(2)), match.group(3)))
    return found


def constants(include):
    names = []
    for path in headers(include):
        names += re.findall(r"^\s*#define ((?:GF|ARROW_FLAG)_\w+)[ \t]+\S", without_comments(path), flags=re.M)
    return [name for name in dict.fromkeys(names) if name not in NOT_CONSTANTS]


def run_c(include, source):
    """Compiles and runs a C program; returns what it prints."""
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "program"
        program.with_suffix(".c").write_text(source, encoding="utf-8")
        compiler = os.environ.get("CC", "cc").split()
        subprocess.run(
            compiler + ["-std=c11", "-I", str(include), str(program.with_suffix(".c")), "-o", str(program)], check=True)
        return subprocess.run([str(program)], check=True, capture_output=True, text=True).stdout


def includes(include):
    return "".join("#include <%s>\n" % path.relative_to(include) for path in headers(include))


def constant_lines(include):
    lines = [
        includes(include), "#include <stdio.h>\n#include <inttypes.h>\n",
        "static void number(const char *name, int64_t value) { printf(\"%s %\" PRId64 \"\\n\", name, value); }\n",
        "static void text(const char *name, const char *value) { printf(\"%s \\\"%s\\\"\\n\", name, value); }\n",
        "#define SHOW(name) _Generic((name), char *: text, const char *: text, default: number)(#name, name)\n",
        "int main(void) {\n"]
    lines += ["    SHOW(%s);\n" % name for name in constants(include)]
    return run_c(include, "".join(lines) + "    return 0;\n}\n").splitlines()


def contract_lines(include):
    """What later releases must keep: lines may be added, none may go or change."""
    lines = constant_lines(include)
    for _, group in layouts(include):
        for struct, size, offsets in group:
            if struct.members[0] != "struct_size":
                lines.append("%s has %d bytes" % (struct.c, size))
            for (name, kind), offset in zip(struct.types.items(), offsets):
                lines.append("%s.%s at %d: %s" % (struct.c, name, offset, kind))
    return sorted(lines)


def layouts(include):
    """[(header, [(Struct, size, [offset])])]"""
    found = [(path, structs(path)) for path in headers(include)]
    lines = [includes(include), "#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n"]
    for _, group in found:
        for struct in group:
            lines.append("    printf(\"%%zu\", sizeof(%s));\n" % struct.c)
            lines += ["    printf(\" %%zu\", offsetof(%s, %s));\n" % (struct.c, name) for name in struct.members]
            lines.append("    printf(\"\\n\");\n")
    rows = iter(run_c(include, "".join(lines) + "    return 0;\n}\n").splitlines())
    result = []
    for path, group in found:
        sized = []
        for struct in group:
            numbers = [int(number) for number in next(rows).split()]
            sized.append((struct, numbers[0], numbers[1:]))
        result.append((path, sized))
    return result


def check_header(include, found):
    out = [
        "/* SPDX-License-Identifier: Apache-2.0\n *\n"
        " * grafana/check.h: asserts every size and offset of the plugin ABI on 64-bit targets. Include it once.\n"
        " * Made by abi/generate.py; do not edit. Its Swift twin is Tests/PluginABITests/LayoutTests.swift. */\n"
        "#ifndef GRAFANA_CHECK_H\n#define GRAFANA_CHECK_H\n\n#include <stddef.h>\n\n"]
    out += ["#include \"%s\"\n" % path.relative_to(include / "grafana") for path, _ in found]
    out.append(
        "\n#if defined(__cplusplus)\n#define GF_CHECK(condition) static_assert(condition, #condition)\n"
        "#else\n#define GF_CHECK(condition) _Static_assert(condition, #condition)\n#endif\n\n"
        "#if UINTPTR_MAX == UINT64_MAX\n")
    for path, group in found:
        if group:
            out.append("\n/* %s */\n" % path.relative_to(include))
        for struct, size, offsets in group:
            out.append("GF_CHECK(sizeof(%s) == %d);\n" % (struct.c, size))
            out += ["GF_CHECK(offsetof(%s, %s) == %d);\n" % (struct.c, name, offset)
                    for name, offset in zip(struct.members, offsets)]
    out.append("\n#endif\n\n#undef GF_CHECK\n\n#endif\n")
    return "".join(out)


def swift_tests(found):
    out = [
        "// SPDX-License-Identifier: Apache-2.0\n// Made by abi/generate.py; do not edit. Its C twin is"
        " include/grafana/check.h.\nimport CPluginABI\nimport Testing\n\n"
        "/// Swift sees every struct of the plugin ABI as C lays it out on 64-bit targets.\nstruct LayoutTests {\n"
        "    private func expect<Value>(_: Value.Type, size: Int, _ members: [(PartialKeyPath<Value>, Int)]) {\n"
        "        #expect(MemoryLayout<Value>.size == size)\n"
        "        #expect(MemoryLayout<Value>.stride == size)\n"
        "        for (path, offset) in members {\n"
        "            #expect(MemoryLayout<Value>.offset(of: path) == offset, \"\\(path)\")\n"
        "        }\n    }\n"]
    for _, group in found:
        for struct, size, offsets in group:
            name = re.sub(r"_t$", "", struct.swift)
            name = re.sub(r"_(\w)", lambda match: match.group(1).upper(), name)
            name = name[0].lower() + name[1:]
            out.append("\n    @Test func %s() {\n        expect(\n            %s.self, size: %d,\n            [\n"
                       % (name, struct.swift, size))
            line = " " * 15
            for member, offset in zip(struct.members, offsets):
                pair = " (\\.%s, %d)," % (member, offset)
                if len(line + pair) > 120:
                    out.append(line + "\n")
                    line = " " * 15
                line += pair
            out.append(line + "\n            ])\n    }\n")
    return "".join(out) + "}\n"


def probe(include, found):
    out = [
        "/* SPDX-License-Identifier: Apache-2.0\n * A library that has every type of the plugin ABI in its debug"
        " information, for abi/check.sh.\n * Made by abi/generate.py; do not edit. */\n", includes(include), "\n"]
    for _, group in found:
        for struct, _, _ in group:
            out.append("void probe_%s(%s *value);\nvoid probe_%s(%s *value) { (void)value; }\n"
                       % (struct.swift, struct.c, struct.swift, struct.c))
    out.append("const gf_plugin_desc_t *gf_entry_v1(const gf_host_info_t *info) { (void)info; return 0; }\n")
    return "".join(out)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--contract", action="store_true")
    parser.add_argument("--include", type=pathlib.Path, default=ROOT / "include")
    options = parser.parse_args()
    if options.contract:
        print("\n".join(contract_lines(options.include)))
        return
    found = layouts(options.include)
    made = {
        ROOT / "include/grafana/check.h": check_header(options.include, found),
        ROOT / "Tests/PluginABITests/LayoutTests.swift": swift_tests(found),
        ROOT / "abi/probe.c": probe(options.include, found),
    }
    for path, text in made.items():
        if not options.check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit("%s is older than the headers; run abi/generate.py" % path.relative_to(ROOT))
    count = sum(len(group) for _, group in found)
    print("abi: %d structs; check.h, LayoutTests.swift and probe.c %s"
          % (count, "agree with the headers" if options.check else "are written"))


main()
