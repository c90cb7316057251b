"""airisd as a program: its settings, its start and end, its signals, its notifications, its logs."""
import glob
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time

import pytest

import fm
from harness.process import BUILD, ROOT, SLOW, free_port, wait_for

AIRISD = os.path.join(BUILD, "airisd")


def run(*args, **more):
    return subprocess.run([AIRISD, *args], capture_output=True, text=True, timeout=20 * SLOW,
                          check=False, **more)


def settings(tmp_path, text, name="airisd.yaml"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


GOOD = """\
listen:
  socket: {dir}/s
store:
  path: {dir}/db
clusters:
- name: default
  kubeconfig: {dir}/kubeconfig
"""


def test_version_and_help():
    with open(os.path.join(ROOT, "VERSION"), encoding="ascii") as f:
        version = f.read().strip()
    migrations = len(glob.glob(os.path.join(ROOT, "migrations", "[0-9]*.sql")))
    assert run("--version").stdout == f"airisd {version}\ndatabase version {migrations}\n"
    shown = run("--help")
    assert shown.returncode == 0
    for flag in ("--config", "--check", "--print-config", "--version", "SIGHUP", "Exit status"):
        assert flag in shown.stdout


@pytest.mark.parametrize("args", [["--colour"], ["--config"], ["start"], ["--check", "now"]])
def test_wrong_arguments(args):
    done = run(*args)
    assert done.returncode == 2 and "--help" in done.stderr and done.stdout == ""


def test_check_tells_every_error_at_once(tmp_path):
    """Line, key, value, and what is allowed; nothing is started or made."""
    path = settings(tmp_path, """\
listen:
  socket: 5
  tcp: 10.0.0.1:80
  tokenfile: /x
store: {path: [1]}
log:
  level: loud
mesh: {settle: fast}
limits: {connections: 3}
clusters:
- name: Default
  qps: 0
- {kubeconfig: /k}
prometheus:
- {name: p, url: "ftp://x", timeout: 1h}
colour: red
""")
    done = run("--config", path, "--check")
    assert done.returncode == 1 and done.stdout == ""
    lines = done.stderr.splitlines()
    for line, key, words in ((2, "listen.socket", "text"), (4, "listen.tokenfile", "tokenFile"),
                             (5, "store.path", "text"), (7, "log.level", "debug"),
                             (8, "mesh.settle", "1m30s"), (9, "limits.connections", "4"),
                             (11, "clusters[0].name", "a-z"), (12, "clusters[0].qps", "1"),
                             (13, "clusters[1]", "name"), (15, "prometheus[0].timeout", "1m"),
                             (16, "colour", "listen")):
        said = [e for e in lines if e.startswith(f"{path}:{line}: ") and key in e]
        assert said and words in said[0], (line, key, words, lines)
    assert os.listdir(tmp_path) == ["airisd.yaml"]


def test_only_loopback(tmp_path):
    for address in ("0.0.0.0:8080", "10.0.0.1:80", "[::]:80", "example.com:80"):
        path = settings(tmp_path, f'listen: {{tcp: "{address}", tokenFile: /t}}\n')
        done = run("--config", path, "--check")
        assert done.returncode == 1 and "loopback" in done.stderr, (address, done.stderr)
    path = settings(tmp_path, 'listen: {tcp: "127.0.0.1:8080"}\n')
    assert "tokenFile" in run("--config", path, "--check").stderr
    path = settings(tmp_path, GOOD.format(dir=tmp_path) +
                    'prometheus: [{name: p, url: "ftp://x"}]\n')
    said = run("--config", path, "--check").stderr
    assert said.startswith(f"{path}:8: prometheus[0]: ") and "http" in said


def test_observe_names_a_source(tmp_path):
    """A name that is there."""
    def said(cluster):
        path = settings(tmp_path, f"""\
listen: {{socket: {tmp_path}/s}}
clusters:
- {cluster}
prometheus:
- {{name: main, url: "http://127.0.0.1:9"}}
""")
        return path, run("--config", path, "--check")
    path, done = said("{name: a, observe: mian}")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{path}:3: clusters[0].observe: ") and '"mian"' in done.stderr
    path, done = said("{name: a, observe: main}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "observe: main" in run("--config", path, "--print-config").stdout


def test_check_of_good_settings(tmp_path):
    path = settings(tmp_path, GOOD.format(dir=tmp_path))
    done = run("--config", path, "--check")
    assert (done.returncode, done.stderr) == (0, "") and path in done.stdout
    assert sorted(os.listdir(tmp_path)) == ["airisd.yaml"]


@pytest.mark.parametrize("text, said", [
    (None, "No such file"), ("listen: [", "line "), ("a: 1\na: 2\n", "a"), ("- 1\n", "keys such as"),
    ("", "empty"), ("listen: {socket: \"\x01\"}\n", ""), ("\xff\xfe", "")])
def test_unreadable_settings(text, said, tmp_path):
    path = str(tmp_path / "airisd.yaml")
    if text is not None:
        with open(path, "wb") as f:
            f.write(text.encode("latin-1"))
    done = run("--config", path, "--check")
    assert done.returncode == 1 and said in done.stderr and done.stderr.startswith(path)


def test_print_config_can_be_read_again(tmp_path):
    """Whatever it prints is a file with the same meaning."""
    more = ('log: {level: warn}\nprometheus:\n- name: p\n  url: "http://127.0.0.1:9090/x"\n'
            '  headers: {X-Scope-OrgID: "a: b"}\n')
    path = settings(tmp_path, GOOD.format(dir=tmp_path) + more)
    first = run("--config", path, "--print-config")
    assert first.returncode == 0 and "warn" in first.stdout and "12s" in first.stdout
    again = settings(tmp_path, first.stdout, "again.yaml")
    assert run("--config", again, "--check").returncode == 0
    assert run("--config", again, "--print-config").stdout == first.stdout


def test_every_setting_is_in_the_reference():
    keys = re.findall(r"^(\S+):", run("--reference").stdout, re.M)
    assert {"listen.socket", "mesh.settle", "clusters[].qps", "gates[].every"} <= set(keys)


def test_sigterm_loses_nothing(quick, shops):
    """It ends within a second, with a rollout under way and streams open, and status 0."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "2s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait_weight(rid, 50)
    stream = socket.socket(socket.AF_UNIX)
    stream.connect(quick.socket)
    stream.sendall(f"GET /v1/rollouts/{rid}/events HTTP/1.1\r\nHost: x\r\n"
                   "Accept: text/event-stream\r\n\r\n".encode())
    assert stream.recv(64)
    events = quick.events(rid)
    status, took = quick.stop()
    assert status == 0 and took < 1 * SLOW
    stream.close()
    quick.restart()
    assert quick.events(rid)[:len(events)] == events
    quick.wait_phase(rid, "succeeded")
    assert fm.stages_entered(quick, rid) == fm.STAGES and shop.lost() == {}


def change(daemon, old, new):
    with open(daemon.config, encoding="utf-8") as f:
        text = f.read()
    assert old in text
    with open(daemon.config, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))


def test_sighup(quick):
    """What can be changed is; what takes a restart is named; a broken file changes nothing."""
    change(quick, "level: info", "level: debug")
    os.kill(quick.process.pid, signal.SIGHUP)
    wait_for("the reload", lambda: "the settings were read again" in quick.process.text())
    quick.call("GET", "/v1/version")
    wait_for("a debug line", lambda: " debug " in quick.process.text())
    change(quick, "airis.db", "other.db")
    os.kill(quick.process.pid, signal.SIGHUP)
    wait_for("what takes a restart", lambda: re.search(
        r"store\.path.*restart", quick.process.text()))
    change(quick, "level: debug", "level: shout")
    os.kill(quick.process.pid, signal.SIGHUP)
    wait_for("the refusal", lambda: re.search(
        r"log\.level.*the old settings stay in force", quick.process.text()))
    assert quick.call("GET", "/readyz").status == 200


def test_notifications(quick, tmp_path):
    """READY once it can be asked, WATCHDOG at half of its time, RELOADING, STOPPING."""
    path = str(tmp_path / "notify")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(path)
    listener.settimeout(10 * SLOW)
    quick.stop()
    quick.process.env = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"}
    quick.process.start()
    assert listener.recv(4096).decode().split("\n")[0] == "READY=1"
    assert quick.call("GET", "/healthz").status == 200
    assert listener.recv(4096) == b"WATCHDOG=1"
    begin = time.monotonic()
    assert listener.recv(4096) == b"WATCHDOG=1"
    assert 0.1 < time.monotonic() - begin < 0.4 * SLOW
    os.kill(quick.process.pid, signal.SIGHUP)
    seen = [listener.recv(4096).decode() for _ in range(4)]
    assert any(s.startswith("RELOADING=1") for s in seen)
    quick.stop()
    listener.settimeout(0.2)
    rest = []
    try:
        while True:
            rest.append(listener.recv(4096).decode())
    except TimeoutError:
        pass
    assert "STOPPING=1" in rest
    listener.close()
    quick.process.env = None
    quick.start()


def test_a_newer_database_is_refused(quick):
    """F72: what a later version wrote is not touched."""
    quick.stop()
    with sqlite3.connect(quick.database) as db:
        version = db.execute("pragma user_version").fetchone()[0]
        db.execute(f"pragma user_version = {version + 1}")
    with open(quick.database, "rb") as f:
        before = f.read()
    done = run("--config", quick.config)
    assert done.returncode == 1 and quick.database in done.stderr and "newer" in done.stderr
    with open(quick.database, "rb") as f:
        assert f.read() == before
    with sqlite3.connect(quick.database) as db:
        db.execute(f"pragma user_version = {version}")
    quick.start()


@pytest.mark.parametrize("what", ["folder", "socket", "port", "kubeconfig"])
def test_cannot_start(what, quick, quick_lab, tmp_path):
    """Status 1 and one line that says which and why."""
    quick.stop()
    words = {"folder": "nowhere", "socket": "107 bytes", "port": "in use",
             "kubeconfig": "nobody"}[what]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (tmp_path / "token").write_text("t" * 40)
        old, new = {
            "folder": (quick.database, str(tmp_path / "nowhere" / "airis.db")),
            "socket": (quick.socket, "/tmp/" + "x" * 120),
            "port": (f"socket: {quick.socket}",
                     f'tcp: "127.0.0.1:{taken.getsockname()[1]}", '
                     f'tokenFile: {tmp_path / "token"}'),
            "kubeconfig": (quick_lab.kubeconfig, "/nobody"),
        }[what]
        change(quick, old, new)
        done = run("--config", quick.config)
        assert done.returncode == 1 and words in done.stderr, done.stderr
        assert "Sanitizer" not in done.stderr
        change(quick, new, old)
    quick.start()


def test_tcp_needs_the_token(make_daemon, tmp_path):
    """F77 for one token: without it nothing is told or done; it is read again when it changes."""
    port = free_port()
    (tmp_path / "token").write_text("first-secret-0123456789\n")
    daemon = make_daemon()
    change(daemon, f"socket: {daemon.socket}", f'socket: {daemon.socket}, tcp: "127.0.0.1:{port}", '
           f'tokenFile: {tmp_path / "token"}')
    daemon.start()

    def status(token):
        import http.client
        conn = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        conn.request("GET", "/v1/apps", None, headers)
        answer = conn.getresponse()
        answer.read()
        conn.close()
        return answer.status
    assert [status(t) for t in (None, "wrong", "first-secret-0123456789")] == [401, 401, 200]
    (tmp_path / "token").write_text("second-secret-0123456789\n")
    wait_for("the new token", lambda: status("second-secret-0123456789") == 200, 10)
    assert status("first-secret-0123456789") == 401
    assert "secret" not in daemon.process.text()


def test_logs_as_json(quick, shops):
    """One JSON object a line, with rollout and app where it is about one (F90: no secrets)."""
    change(quick, "format: text", "format: json")
    quick.stop()
    os.truncate(quick.process.log, 0)
    quick.restart()
    shop = shops().create()
    quick.apply(fm.quick(shop))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"), why='quote " \n\u2028 \u00e9')
    quick.wait_phase(rid, "succeeded")
    lines = [json.loads(line) for line in quick.process.text().splitlines()]
    about = [line for line in lines if line.get("rollout") == rid]
    assert len(about) > 10 and all(line["app"] == shop.name for line in about)
    assert all({"time", "level"} <= set(line) for line in lines), lines[0]
    mentions = [line for line in lines if rid in json.dumps(line) and "rollout" not in line]
    assert all("/v1/rollouts" in json.dumps(line) for line in mentions), mentions
    assert "Bearer" not in quick.process.text()
