"""What the linker sees of our own code: the symbols that each object defines and uses."""

import os
import re
import subprocess

LIBRARIES = "event_core curl microhttpd jansson sqlite3 yaml ssl crypto".split()


def folder_of(source):
    """daemon/base/err.c -> base, daemon/main.c -> roof, cli/x.c -> cli"""
    parts = source.split("/")
    if parts[0] == "cli":
        return "cli"
    return parts[1] if len(parts) > 2 else "roof"


def sources():
    """Our .c files that go into the programs."""
    found = []
    for top in ("daemon", "cli"):
        for folder, _, names in os.walk(top):
            found += [f"{folder}/{name}" for name in names if name.endswith(".c")]
    return sorted(found)


def symbols(build):
    """{source: (defined, undefined)} from the object files under build."""
    result = {}
    for source in sources():
        out = subprocess.run(["nm", "-g", "-P", f"{build}/{source[:-2]}.o"], check=True,
                             capture_output=True, text=True).stdout
        defined, undefined = set(), set()
        for line in out.splitlines():
            name, kind = line.split()[:2]
            (undefined if kind in "Uwv" else defined).add(name)
        result[source] = (defined, undefined)
    return result


def plain_name(symbol):
    """The function behind the fortified or C11 name: __printf_chk -> printf."""
    match = re.fullmatch(r"__(?:isoc99_)?(\w+?)(?:_chk)?", symbol)
    return match.group(1) if match else symbol


def library_symbols():
    """{symbol: library} of what the libraries that we link with export."""
    found = {}
    for name in LIBRARIES:
        path = subprocess.run(["gcc", f"-print-file-name=lib{name}.so"], check=True,
                              capture_output=True, text=True).stdout.strip()
        out = subprocess.run(["nm", "-D", "-P", "--defined-only", path], check=True,
                             capture_output=True, text=True).stdout
        for line in out.splitlines():
            found[line.split()[0].split("@")[0]] = name
    return found
