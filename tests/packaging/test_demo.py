"""The demo as a newcomer runs it, without a terminal and on one."""

import glob
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from harness.process import BUILD, ROOT, SLOW

PROGRAM = [sys.executable, "-B", os.path.join(ROOT, "tools/demo.py")]


def environment(tmp_path, **more):
    return {**os.environ, "O": BUILD, "TMPDIR": str(tmp_path), "TERM": "xterm-256color", **more}


def left_over(tmp_path):
    """Folders, and programs that were started in them."""
    found = glob.glob(f"{tmp_path}/airis-demo-*")
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        try:
            with open(path, "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue
        if any(f"{tmp_path}/airis-demo-" in word for word in words):
            found.append(" ".join(words))
    return found


def test_it_runs_unattended(tmp_path):
    done = subprocess.run(PROGRAM, env=environment(tmp_path), stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, timeout=180 * SLOW, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    weights = re.findall(r"canary weight (\d+)% written", done.stdout)
    assert [w for w in weights if w != "0"] == ["10", "25", "50", "100", "10"]
    assert weights[-1] == "0"
    assert "image is now registry.local/analytics-engine:1.5.0." in done.stdout
    assert "the image is still\nregistry.local/analytics-engine:1.5.0." in done.stdout
    assert len(re.findall(r"Lost by moving traffic: 0\.", done.stdout)) == 2
    assert left_over(tmp_path) == []


class Terminal:
    """The demo on a terminal of its own."""

    def __init__(self, tmp_path):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(PROGRAM[0], PROGRAM, environment(tmp_path))
        self.text = ""

    def until(self, what, seconds):
        """None: it has ended."""
        end = time.monotonic() + seconds * SLOW
        while what is None or what not in self.text:
            if not select.select([self.fd], [], [], max(end - time.monotonic(), 0))[0]:
                pytest.fail(f"no {what!r} in {seconds} s; the end: {self.text[-2000:]}")
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            self.text += data.decode(errors="replace")
            if not data:
                assert what is None, self.text[-2000:]
                return

    def end(self):
        self.until(None, 30)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.parametrize("moment", ["Starting a simulated cluster", "canary 25%"])
def test_ctrl_c_takes_everything_away(tmp_path, moment):
    """In the middle of it."""
    demo = Terminal(tmp_path)
    demo.until(moment, 60)
    os.write(demo.fd, b"\x03")
    assert demo.end() == 130
    assert "Everything the demo had started is gone." in demo.text
    assert left_over(tmp_path) == []


def test_sigterm_takes_everything_away_too(tmp_path):
    demo = Terminal(tmp_path)
    demo.until("canary 10%", 60)
    os.kill(demo.pid, signal.SIGTERM)
    assert demo.end() == 128 + signal.SIGTERM
    assert left_over(tmp_path) == []
