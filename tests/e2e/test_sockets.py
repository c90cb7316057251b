"""Socket activation: airisd with sockets that are open before it starts, passed as systemd does it."""
import json
import os
import re
import socket
import sys

import pytest

from harness.daemon import UnixConnection
from harness.process import BUILD, Process, wait_for

# What systemd does between fork and exec: the sockets from descriptor 3 on, and three variables.
PASS = """\
import fcntl, os, sys
fds, names, pid = sys.argv[1], sys.argv[2], sys.argv[3]
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 64) for fd in fds.split(",") if fd]
for place, fd in enumerate(high, 3):
    os.dup2(fd, place)
os.environ.update(LISTEN_FDS=os.environ.get("COUNT", str(len(high))), LISTEN_FDNAMES=names,
                  LISTEN_PID=pid or str(os.getpid()))
os.execv(sys.argv[4], sys.argv[4:])
"""


APP = {"kind": "App", "name": "shop", "namespace": "default",
       "workload": {"kind": "Deployment", "name": "shop"},
       "traffic": {"istio": {"virtualService": "shop"}},
       "strategy": {"canary": {"weights": [50, 100]}}}


def unix_socket(path, mode=0o660, kind=socket.SOCK_STREAM, listen=True):
    made = socket.socket(socket.AF_UNIX, kind)
    made.bind(path)
    if path[0] != "\0":
        os.chmod(path, mode)
    if listen and kind == socket.SOCK_STREAM:
        made.listen(128)
    return made


def tcp_socket(family=socket.AF_INET, host="127.0.0.1"):
    made = socket.socket(family)
    made.bind((host, 0))
    made.listen(128)
    return made


