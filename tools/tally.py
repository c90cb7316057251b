"""Runs tests and counts honestly: a crash, a time-out and a part that ran no test count as failed.

    tally.py unit    RESULTS NAME PROGRAM...    cmocka programs
    tally.py pytest  RESULTS NAME PATH...       python3 -m pytest
    tally.py lines   RESULTS NAME COMMAND...    lines "NAME ok..." and "NAME FAILED...", as lint has
    tally.py crash   RESULTS NAME COMMAND...    runs of tests/crash, by its last line
    tally.py check   RESULTS NAME COMMAND...    one test: its exit status
    tally.py reports RESULTS NAME FOLDER        each file in it is a failure (sanitizers' reports)
    tally.py sum     RESULTS...                 adds up folders of results; the last line says it

Each run leaves RESULTS/NAME with "PASSED FAILED" and a line for each thing that failed, which sum
says again at the end of all; it exits with 0 only if none failed.
"""

import concurrent.futures
import glob
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree

UNIT_SECONDS = int(os.environ.get("AIRIS_UNIT_SECONDS", "240"))
PART_SECONDS = int(os.environ.get("AIRIS_PART_SECONDS", "1500"))
# Files of tests at once: they mostly wait.
JOBS = int(os.environ.get("AIRIS_JOBS", 3 * max(2, os.cpu_count() or 1)))
# They take minutes each, whatever their size, and are begun first.
LONG = ("test_mesh_model.py", "test_outage.py", "test_fm_kube.py", "test_lease.py")
PRINTING = threading.Lock()
FAULTS = []  # what failed and why, a line each
MOST_FAULTS, LONGEST_FAULT = 30, 500


def note(*texts):
    FAULTS.extend(" ".join(text.split())[:LONGEST_FAULT] for text in texts)


def run(command, seconds, output):
    """Exit status, None after a time-out; what it left running in its group is killed."""
    try:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
    except OSError as e:
        print(f"  {e}")
        return 127
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        process.wait()


def captured(command, seconds):
    """Status and text of a command."""
    with tempfile.TemporaryFile() as output:
        status = run(command, seconds, output)
        output.seek(0)
        return status, output.read().decode(errors="replace")


def count_cmocka(status, text):
    """(passed, failed) of one program. What was started and is not known to have passed failed."""
    started = len(re.findall(r"^\[ RUN      \]", text, re.M))
    passed = len(re.findall(r"^\[       OK \]", text, re.M))
    skipped = len(re.findall(r"^\[  SKIPPED \]", text, re.M))
    failed = max(started - passed - skipped, 0)
    if (status != 0 or passed == 0) and failed == 0:
        failed = 1
    return passed, failed


def why(status):
    if status is None:
        return "timed out"
    return f"signal {-status}" if status < 0 else f"exit {status}"


def unit_program(program):
    """(passed, failed) of one program, and its line."""
    status, text = captured([program], UNIT_SECONDS)
    good, bad = count_cmocka(status, text)
    name = os.path.basename(program)
    if bad:
        said = re.findall(r"^\[  (?:ERROR   |FAILED  )\] (?:--- )?(.*)", text, re.M)
        note(f"{name} ({why(status)}): {'; '.join(said)}")
    with PRINTING:
        print((text if bad else "") + f"  {name:28} {good:4} passed"
              + (f", {bad} FAILED ({why(status)})" if bad else ""), flush=True)
    return good, bad


def unit(programs):
    """As many at once as there are processors: they compute."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        counts = list(pool.map(unit_program, programs))
    return sum(good for good, _ in counts), sum(bad for _, bad in counts)


def note_junit(root):
    """Each failure, by what pytest says first of it."""
    for case in root.iter("testcase"):
        for fault in [*case.iter("failure"), *case.iter("error")]:
            note(f"{case.get('classname')}::{case.get('name')}: {fault.get('message')}")


def count_junit(path, status):
    """(passed, failed) from pytest's own report; a report that is missing or empty failed."""
    try:
        root = xml.etree.ElementTree.parse(path).getroot()
    except (OSError, xml.etree.ElementTree.ParseError):
        return 0, 1
    note_junit(root)
    suites = [root] if root.tag == "testsuite" else list(root)
    total = {name: sum(int(suite.get(name, 0)) for suite in suites)
             for name in ("tests", "failures", "errors", "skipped")}
    failed = total["failures"] + total["errors"]
    passed = max(total["tests"] - failed - total["skipped"], 0)
    if total["skipped"]:
        print(f"  {total['skipped']} skipped")
    if (status != 0 or passed == 0) and failed == 0:
        failed = 1
    return passed, failed


