"""Bad input: a clear error that names the field and what is allowed, nothing changed, and the daemon
lives on. One daemon for all of it; whoever stops it fails the tests that follow."""
import json
import os
import random
import socket

import pytest

import fm
from harness.process import wait_for

GOOD = {
    "kind": "App", "name": "web", "namespace": "shop",
    "workload": {"kind": "Deployment", "name": "web"},
    "traffic": {"istio": {"virtualService": "web"}},
    "strategy": {"canary": {"weights": [10, 50, 100], "hold": "1m"}},
    "gates": [{"name": "ok", "prometheus": {"query": "vector(1)", "pass": ">= 0.9"}}],
}


@pytest.fixture(scope="module")
def daemon(quick_lab, tmp_path_factory):
    from conftest import stop_well
    from harness.daemon import Daemon
    made = Daemon(str(tmp_path_factory.mktemp("input")), quick_lab.kubeconfig,
                  "http://127.0.0.1:9", settle="400ms").start()
    try:
        made.apply(GOOD)
        yield made
        assert made.call("GET", "/v1/apps").json["items"][0]["spec"]["name"] == "web"
    finally:
        stop_well(made)


def everything(daemon):
    """What must not change."""
    return (daemon.call("GET", "/v1/apps").text, daemon.call("GET", "/v1/rollouts").text,
            daemon.call("GET", "/v1/apps/web/releases").text)


@pytest.fixture(autouse=True)
def nothing_changes(daemon, request):
    before = everything(daemon)
    yield
    assert daemon.process.alive(), daemon.process.text()[-3000:]
    if "shops" not in request.fixturenames:
        assert everything(daemon) == before


def with_path(path, value):
    """GOOD with one thing changed; path: keys and indices; value `...`: the key is removed."""
    app = json.loads(json.dumps(GOOD))
    at = app
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return app


def name_of(path):
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).lstrip(".")


CANARY = ("strategy", "canary")
PROM = ("gates", 0, "prometheus")
WRONG_APPS = [
    # path, value, where it is told (None: there), what is said
    (("colour",), "red", None, "name"),
    (("workload", "kin"), "x", None, "kind"),
    (("gates", 0, "warm-up"), "1s", None, "warmup"),
    (("name",), 5, None, "a-z"), (("name",), "Web", None, "a-z"), (("name",), "-web", None, "a-z"),
    (("name",), "w" * 64, None, "63"), (("name",), "other", None, "same"),
    (("namespace",), ..., None, "is missing"), (("namespace",), "", None, ""),
    (("namespace",), None, None, ""), (("namespace",), ["shop"], None, ""),
    (("kind",), "Job", None, "App"), (("workload", "kind"), "ReplicaSet", None, "DaemonSet"),
    (("workload", "kind"), "StatefulSet", "strategy.canary", "give rolling"),
    (("workload",), "web", None, ""), (("workload", "name"), "we b", None, ""),
    (("traffic",), ..., None, "is missing"), (("traffic", "istio"), [], None, ""),
    (("traffic", "istio", "mode"), "both", None, "subset"),
    (("traffic", "istio", "routes"), [], None, ""),
    (("traffic", "istio", "routes"), ["a"] * 17, None, "16"),
    (("strategy",), {}, "strategy.canary", "is missing"),
    (CANARY + ("weights",), [], None, ""), (CANARY + ("weights",), [0], None, "1"),
    (CANARY + ("weights",), [50, 10], None, "rise"), (CANARY + ("weights",), [10, 10], None, ""),
    (CANARY + ("weights",), [101], None, "100"), (CANARY + ("weights",), [10.5], None, ""),
    (CANARY + ("weights",), ["10"], None, ""), (CANARY + ("weights",), 10, None, ""),
    (CANARY + ("weights",), list(range(1, 34)), None, "32"),
    (CANARY + ("hold",), "5", None, "1m30s"), (CANARY + ("hold",), 5, None, "1m30s"),
    (CANARY + ("hold",), "-1s", None, ""), (CANARY + ("hold",), "31d", None, "30d"),
    (CANARY + ("hold",), "99999999999999999999h", None, ""),
    (CANARY + ("deadline",), "0s", None, "1s"),
    (CANARY + ("abortCapacity",), 0, None, "1"), (CANARY + ("abortCapacity",), 101, None, "100"),
    (("gates",), {}, None, ""), (("gates",), [None], "gates[0]", ""),
    (("gates",), [GOOD["gates"][0]] * 2, None, "ok"),
    (("gates", 0, "every"), "10ms", None, "100ms"),
    (("gates", 0, "failures"), -1, None, "0"), (("gates", 0, "failures"), True, None, ""),
    (("gates", 0, "onDeadline"), "promote", None, "pause"),
    (PROM + ("pass",), "0.9", None, ">="), (PROM + ("pass",), ">= many", None, "number"),
    (PROM + ("pass",), ">= NaN", None, ""), (PROM + ("pass",), ..., None, "is missing"),
    (PROM + ("source",), "thanos", None, "prometheus"),
    (PROM + ("url",), "http://evil", None, "query"),
    (PROM + ("query",), "", None, ""), (PROM + ("query",), "x" * 9000, None, "8192"),
    (PROM + ("query",), "{{canary", None, ""), (PROM + ("query",), "{{evil}}", None, "canary"),
    (PROM + ("empty",), "fail", None, "no_data"), (PROM + ("reduce",), "median", None, "max"),
    (PROM + ("samples",), {"query": "x"}, PROM + ("samples", "min"), "is missing"),
    (("cluster",), "mars", None, "clusters"), (("onEdit",), "shrug", None, "repair"),
    (("onStart",), "now", None, "supersede"),
]