class Activated:
    """airisd that systemd starts: the sockets outlive it."""

    def __init__(self, folder):
        self.folder = str(folder)
        self.path = f"{folder}/s"
        self.config = f"{folder}/airisd.yaml"
        self.sockets, self.process = [], None
        with open(f"{folder}/token", "w", encoding="ascii") as file:
            file.write("0123456789abcdef0123\n")
        self.settings(f"socket: {self.path}")

    def settings(self, listen):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f"listen: {{{listen}, tokenFile: {self.folder}/token}}\n"
                       f"store: {{path: {self.folder}/db}}\nlog: {{level: debug}}\n")

    def start(self, names="airisd.socket", pid="", env=None):
        fds = [s.fileno() for s in self.sockets]
        for fd in fds:
            os.set_inheritable(fd, True)
        self.process = Process(
            [sys.executable, "-c", PASS, ",".join(map(str, fds)), names, pid,
             os.path.join(BUILD, "airisd"), "--config", self.config],
            f"{self.folder}/log", env=env)
        self.process.pass_fds = fds
        self.process.start()
        return self

    def ready(self):
        wait_for("a start", lambda: "is ready" in self.process.text() or self.ended())
        assert self.process.alive(), self.process.text()
        return self

    def ended(self):
        return not self.process.alive()

    def refused(self):
        """It does not start: what it said."""
        wait_for("its end", self.ended)
        assert self.process.popen.returncode == 1
        return self.process.text()

    def get(self, path="/v1/version"):
        return self.call("GET", path)

    def connect(self, what):
        """One who has asked; nobody need be there to answer."""
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(30)
        client.connect(self.path)
        client.sendall(f"{what} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        return client

    def call(self, method, path, body=None):
        conn = UnixConnection(self.path)
        try:
            conn.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            return conn.getresponse().status
        finally:
            conn.close()


@pytest.fixture(name="unit")
def fixture_unit(tmp_path):
    unit = Activated(tmp_path)
    yield unit
    if unit.process is not None:
        unit.process.kill()
    for made in unit.sockets:
        made.close()


def test_it_serves_the_sockets_it_is_given(unit):
    """Both of them, each by its own rules, and no environment is left of it."""
    remote = tcp_socket()
    port = remote.getsockname()[1]
    unit.sockets = [remote, unix_socket(unit.path)]
    unit.settings(f"socket: {unit.path}, tcp: '127.0.0.1:{port}'")
    inode = os.stat(unit.path).st_ino
    unit.start(names="web:local").ready()
    assert unit.get() == 200
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET /v1/version HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b" 401 " in client.recv(4096)
        client.sendall(b"GET /v1/version HTTP/1.1\r\nHost: x\r\n"
                       b"Authorization: Bearer 0123456789abcdef0123\r\n\r\n")
        assert b" 200 " in client.recv(4096)
    assert f"(port {port})" in unit.process.text()
    assert os.stat(unit.path).st_ino == inode
    assert unit.process.stop()[0] == 0
    assert os.stat(unit.path).st_ino == inode, "the file is systemd's"


def test_ipv6(unit):
    remote = tcp_socket(socket.AF_INET6, "::1")
    unit.sockets = [remote]
    unit.settings(f"tcp: '[0:0::1]:{remote.getsockname()[1]}'")
    unit.start().ready()


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_nobody_is_refused_while_it_restarts(unit, end):
    """Who connects between two runs waits in the socket; after a SIGKILL, too."""
    unit.sockets = [unix_socket(unit.path)]
    unit.start().ready()
    for _ in range(3):
        assert unit.get() == 200
        getattr(unit.process, end)()
        clients = [unit.connect("GET /v1/version") for _ in range(40)]
        os.truncate(unit.process.log, 0)
        unit.start().ready()
        for client in clients:
            assert client.recv(4096).startswith(b"HTTP/1.1 200 OK")
            client.close()


def test_what_is_not_passed_it_opens_itself(unit):
    """The settings have two places and systemd one of them."""
    remote = tcp_socket()
    unit.sockets = [remote]
    unit.settings(f"socket: {unit.path}, tcp: '127.0.0.1:{remote.getsockname()[1]}'")
    unit.start().ready()
    assert unit.get() == 200
    assert unit.process.stop()[0] == 0
    assert not os.path.exists(unit.path), "this one was its own"


def test_sockets_of_another_process_are_left_alone(unit):
    """LISTEN_PID says whose they are."""
    unit.sockets = [unix_socket(unit.path + ".other")]
    unit.start(pid="1").ready()
    assert unit.get() == 200


def test_its_own_programs_do_not_get_them(unit):
    """Close-on-exec, from the first moment on: a credential plugin lists what it has."""
    plugin, seen = f"{unit.folder}/plugin", f"{unit.folder}/seen"
    with open(plugin, "w", encoding="ascii") as file:
        file.write(f"#!/bin/sh\nls -l /proc/self/fd > {seen}.tmp\nmv {seen}.tmp {seen}\nexit 1\n")
    os.chmod(plugin, 0o755)
    user = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": plugin,
                     "interactiveMode": "Never"}}
    with open(f"{unit.folder}/kubeconfig", "w", encoding="utf-8") as file:
        json.dump({"current-context": "c", "contexts": [
            {"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
            "users": [{"name": "u", "user": user}]}, file)
    with open(unit.config, "a", encoding="utf-8") as file:
        file.write("clusters: [{name: default, exec: true, kubeconfig: "
                   f"{unit.folder}/kubeconfig}}]\n")
    unit.sockets = [unix_socket(unit.path)]
    unit.start().ready()
    assert unit.call("PUT", "/v1/apps/shop", json.dumps(APP)) == 201
    with unit.connect("POST /v1/apps/shop/preflight"):
        wait_for("the plugin", lambda: os.path.exists(seen))
    with open(seen, encoding="utf-8") as file:
        listed = file.read()
    inode = os.readlink(f"/proc/{unit.process.pid}/fd/3")
    assert inode.startswith("socket:") and inode not in listed


@pytest.mark.parametrize("make, words", [
    (lambda path: unix_socket(path, listen=False), "does not listen; use Accept=no"),
    (lambda path: unix_socket(path, kind=socket.SOCK_DGRAM), "no stream socket; use ListenStream="),
    (lambda path: open(path, "w", encoding="ascii"), "is no socket"),
    (lambda path: unix_socket(path, 0o666), "mode 0666, which lets in more"),
    (lambda path: unix_socket(path + "2"), "s2, where the settings do not listen"),
    (lambda path: tcp_socket(), r"127\.0\.0\.1:\d+, where the settings do not listen"),
    (lambda path: tcp_socket(socket.AF_INET6, "::1"), r"\[::1\]:\d+, where the settings do not"),
    (lambda path: unix_socket("\0airis-" + str(os.getpid())), "a name without a file"),
], ids=["deaf", "datagram", "file", "mode", "path", "port", "port6", "abstract"])
def test_one_that_cannot_be_used_is_named(unit, make, words):
    """Nothing else is opened instead."""
    unit.sockets = [make(unit.path)]
    text = unit.start(names="odd").refused()
    assert re.search(words, text), text
    assert "odd" in text or "SocketMode=0660" in text
    assert len(text.splitlines()) < 6


@pytest.mark.parametrize("env, pid, words", [
    ({"COUNT": "2"}, "", "descriptor 4 is not open"), ({"COUNT": "many"}, "", "LISTEN_FDS"),
    ({"COUNT": "-1"}, "", "LISTEN_FDS"), ({"COUNT": "65"}, "", "at most 64"),
    ({}, "me", "LISTEN_PID")])
def test_variables_that_systemd_would_not_write(unit, env, pid, words):
    unit.sockets = [unix_socket(unit.path)]
    text = unit.start(env=env, pid=pid).refused()
    assert re.search(words, text), text


def test_more_than_it_has_places_for(unit):
    unit.sockets = [unix_socket(unit.path)] + [tcp_socket() for _ in range(8)]
    text = unit.start(names="a:b").refused()
    assert "more than 8 sockets" in text
