"""Checks of the house rules that a compiler does not make: one line for each check, and under a
failed one what is wrong. Usage: lint.py BUILD_FOLDER (with the object files in it)."""

import os
import re
import statistics
import subprocess
import sys

import objects

BANNED = set("strcpy strcat sprintf vsprintf gets strtok atoi atol atof alloca system popen".split())
PRINTING = set("""printf fprintf vfprintf vprintf snprintf vsnprintf dprintf vdprintf asprintf
vasprintf puts fputs fputc putchar perror""".split())
MAY_PRINT = ("daemon/base/err.c", "daemon/base/str.c", "daemon/base/log.c", "daemon/main.c")
# The pure floor: neither input and output nor time nor chance.
IMPURE = set("""open openat fopen read write close socket connect send recv poll select epoll_wait
time clock_gettime gettimeofday nanosleep usleep sleep rand random getrandom getenv
clock_wall_ms clock_mono_ms id_new id_random log_line""".split())
# Symbols of a library -> where they may be used.
DOORS = {
    "sqlite3_": r"daemon/store/",
    "MHD_": r"daemon/http/httpd",
    "gnutls_": r"daemon/http/httpd_tls",
    "curl_": r"daemon/http/httpc|cli/",
    "event_": r"daemon/loop/",
    "yaml_parser_": r"daemon/base/yaml",
}
FILE_LINES, HEADER_LINES, FUNCTION_LINES, FUNCTION_WARN = 600, 120, 100, 60


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def tracked(*endings):
    """All files of the project, committed or about to be."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], check=True,
                         capture_output=True, text=True).stdout
    return [p for p in out.splitlines() if p.endswith(endings) and os.path.isfile(p)]


def without_comments(text):
    """Comments and string contents blanked, lines kept."""
    def blank(match):
        found = match.group(0)
        return '""' if found[0] == '"' else re.sub(r"[^\n]", " ", found)
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"', blank, text, flags=re.S)


def floors():
    """{folder: the folders it may use}"""
    result = {}
    for line in read("tools/lint/floors.txt").splitlines():
        if line and not line.startswith("#"):
            name, _, allowed = line.partition(":")
            result[name] = set(allowed.split()) | {name, "ports"}
    return result


def check_floors(table):
    """Calls and includes only go down."""
    allowed, home, wrong, arrows = floors(), {}, [], 0
    for source, (defined, _) in table.items():
        for name in defined:
            home[name] = objects.folder_of(source)
    for source, (_, undefined) in table.items():
        folder = objects.folder_of(source)
        if folder not in allowed:
            wrong.append(f"{source}: folder {folder} is not in tools/lint/floors.txt")
            continue
        for name in sorted(undefined & home.keys()):
            arrows += home[name] != folder
            if home[name] not in allowed[folder]:
                wrong.append(f"{source}: {folder} may not use {home[name]}: {name}()")
    for path in tracked(".c", ".h"):
        if not path.startswith(("daemon/", "cli/")):
            continue
        folder = objects.folder_of(path)
        for line, text in enumerate(read(path).splitlines(), 1):
            match = re.match(r'#include "(?:(\w+)/)?', text)
            if match and (match.group(1) or "roof") not in allowed.get(folder, ()):
                if folder == "cli" and match.group(1) is None:
                    continue
                wrong.append(f"{path}:{line}: {folder} may not include {match.group(1)}/")
    return wrong, f"{arrows} calls between folders, all downwards"


def function_lengths(path):
    """(name's line, lines) of the functions: a { at the start of a line up to a } there."""
    start, found = 0, []
    for line, text in enumerate(read(path).splitlines(), 1):
        if text == "{":
            start = line
        elif text == "}" and start:
            found.append((start - 1, line - start + 1))
            start = 0
    return found


def check_sizes():
    """Files, headers and functions stay small."""
    wrong, lengths, long = [], [], 0
    for path in tracked(".c", ".h", ".py", ".sh"):
        lines = read(path).count("\n")
        house = path.startswith(("daemon/", "cli/"))
        limit = HEADER_LINES if house and path.endswith(".h") else FILE_LINES
        if lines > limit:
            wrong.append(f"{path}: {lines} lines; at most {limit}: split it by topic")
        if not path.endswith(".c"):
            continue
        for line, length in function_lengths(path):
            if house:
                lengths.append(length)
            if length > FUNCTION_LINES:
                wrong.append(f"{path}:{line}: a function of {length} lines; at most "
                             f"{FUNCTION_LINES}")
            elif length > FUNCTION_WARN:
                long += 1
                print(f"  warning: {path}:{line}: a function of {length} lines")
    p90 = sorted(lengths)[len(lengths) * 9 // 10] if lengths else 0
    median = statistics.median(lengths) if lengths else 0
    return wrong, (f"{len(lengths)} functions, median {median:.0f} lines, p90 {p90}, "
                   f"over {FUNCTION_WARN}: {long}")


def check_banned(table):
    """Functions that are unsafe, or that only one place may use."""
    wrong = []
    for source, (_, undefined) in table.items():
        used = {objects.plain_name(name) for name in undefined}
        banned = used & BANNED
        if source.startswith("daemon/") and source not in MAY_PRINT:
            banned |= used & PRINTING
        if source.startswith("daemon/model/"):
            banned |= used & IMPURE
        wrong += [f"{source}: uses {name}()" for name in sorted(banned)]
    # The compiler replaces some of them, so look at the text as well.
    pattern = re.compile(r"\b(" + "|".join(sorted(BANNED)) + r")\s*\(")
    for path in tracked(".c", ".h"):
        for line, text in enumerate(without_comments(read(path)).splitlines(), 1):
            wrong += [f"{path}:{line}: uses {m.group(1)}()" for m in pattern.finditer(text)]
    return wrong, "none"


def check_doors(table):
    """Each library has one door, and none of our names is one of a library's."""
    wrong, own = [], set()
    for defined, _ in table.values():
        own |= defined
    for source, (_, undefined) in table.items():
        for name in sorted(undefined - own):
            for prefix, places in DOORS.items():
                if name.startswith(prefix) and not re.match(places, source):
                    wrong.append(f"{source}: uses {name}(); only {places} may")
    theirs = objects.library_symbols()
    for source, (defined, _) in table.items():
        wrong += [f"{source}: {name} is also a name in lib{theirs[name]}"
                  for name in sorted(defined & theirs.keys())]
    return wrong, "each library behind its own"


def check_text():
    """What must not stand in committed files."""
    wrong = []
    marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")
    here = re.compile(r"(?<![\w.])/(?:work|root|home)/\w")
    for path in tracked(".c", ".h", ".py", ".sh", ".sql", ".md", ".yaml", "Makefile"):
        for line, text in enumerate(read(path).splitlines(), 1):
            if marks.search(text) and not path.endswith(".md"):
                wrong.append(f"{path}:{line}: do it or open an issue: {text.strip()[:60]}")
            if here.search(text):
                wrong.append(f"{path}:{line}: a path of one machine: {text.strip()[:60]}")
    return wrong, "no leftovers"


def main():
    table = objects.symbols(sys.argv[1])
    failed = False
    for name, check in (("floors", lambda: check_floors(table)), ("sizes", check_sizes),
                        ("banned functions", lambda: check_banned(table)),
                        ("library doors", lambda: check_doors(table)), ("texts", check_text)):
        wrong, summary = check()
        failed |= bool(wrong)
        print(f"{name:18} {'FAILED' if wrong else 'ok: ' + summary}", flush=True)
        for text in wrong:
            print(f"  {text}", flush=True)
    sys.exit(failed)


main()
