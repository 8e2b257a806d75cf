#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a man page from what a program prints for --experimental-dump-help: man.py < help.json > program.1"""
import json
import sys


def roff(text):
    """The text with what troff would take for a command escaped."""
    text = (text or "").replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(("\\&" + line) if line[:1] in (".", "'") else line for line in text.split("\n"))


def spelling(argument):
    """How an argument is written: --name <value>, [<path>], …"""
    names = []
    for name in argument.get("names") or []:
        names.append({"short": "-", "long": "--", "longWithSingleDash": "-"}[name["kind"]] + name["name"])
    value = "<%s>" % (argument.get("valueName") or "value")
    if argument["kind"] == "positional":
        return value
    return ", ".join(names) + (" " + value if argument["kind"] == "option" else "")


def visible(items):
    return [item for item in items or [] if item.get("shouldDisplay", True)]


def write_arguments(command, out):
    for argument in visible(command.get("arguments")):
        about = argument.get("abstract") or ""
        if argument.get("defaultValue"):
            about += " (default: %s)" % argument["defaultValue"]
        out += [".TP", ".B " + roff(spelling(argument)), roff(about.strip())]


def write_command(command, path, out):
    for child in visible(command.get("subcommands")):
        if child["commandName"] == "help":
            continue
        name = " ".join(path + [child["commandName"]])
        out += [".SS " + roff(name), roff(child.get("abstract"))]
        if child.get("discussion"):
            out += [".PP", roff(child["discussion"])]
        write_arguments(child, out)
        write_command(child, path + [child["commandName"]], out)


def main():
    command = json.load(sys.stdin)["command"]
    name = command["commandName"]
    out = [".TH %s 1" % roff(name.upper()), ".SH NAME", "%s \\- %s" % (roff(name), roff(command.get("abstract")))]
    out += [".SH SYNOPSIS", ".B %s" % roff(name), "[options] [subcommand] ..."]
    if command.get("discussion"):
        out += [".SH DESCRIPTION", roff(command["discussion"])]
    out += [".SH OPTIONS"]
    write_arguments(command, out)
    if visible(command.get("subcommands")):
        out += [".SH COMMANDS"]
        write_command(command, [name], out)
    print("\n".join(line for line in out if line))


main()
