"""Runs airisctl for the tests: with an environment of its own, on a pipe or on a terminal."""

import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time

import pytest

from fake_api import FakeApi

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
AIRISCTL = os.path.join(ROOT, os.environ.get("AIRIS_BUILD", "build"), "airisctl")

OK, FAILED, USAGE, ABORTED, PAUSED, TIMED_OUT, REFUSED, UNREACHABLE, INTERRUPTED = \
    0, 1, 2, 3, 4, 5, 6, 7, 130


def environment(home, server=None, **extra):
    env = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8",
           "TERM": "xterm-256color", "AIRIS_ACTOR": "tester"}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
        if name in os.environ:
            env[name] = os.environ[name]
    if server:
        env["AIRIS_SERVER"] = server
    env.update(extra)
    return env


def own_signals():
    """As from a shell: what the test's own parent ignores must not be inherited."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Done:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def __repr__(self):
        return f"code {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


def start(env, *args, stdin=subprocess.DEVNULL):
    return subprocess.Popen([AIRISCTL, *args], env=env, stdin=stdin, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, encoding="utf-8",
                            preexec_fn=own_signals)


def finish(process, seconds=30, text=None):
    try:
        out, err = process.communicate(text, timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"still running after {seconds} s\n{out}\n{err}") from None
    assert "Sanitizer" not in err and "runtime error" not in err, err
    return Done(process.returncode, out, err)


def run(env, *args, text=None, seconds=30):
    stdin = subprocess.DEVNULL if text is None else subprocess.PIPE
    return finish(start(env, *args, stdin=stdin), seconds, text)


class Screen:
    """What a terminal shows: enough of ANSI for what airisctl writes. Unknown escapes fail."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.lines = [""] * rows
        self.x = self.y = 0
        self.cursor = True
        self.colors = False
        self.rest = ""

    def feed(self, text):
        text, self.rest = self.rest + text, ""
        at = 0
        while at < len(text):
            char = text[at]
            if char == "\x1b":
                match = re.match(r"\x1b\[(\??)([0-9;]*)([A-Za-z])", text[at:])
                if match is None:
                    assert len(text) - at < 12, repr(text[at:at + 20])
                    self.rest = text[at:]
                    return
                self._escape(*match.groups())
                at += match.end()
                continue
            self._char(char)
            at += 1

    def _char(self, char):
        if char == "\r":
            self.x = 0
        elif char == "\n":
            if self.y == self.rows - 1:
                self.lines = self.lines[1:] + [""]
            else:
                self.y += 1
        else:
            assert char >= " " and not "\x7f" <= char <= "\x9f", repr(char)
            if self.x >= self.columns:
                assert self.cursor, "a line of the display was folded"
                self._char("\n")
                self.x = 0
            line = self.lines[self.y].ljust(self.x)
            self.lines[self.y] = line[:self.x] + char + line[self.x + 1:]
            self.x += 1

    def _escape(self, private, number, kind):
        count = int(number or 1) if number.isdigit() or not number else 0
        if private:
            assert number == "25"
            self.cursor = kind == "h"
        elif kind == "m":
            self.colors = True
        elif kind == "A":
            self.y = max(0, self.y - count)
        elif kind == "H":
            self.x = self.y = 0
        elif kind == "K":
            self.lines[self.y] = self.lines[self.y][:self.x]
        elif kind == "J":
            self.lines[self.y] = self.lines[self.y][:self.x]
            self.lines[self.y + 1:] = [""] * (self.rows - self.y - 1)
        else:
            raise AssertionError(f"escape {kind}")

    def text(self):
        return "\n".join(line.rstrip() for line in self.lines).rstrip()


class Terminal:
    """airisctl on a pseudo terminal of its own."""

    def __init__(self, env, *args, columns=100, rows=40):
        self.screen = Screen(columns, rows)
        self.raw = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            own_signals()
            # The size is set before airisctl can ask for it.
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(AIRISCTL, [AIRISCTL, *args], env)
        self.code = None

    def _read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            data = b""
        text = data.decode("utf-8", "replace")
        self.raw += text
        self.screen.feed(text)
        return bool(data)

    def wait_for(self, pattern, seconds=15):
        end = time.monotonic() + seconds
        while not re.search(pattern, self.screen.text()):
            alive = self._read(max(0, min(0.5, end - time.monotonic())))
            found = re.search(pattern, self.screen.text())
            assert found or (alive and time.monotonic() < end), \
                f"no {pattern!r} on the screen:\n{self.screen.text()}"
        while select.select([self.fd], [], [], 0.05)[0] and self._read(0):
            pass  # the rest of the picture
        return self.screen.text()

    def echo(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def resize(self, columns, rows):
        self.screen.columns, self.screen.rows = columns, rows
        self.screen.lines += [""] * (rows - len(self.screen.lines))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, data):
        os.write(self.fd, data)

    def end(self, seconds=15):
        end = time.monotonic() + seconds
        while self._read(0.5):
            assert time.monotonic() < end, f"still running:\n{self.screen.text()}"
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        self.pid = 0
        return self.screen.text()

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


@pytest.fixture(params=["unix", "tcp"])
def api(request):
    """The fake server, once behind each kind of address."""
    folder = tempfile.mkdtemp(prefix="airis-")
    path = os.path.join(folder, "airisd.sock") if request.param == "unix" else None
    with FakeApi(path) as server:
        yield server
    shutil.rmtree(folder)


@pytest.fixture
def tcp():
    with FakeApi() as server:
        yield server


@pytest.fixture
def env(api, tmp_path):
    return environment(tmp_path, api.url)
