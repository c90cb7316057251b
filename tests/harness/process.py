"""Programs under test: started with their output in a file, and certainly stopped."""
import atexit
import http.client
import os
import signal
import socket
import subprocess
import time
import weakref

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("AIRIS_BUILD", os.path.join(ROOT, "build")))
SLOW = float(os.environ.get("AIRIS_SLOW", "1"))  # deadlines are longer under sanitizers


class Failed(AssertionError):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, check, timeout=20.0, every=0.05):
    """Waits until check() is true and returns it; an exception in check counts as not yet."""
    end = time.monotonic() + timeout * SLOW
    last = None
    while time.monotonic() < end:
        try:
            value = check()
            if value:
                return value
            last = value
        except (OSError, LookupError, TypeError, ValueError, AssertionError,
                http.client.HTTPException) as e:
            last = e
        time.sleep(every)
    raise Failed(f"timed out waiting for {what}; last: {last!r}")


class Process:
    started = weakref.WeakSet()

    def __init__(self, args, log, env=None):
        self.args, self.log, self.env = args, log, env
        self.popen, self.pass_fds = None, ()

    def start(self):
        with open(self.log, "ab") as out:
            self.popen = subprocess.Popen(
                self.args, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                env={**os.environ, **(self.env or {})}, start_new_session=True, pass_fds=self.pass_fds)
        Process.started.add(self)
        return self

    @property
    def pid(self):
        return self.popen.pid

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def kill(self):
        if self.alive():
            self.popen.kill()
        return self.popen.wait()

    def stop(self, timeout=10.0):
        """SIGTERM; returns the exit status and how long it took."""
        if not self.alive():
            return self.popen.returncode if self.popen else 0, 0.0
        begin = time.monotonic()
        self.popen.send_signal(signal.SIGCONT)
        self.popen.send_signal(signal.SIGTERM)
        try:
            self.popen.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise Failed(f"{self.args[0]} did not stop; see {self.log}") from None
        return self.popen.returncode, time.monotonic() - begin

    def text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()


@atexit.register
def stop_all():
    """Whatever was interrupted, nothing is left running."""
    for process in list(Process.started):
        if process.alive():
            process.popen.send_signal(signal.SIGCONT)
            process.popen.terminate()
    for process in list(Process.started):
        try:
            process.popen.wait(10)
        except subprocess.TimeoutExpired:
            process.popen.kill()