def files_of(paths):
    """The test files, the largest first, so that none of the long ones is begun last."""
    files = []
    for path in paths:
        files += glob.glob(os.path.join(path, "test_*.py")) if os.path.isdir(path) else [path]
    return sorted(files, reverse=True, key=lambda f: (
        os.path.basename(f) in LONG, os.path.exists(f) and os.path.getsize(f)))


def pytest_file(path):
    """(passed, failed) of one file; it is shown when it is done, so that no two are mixed."""
    with tempfile.TemporaryDirectory() as folder:
        report = os.path.join(folder, "report.xml")
        # The distribution's own Python: that is where python3-pytest is.
        status, text = captured(["/usr/bin/python3", "-B", "-m", "pytest", "-q", "-p",
                                 "no:cacheprovider", "--durations=3", f"--junitxml={report}",
                                 path], PART_SECONDS)
        if status is None:
            text += f"  timed out after {PART_SECONDS} s\n"
        with PRINTING:
            print(f"  {path}\n{text}", end="", flush=True)
            return count_junit(report, status)


def pytest(paths):
    """Each file in a process of its own, JOBS at once."""
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        counts = list(pool.map(pytest_file, files_of(paths)))
    if not counts:
        return 0, 1
    return sum(good for good, _ in counts), sum(bad for _, bad in counts)


def lines(command):
    status, text = captured(command, PART_SECONDS)
    print(text, end="")
    note(*re.findall(r"^\S.{0,17} FAILED\b.*", text, re.M))
    passed = len(re.findall(r"^\S.{0,17} ok\b", text, re.M))
    failed = len(re.findall(r"^\S.{0,17} FAILED\b", text, re.M))
    if (status != 0 or passed == 0) and failed == 0:
        failed = 1
    return passed, failed


def crash(command):
    status, text = captured(command, PART_SECONDS)
    print(text, end="")
    note(*re.findall(r"^.* FAILED: .*", text, re.M))
    said = re.search(r"^crash: \d+ points, (\d+) runs, \d+ kills, (\d+) violations$", text, re.M)
    runs, failed = (int(said.group(1)), int(said.group(2))) if said else (0, 1)
    passed = max(runs - failed, 0)
    if (status != 0 or passed == 0) and failed == 0:
        failed = 1
    return passed, failed


def check(command):
    status = run(command, PART_SECONDS, None)
    return (1, 0) if status == 0 else (0, 1)


def reports(folder):
    """Nothing to say is a pass of nothing."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    for name in names:
        with open(os.path.join(folder, name), encoding="utf-8", errors="replace") as file:
            text = file.read()
        print(f"--- {name}\n{text[:6000]}")
        note(f"{name}: {text}")
    return 0, len(names)


def add_up(folders):
    passed = failed = 0
    told = []
    for folder in folders:
        names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        if not names:
            print(f"{folder}: no results")
            failed += 1
        for name in names:
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                good, bad = map(int, file.readline().split())
                told += [f"  {os.path.basename(folder)} {name}: {fault}" for fault in file]
            print(f"{os.path.basename(folder) + ' ' + name:32} {good} passed, {bad} failed")
            passed, failed = passed + good, failed + bad
    if passed == 0 and failed == 0:
        failed = 1
    print("".join(["What failed:\n", *told]) if told else "", end="")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def main():
    kinds = {"unit": unit, "pytest": pytest, "lines": lines, "crash": crash,
             "check": check, "reports": lambda rest: reports(rest[0])}
    if len(sys.argv) >= 3 and sys.argv[1] == "sum":
        return add_up(sys.argv[2:])
    if len(sys.argv) < 5 or sys.argv[1] not in kinds:
        print(__doc__, file=sys.stderr)
        return 2
    kind, folder, name = sys.argv[1:4]
    os.makedirs(folder, exist_ok=True)
    path, begin = os.path.join(folder, name), time.monotonic()
    with open(path, "w", encoding="utf-8") as file:
        file.write("0 1\n")  # stands if this run is cut off
    print(f"--- {name}", flush=True)
    passed, failed = kinds[kind](sys.argv[4:])
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in [f"{passed} {failed}", *FAULTS[:MOST_FAULTS]]))
    print(f"    {name}: {passed} passed, {failed} failed, {time.monotonic() - begin:.0f} s",
          flush=True)
    return 0


sys.exit(main())