def put(daemon, body, content_type="application/json", name="web"):
    return daemon.call("PUT", f"/v1/apps/{name}", body, {"Content-Type": content_type})


def check_problem(answer, status):
    """problem+json that says what to do."""
    assert answer.status == status, answer.text
    assert answer.headers["Content-Type"].startswith("application/problem+json")
    problem = answer.json
    assert problem["status"] == status and problem["title"] and problem["code"]
    assert 10 < len(problem["detail"]) < 2000
    return problem


@pytest.mark.parametrize("path, value, where, words", WRONG_APPS,
                         ids=[f"{name_of(w[0])}={str(w[1])[:20]!r}" for w in WRONG_APPS])
def test_wrong_app(path, value, where, words, daemon):
    where = name_of(path) if where is None else where if isinstance(where, str) else name_of(where)
    problem = check_problem(put(daemon, json.dumps(with_path(path, value))), 422)
    told = [e for e in problem["errors"] if e["path"].startswith(where)]
    assert told, problem["errors"]
    assert words in told[0]["detail"], told
    assert len(told[0]["detail"]) < 1000


def test_all_mistakes_at_once_with_lines(daemon):
    """As YAML, each with its line."""
    text = ("kind: App\nname: web\nnamespace: Shop\nworkload:\n  name: web\n  colour: red\n"
            "traffic:\n  istio: {virtualService: web, mode: x}\n"
            "strategy:\n  canary:\n    weights: [10, 5]\n    hold: soon\n")
    problem = check_problem(put(daemon, text, "application/yaml"), 422)
    lines = {(e["path"].split("[")[0], e["line"]) for e in problem["errors"]}
    for path, line in (("namespace", 3), ("workload.colour", 6), ("traffic.istio.mode", 8),
                       ("strategy.canary.hold", 12)):
        assert (path, line) in lines, lines


