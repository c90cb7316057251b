"""The closing line can be believed: whatever goes wrong with a test program is counted."""

import os
import subprocess
import sys

import pytest

from harness.process import ROOT

TALLY = os.path.join(ROOT, "tools/tally.py")
RAN = "echo '[ RUN      ] a'; echo '[       OK ] a'; echo '[ RUN      ] b'; "
PYTEST = "import os, pytest\ndef test_a():\n    pass\n"


def tally(folder, *words, **env):
    done = subprocess.run([sys.executable, "-B", TALLY, *words], cwd=folder, text=True, check=False,
                          capture_output=True, env={**os.environ, **env})
    assert done.stderr == ""
    return done


def result(folder, kind, *words, **env):
    """What is kept of a part."""
    tally(folder, kind, "results", "part", *words, **env)
    return (folder / "results/part").read_text().splitlines()[0]


@pytest.mark.parametrize("script, expected", [
    (RAN + "echo '[       OK ] b'", "2 0"),
    (RAN + "echo '[  FAILED  ] b'; echo '[  FAILED  ] 1 test(s), listed below:'; exit 1", "1 1"),
    (RAN + "echo '[  SKIPPED ] b'", "1 0"),
    (RAN + "kill -SEGV $$", "1 1"),  # in the middle of a test
    (RAN + "echo '[       OK ] b'; exit 1", "2 1"),  # such as leaks found at the end
    (RAN + "echo '[       OK ] b'; kill -ABRT $$", "2 1"),
    ("exit 0", "0 1"),  # ran nothing
    (RAN + "exec sleep 60", "1 1"),
])
def test_programs(tmp_path, script, expected):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n" + script + "\n")
    program.chmod(0o755)
    assert result(tmp_path, "unit", str(program), AIRIS_UNIT_SECONDS="2") == expected


def test_a_program_that_cannot_be_started_is_a_failure(tmp_path):
    done = subprocess.run([sys.executable, TALLY, "unit", "results", "part", "./not-there"],
                          cwd=tmp_path, capture_output=True, check=False)
    assert (tmp_path / "results/part").read_text().startswith("0 1\n")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("text, expected", [
    (PYTEST, "1 0"),
    (PYTEST + "def test_b():\n    assert False\n", "1 1"),
    (PYTEST + "@pytest.fixture\ndef f():\n    1 / 0\ndef test_b(f):\n    pass\n", "1 1"),
    (PYTEST + "def test_b():\n    pytest.skip('no')\n", "1 0"),
    (PYTEST + "def test_b():\n    os.abort()\n", "0 1"),  # takes pytest's report with it
    ("import not_there\n", "0 1"),
    ("", "0 1"),  # no test
    ("import pytest\ndef test_b():\n    pytest.skip('no')\n", "0 1"),  # all skipped
])
def test_pytests(tmp_path, text, expected):
    (tmp_path / "test_it.py").write_text(text)
    assert result(tmp_path, "pytest", ".") == expected


@pytest.mark.parametrize("command, expected", [
    ("echo 'floors             ok: fine'; echo 'banned functions   ok'", "2 0"),
    ("echo 'floors             ok'; echo 'sizes              FAILED'; exit 1", "1 1"),
    ("echo 'floors             ok'; exit 1", "1 1"),
    ("true", "0 1"),
])
def test_lines(tmp_path, command, expected):
    assert result(tmp_path, "lines", "sh", "-c", command) == expected


@pytest.mark.parametrize("command, expected", [
    ("echo 'crash: 3 points, 9 runs, 8 kills, 0 violations'", "9 0"),
    ("echo 'crash: 3 points, 9 runs, 8 kills, 2 violations'; exit 1", "7 2"),
    ("echo 'crash: 3 points, 9 runs, 8 kills, 0 violations'; exit 1", "9 1"),
    ("echo 'crash: 0 points, 0 runs, 0 kills, 0 violations'", "0 1"),
    ("echo 'Traceback'; exit 1", "0 1"),
])
def test_crashes(tmp_path, command, expected):
    assert result(tmp_path, "crash", "sh", "-c", command) == expected


def test_reports_of_sanitizers(tmp_path):
    (tmp_path / "reports").mkdir()
    assert result(tmp_path, "reports", "reports") == "0 0"
    (tmp_path / "reports/asan.1").write_text("heap-use-after-free")
    assert result(tmp_path, "reports", "reports") == "0 1"


def test_a_part_that_is_cut_off_counts_as_failed(tmp_path):
    """What is written before it begins says so."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ncat {tmp_path}/results/part > {tmp_path}/seen\n")
    program.chmod(0o755)
    result(tmp_path, "unit", str(program))
    assert (tmp_path / "seen").read_text() == "0 1\n"


@pytest.mark.parametrize("parts, last, status", [
    ({"a": "3 0", "b": "4 0"}, "7 passed, 0 failed", 0),
    ({"a": "3 0", "b": "4 2"}, "7 passed, 2 failed", 1),
    ({}, "0 passed, 1 failed", 1),
    ({"a": "0 0"}, "0 passed, 1 failed", 1),
])
def test_the_sum_is_the_last_line(tmp_path, parts, last, status):
    (tmp_path / "results").mkdir()
    for name, text in parts.items():
        (tmp_path / "results" / name).write_text(text + "\n")
    done = tally(tmp_path, "sum", "results")
    assert (done.stdout.splitlines()[-1], done.returncode) == (last, status)


@pytest.mark.parametrize("kind, command, said", [
    ("unit", RAN + "echo '[  ERROR   ] --- 1 != 2'; echo '[  FAILED  ] b'; exit 1",
     "program (exit 1): 1 != 2; b"),
    ("lines", "echo 'floors             FAILED: up'", "floors FAILED: up"),
    ("crash", "echo 'abort host act:sent life 1 FAILED: lost'", "abort host act:sent life 1 FAILED: lost"),
])
def test_what_failed_is_said_at_the_end(tmp_path, kind, command, said):
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n" + command + "\n")
    program.chmod(0o755)
    tally(tmp_path, kind, "results", "part", str(program))
    assert tally(tmp_path, "sum", "results").stdout.splitlines()[-2] == f"  results part: {said}"


def test_what_pytest_failed_is_said_at_the_end(tmp_path):
    (tmp_path / "test_it.py").write_text(PYTEST + "def test_b():\n    assert [1] == [\n     2]\n")
    tally(tmp_path, "pytest", "results", "part", ".")
    assert "test_it::test_b: assert [1] == [2]" in \
        tally(tmp_path, "sum", "results").stdout.splitlines()[-2]


def test_no_more_is_said_than_can_be_read(tmp_path):
    tally(tmp_path, "lines", "results", "part", "sh", "-c",
          "for i in $(seq 200); do echo \"part$i FAILED $(printf '%0900d' 0)\"; done")
    lines = (tmp_path / "results/part").read_text().splitlines()
    assert lines[0] == "0 200" and len(lines) == 31 and max(map(len, lines)) == 500