YAML = "application/yaml"
JSON = "application/json"
MALFORMED = [
    (JSON, b""), (JSON, b"{"), (JSON, b'{"name": "web",}'), (JSON, b"[]"), (JSON, b"null"),
    (JSON, b'"web"'), (JSON, b"{} {}"), (JSON, b'{"name": "web", "name": "web"}'),
    (JSON, b'{"name": "\xff\xfe"}'), (JSON, b'{"name": "\\ud800"}'), (JSON, b'{"name": NaN}'),
    (JSON, b"[" * 100000), (JSON, b'{"a":' * 5000 + b"1" + b"}" * 5000),
    (JSON, b'{"n": 1e99999}'), (JSON, b'{"weights": [' + b"9" * 40 + b"]}"), (JSON, b'{"a": "1m\\u0000"}'),
    (JSON, b'{"\\u0000": 1}'), (JSON, b"\x00" * 100),
    (YAML, b""), (YAML, b"a: [1"), (YAML, b"\t- x"), (YAML, b"a: 1\na: 2\n"), (YAML, b"- web"),
    (YAML, b"name: \xff\xfe"), (YAML, b"%YAML 9.9\n---\nname: web"), (YAML, b"--- 1\n--- 2\n"),
    (YAML, b"a: &x [*x]\n"), (YAML, b"a: *nobody\n"), (YAML, b"? {}\n: 1\n"),
    (YAML, b"!!python/object:os.system x"), (YAML, b"[" * 10000), (YAML, b"\x00"),
    (YAML, b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\nd: [*c,*c]\n"),
]


@pytest.mark.parametrize("content_type, body", MALFORMED,
                         ids=[f"{t[-4:]}-{i}" for i, (t, _) in enumerate(MALFORMED)])
def test_malformed(content_type, body, daemon):
    answer = put(daemon, body, content_type)
    assert answer.status in (400, 422), answer.text
    check_problem(answer, answer.status)


def test_types_and_sizes_of_bodies(daemon):
    assert check_problem(put(daemon, "name: web", "text/plain"), 415)["code"] == \
        "unsupported_media_type"
    huge = json.dumps({**GOOD, "comment": "x" * 300000})
    try:
        problem = check_problem(put(daemon, huge), 413)
        assert problem["code"] == "too_large" and "262144" in problem["detail"]
    except OSError:
        pass  # it may hang up on who goes on sending
    assert daemon.call("GET", "/healthz").status == 200


@pytest.mark.parametrize("body, path, words", [
    ({}, "app", "is missing"), ({"app": "web"}, "image", "missing"), ({"app": 1}, "app", "a-z"),
    ({"app": "web", "image": ""}, "image", ""), ({"app": "web", "image": "a b"}, "image", "such as"),
    ({"app": "web", "image": 5}, "image", ""), ({"app": "web", "image": "x:1", "to": 1}, "to", "undo"),
    ({"app": "web", "image": "x" * 2000}, "image", ""),
    ({"app": "web", "image": "x:1", "undo": True}, "image", "undo"),
    ({"app": "web", "undo": "yes"}, "undo", ""), ({"app": "web", "undo": True, "to": 0}, "to", "1"),
    ({"app": "web", "image": "x:1", "why": "\u0007"}, "why", "control"),
    ({"app": "web", "image": "x:1", "why": "w" * 10000}, "why", ""),
    ({"app": "web", "image": "x:1", "commit": ["a"]}, "commit", ""),
    ({"app": "web", "image": "x:1", "force": True}, "force", "image"),
])
def test_wrong_start(body, path, words, daemon):
    problem = check_problem(daemon.call("POST", "/v1/rollouts", body), 422)
    told = [e for e in problem["errors"] if e["path"] == path]
    assert told and words in told[0]["detail"], problem


def test_start_of_what_is_not_there(daemon):
    problem = check_problem(daemon.call("POST", "/v1/rollouts",
                                        {"app": "nobody", "image": "x:1"}), 404)
    assert "nobody" in problem["detail"] or "app" in problem["detail"]
    problem = check_problem(daemon.call("POST", "/v1/rollouts", {"app": "web", "undo": True}), 409)
    assert "undo" in problem["detail"]
    problem = check_problem(daemon.call("POST", "/v1/plan", {"app": "nobody", "image": "x:1"}), 404)
    for key in ("", "k" * 300, "a b", "\u00e9"):
        answer = daemon.call("POST", "/v1/rollouts", {"app": "web", "image": "x:1"},
                             {"Idempotency-Key": key.encode()})
        assert "Idempotency-Key" in check_problem(answer, 400)["detail"]


ID = "r-01hzzzzzzzzzzzzzzzzzzzzzzz"


@pytest.mark.parametrize("method, path, status", [
    ("GET", f"/v1/rollouts/{ID}", 404), ("GET", "/v1/rollouts/web", 404),
    ("GET", "/v1/rollouts/r-", 404), ("GET", "/v1/rollouts/r-" + "0" * 300, 404),
    ("GET", f"/v1/rollouts/{ID}/events", 404), ("GET", f"/v1/rollouts/{ID}/plan", 404),
    ("GET", f"/v1/rollouts/{ID}/secrets", 404), ("POST", f"/v1/rollouts/{ID}/abort", 404),
    ("POST", f"/v1/rollouts/{ID}/explode", 404), ("PATCH", f"/v1/rollouts/{ID}", 405),
    ("DELETE", "/v1/rollouts", 405), ("PUT", "/healthz", 405), ("GET", "/v1/apps/nobody", 404),
    ("DELETE", "/v1/apps/nobody", 404), ("GET", "/v1/apps/NOBODY", 404),
    ("GET", "/v1/apps/nobody/releases", 404), ("GET", "/", 404), ("GET", "/v2/apps", 404),
    ("GET", "/v1/apps/", 404), ("GET", "/v1//apps", 404), ("GET", "/v1/apps/..%2f..", 404),
    ("GET", "/v1/apps/%00", 400), ("GET", "/v1/apps/%ff%fe", 400),
    ("GET", "/v1/rollouts?limit=0", 400), ("GET", "/v1/rollouts?limit=1e3", 400),
    ("GET", "/v1/rollouts?limit=99999999999999999999", 400), ("GET", "/v1/rollouts?limit=", 400),
    ("GET", "/v1/rollouts?limit=5&limit=6", 400), ("GET", "/v1/rollouts?page=2", 400),
    ("GET", "/v1/rollouts?phase=done", 400), ("GET", "/v1/rollouts?live=yes", 400),
    ("GET", "/v1/rollouts?before=yesterday", 400), ("GET", "/v1/apps/web/releases?before=-1", 400),
    ("GET", "/v1/apps?limit=%0", 400),
])
def test_wrong_requests(method, path, status, daemon):
    problem = check_problem(daemon.call(method, path), status)
    if status == 400 and "?" in path and "%" not in path:
        assert path.split("?")[1].split("=")[0] in problem["detail"]


def test_wrong_commands(daemon, quick_lab, shops):
    """In a state that does not allow it: 409, the phase and what to do instead; then bodies."""
    shop = shops().create()
    daemon.apply(fm.quick(shop, canary={"hold": "60s"}))
    rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
    daemon.wait_weight(rid, 50)
    for name, body, path in (("promote", {"full": "yes"}, "full"), ("abort", {"full": True}, "full"),
                             ("pause", {"reason": 5}, "reason"),
                             ("abort", {"reason": "r" * 10000}, "reason")):
        problem = check_problem(daemon.command(rid, name, **body), 422)
        assert problem["errors"][0]["path"] == path
    refused = check_problem(daemon.call("DELETE", f"/v1/apps/{shop.name}"), 409)
    assert rid in refused["detail"]
    assert daemon.rollout(rid)["phase"] == "progressing"
    assert daemon.command(rid, "resume").status == 200, "it is so already"
    assert daemon.command(rid, "abort").status == 200
    daemon.wait_phase(rid, "aborted")
    for name in ("pause", "resume", "promote", "approve", "retry"):
        problem = check_problem(daemon.command(rid, name), 409)
        assert "aborted" in problem["detail"] and problem["code"] == "conflict"
    assert daemon.call("DELETE", f"/v1/apps/{shop.name}").status == 204


def raw(daemon, data, timeout=5):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(daemon.socket)
        try:
            s.sendall(data)
            s.shutdown(socket.SHUT_WR)
            got = b""
            while True:
                part = s.recv(65536)
                if not part:
                    return got
                got += part
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            return b""


@pytest.mark.parametrize("data", [
    b"\r\n" * 1000, b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
    b"GET /v1/apps HTTP/1.1\r\n" + b"X: y\r\n" * 10000 + b"\r\n",
    b"GET /v1/apps HTTP/1.1\r\nX: " + b"y" * 200000 + b"\r\n\r\n",
    b"GET /" + b"a" * 200000 + b" HTTP/1.1\r\n\r\n",
    b"PUT /v1/apps/web HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n{}",
    b"PUT /v1/apps/web HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n{}",
    b"PUT /v1/apps/web HTTP/1.1\r\nHost: x\r\nContent-Length: 500\r\n\r\n{",
    b"PUT /v1/apps/web HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
    b"PUT /v1/apps/web HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
    b"Content-Length: 4\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
    b"GET /v1/apps HTTP/1.1\r\nHost: x\r\nX-Airis-Actor: " + b"\x01\x02\r\n\r\n",
])
def test_bytes_that_are_no_request(data, daemon):
    answer = raw(daemon, data)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    assert daemon.call("GET", "/healthz").status == 200


def test_garbage_by_chance(daemon):
    """The same seed each time: bytes of a good app changed at random."""
    chance = random.Random(7)
    good = json.dumps(GOOD).encode()
    for _ in range(300):
        body = bytearray(good)
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(len(body))
            what = chance.randrange(3)
            if what == 0:
                body[at] = chance.randrange(256)
            elif what == 1:
                del body[at:at + chance.randint(1, 8)]
            else:
                body[at:at] = bytes(chance.choices(b'{}[]",:0-9e\\\x00\xff', k=3))
        # Another name: what happens to be good does not count.
        answer = put(daemon, bytes(body), chance.choice([JSON, YAML]), name="chance")
        assert answer.status in (400, 422), (bytes(body), answer.text)


def test_connections_are_bounded(daemon):
    """Many that say nothing do not keep the others out for long."""
    idle = []
    for _ in range(300):
        s = socket.socket(socket.AF_UNIX)
        s.setblocking(False)
        try:
            s.connect(daemon.socket)
        except BlockingIOError:
            s.close()
            break
        idle.append(s)
    assert len(os.listdir(f"/proc/{daemon.process.pid}/fd")) < 400
    for s in idle:
        s.close()
    wait_for("an answer", lambda: daemon.call("GET", "/healthz").status == 200, 20)


@pytest.mark.parametrize("args, code, words", [
    (("app", "apply", "-f", "/nowhere.yaml"), 2, "/nowhere.yaml"),
    (("app", "get", "nobody"), 6, "nobody"), (("rollout", "status", "nobody"), 6, "nobody"),
    (("rollout", "start", "web"), 2, "--image"), (("rollout", "abort", ID), 6, "no rollout"),
    (("rollout", "start", "web", "--image", "a b"), 6, "image"),
])
def test_airisctl_tells_it(args, code, words, daemon):
    done = daemon.ctl(*args)
    assert done.returncode == code and words in done.stderr, (done.returncode, done.stderr)


def test_airisctl_tells_lines_of_the_file(daemon, tmp_path):
    path = tmp_path / "app.yaml"
    path.write_text("kind: App\nname: web\nnamespace: shop\nworkload: {name: web}\n"
                    "traffic: {istio: {virtualService: web}}\n"
                    "strategy:\n  canary:\n    weights: [500]\n")
    done = daemon.ctl("app", "apply", "-f", str(path))
    assert done.returncode == 6 and f"{path}:8" in done.stderr and "weights" in done.stderr
