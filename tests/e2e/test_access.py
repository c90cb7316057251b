"""Who may do what: every route with every role, against the real daemon over TCP, and what one of
the ways around a refusal would be."""
import http.client
import json
import os
import re
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile

import fm
import pytest
from harness.daemon import Answer, Daemon
from harness.process import wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FILE_TOKEN = "file-token-0123456789abcdef"

# Written by hand, and not made from the daemon's own table. Columns: see COLUMNS. "yes": it gets
# past the question who may (whatever comes then); a number: how it is refused.
COLUMNS = ("viewer", "deployer", "approver", "admin", "root", "elsewhere", "others",
           "expired", "revoked", "nobody")
EXPECTED = """
GET    /healthz                     yes yes yes yes yes yes yes yes yes yes
GET    /readyz                      yes yes yes yes yes yes yes yes yes yes
GET    /metrics                     yes yes yes yes yes yes yes yes yes yes
GET    /openapi.json                yes yes yes yes yes yes yes yes yes yes
GET    /v1/version                  yes yes yes yes yes yes yes 401 401 401
GET    /v1/clusters                 yes yes yes yes yes yes yes 401 401 401
GET    /v1/mesh                     yes yes yes yes yes yes yes 401 401 401
GET    /v1/audit                    403 403 403 403 yes 403 403 401 401 401
GET    /v1/webhooks                 403 403 403 403 yes 403 403 401 401 401
GET    /v1/apps                     yes yes yes yes yes yes yes 401 401 401
GET    /v1/apps/{app}               yes yes yes yes yes 404 404 401 401 401
PUT    /v1/apps/{app}               403 403 403 yes yes 403 403 401 401 401
DELETE /v1/apps/{app}               403 403 403 yes yes 404 404 401 401 401
GET    /v1/apps/{app}/releases      yes yes yes yes yes 404 404 401 401 401
POST   /v1/apps/{app}/preflight     403 yes 403 yes yes 404 404 401 401 401
GET    /v1/rollouts                 yes yes yes yes yes yes yes 401 401 401
POST   /v1/rollouts                 403 yes 403 yes yes 404 404 401 401 401
GET    /v1/rollouts/{id}            yes yes yes yes yes 404 404 401 401 401
GET    /v1/rollouts/{id}/events     yes yes yes yes yes 404 404 401 401 401
GET    /v1/rollouts/{id}/plan       yes yes yes yes yes 404 404 401 401 401
POST   /v1/plan                     403 yes 403 yes yes 404 404 401 401 401
POST   /v1/rollouts/{id}/promote    403 yes 403 yes yes 404 404 401 401 401
POST   /v1/rollouts/{id}/abort      403 yes yes yes yes 404 404 401 401 401
POST   /v1/rollouts/{id}/pause      403 yes yes yes yes 404 404 401 401 401
POST   /v1/rollouts/{id}/resume     403 yes 403 yes yes 404 404 401 401 401
POST   /v1/rollouts/{id}/retry      403 yes 403 yes yes 404 404 401 401 401
POST   /v1/rollouts/{id}/approve    403 403 yes yes yes 404 404 401 401 401
POST   /v1/tokens                   403 403 403 403 yes 403 403 401 401 401
GET    /v1/tokens                   403 403 403 403 yes 403 403 401 401 401
POST   /v1/tokens/exchange          yes yes yes yes yes yes yes yes yes yes
DELETE /v1/tokens/{id}              403 403 403 403 yes 403 403 401 401 401
"""


def expected():
    table = {}
    for line in EXPECTED.strip().splitlines():
        method, path, *cells = line.split()
        assert len(cells) == len(COLUMNS) and (method, path) not in table, line
        table[method, path] = dict(zip(COLUMNS, cells))
    return table


def routes_of_the_daemon():
    with open(os.path.join(ROOT, "daemon", "api", "routes.c"), encoding="utf-8") as f:
        text = f.read()
    text = text[text.index("api_routes[] = {"):]
    found = set(re.findall(r'ROUTE\(\s*"([A-Z]+)", "(/[^"]*)"', text))
    return found | {("POST", "/v1/rollouts/{id}/" + name)
                    for name in re.findall(r'COMMAND\(\s*"([a-z]+)"', text)}


class Tcp:
    """The daemon by TCP, and by its socket for what prepares a test."""

    def __init__(self, daemon, limits=None):
        self.daemon = daemon
        # One address asks for many: how fast it may is the subject of other tests.
        limits = limits or {"rate": 0, "failedLogins": 0}
        with open(daemon.config, encoding="utf-8") as f:
            text = f.read()
        path = os.path.join(daemon.folder, "token")
        with open(path, "w", encoding="utf-8") as f:
            f.write(FILE_TOKEN)
        os.chmod(path, 0o600)
        with open(daemon.config, "w", encoding="utf-8") as f:
            f.write(text.replace("listen: {", f'listen: {{tcp: "127.0.0.1:0", tokenFile: {path}, ')
                    + f"limits: {json.dumps(limits)}\n")

    @property
    def port(self):
        return int(re.findall(r"\(port (\d+)\)", self.daemon.process.text())[-1])

    def call(self, token, method, path, body=None, headers=None):
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        send = {"Content-Type": "application/json", **(headers or {})}
        if token:
            send["Authorization"] = f"Bearer {token}"
        try:
            conn.request(method, path, None if body is None else json.dumps(body), send)
            answer = conn.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            conn.close()

    def make(self, role, namespaces, apps=("*",), **more):
        """A token: its id and its secret."""
        answer = self.call(FILE_TOKEN, "POST", "/v1/tokens",
                           {"role": role, "namespaces": list(namespaces), "apps": list(apps),
                            **more})
        assert answer.status == 201, answer.text
        assert answer.headers["Location"] == "/v1/tokens/" + answer.json["id"]
        return answer.json["id"], answer.json["token"]


@pytest.fixture
def tcp(make_daemon):
    made = Tcp(make_daemon())
    made.daemon.start()
    return made


def is_problem(answer, status, code, *texts):
    assert answer.status == status and answer.json["code"] == code, answer.text
    for text in texts:
        assert text in answer.json["detail"], answer.text


def age(daemon, token):
    """The token's time is over: its row says so when the daemon comes back."""
    daemon.stop()
    with sqlite3.connect(daemon.database) as db:
        text, = db.execute("SELECT data FROM tokens WHERE token = ?", (token,)).fetchone()
        data = {**json.loads(text), "expires": 1000}
        db.execute("UPDATE tokens SET data = ? WHERE token = ?", (json.dumps(data), token))
    db.close()
    daemon.restart()


@pytest.fixture
def away(make_daemon, tmp_path):
    """One whose cluster cannot be reached: its rollouts stay where they are."""
    path = tmp_path / "kubeconfig"
    path.write_text("{apiVersion: v1, kind: Config, current-context: c, "
                    "clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], "
                    "contexts: [{name: c, context: {cluster: c, user: u}}], "
                    "users: [{name: u, user: {}}]}\n")
    made = Tcp(make_daemon(str(path)))
    made.daemon.start()
    return made


def begin(tcp, name):
    """An app, and a rollout of it; there is no such workload."""
    spec = {"kind": "App", "name": name, "namespace": "shop", "workload": {"name": name},
            "traffic": {"istio": {"virtualService": name}}, "onStart": "refuse",
            "strategy": {"canary": {"weights": [50, 100], "hold": "0s"}}}
    tcp.daemon.apply(spec)
    return spec, tcp.daemon.start_rollout(name, "web:2.0")


def ask(tcp, spec, rid, token, method, path):
    """One that changes nothing, however it is answered: it is allowed or not before it is found
    to be wrong."""
    body, headers = None, {}
    if path.endswith("/preflight") or path.startswith("/v1/rollouts/{id}/") and method == "POST":
        body = {} if path.endswith("/preflight") else {"wrong": 1}
    elif path in ("/v1/rollouts", "/v1/plan") and method == "POST":
        body = {"app": spec["name"], "image": "web:3.0"}
    elif path == "/v1/tokens" and method == "POST":
        body = {"wrong": 1}
    elif path == "/v1/apps/{app}" and method in ("PUT", "DELETE"):
        body, headers = spec if method == "PUT" else None, {"If-Match": '"another"'}
    real = path.replace("{app}", spec["name"])
    real = real.replace("{id}", "zzzzzzzz" if "token" in path else rid)
    return tcp.call(token, method, real, body, headers)


def said(answer):
    if answer.status in (401, 403):
        code = {401: "unauthorized", 403: "forbidden"}[answer.status]
        assert answer.json["code"] == code, answer.text
        return str(answer.status)
    if answer.status == 404 and "there is no token" not in answer.text:
        assert answer.json["code"] == "not_found"
        return "404"
    assert answer.status < 500, answer.text
    return "yes"


def test_every_route_with_every_role(tcp):
    table = expected()
    assert set(table) == routes_of_the_daemon()
    spec, rid = begin(tcp, "web-1")
    here, apps = ["shop"], ["web-*"]
    ids, secrets = {}, {"root": FILE_TOKEN, "nobody": None}
    for role in ("viewer", "deployer", "approver", "admin"):
        ids[role], secrets[role] = tcp.make(role, here, apps)
    ids["elsewhere"], secrets["elsewhere"] = tcp.make("admin", ["shop-not"])
    ids["others"], secrets["others"] = tcp.make("admin", here, ["xweb-*", "web"])
    ids["expired"], secrets["expired"] = tcp.make("admin", ["*"])
    ids["revoked"], secrets["revoked"] = tcp.make("admin", ["*"])
    assert tcp.call(secrets["revoked"], "GET", "/v1/tokens").status == 200
    age(tcp.daemon, ids["expired"])
    gone = tcp.call(FILE_TOKEN, "DELETE", "/v1/tokens/" + ids["revoked"])
    assert gone.status == 204, gone.text
    lines, wrong = [" " * 34 + " ".join(f"{c:9}" for c in COLUMNS)], []
    before = tcp.daemon.events(rid)
    for (method, path), cells in table.items():
        got = {c: said(ask(tcp, spec, rid, secrets[c], method, path)) for c in COLUMNS}
        lines.append(f"{method:6} {path:27} " + " ".join(f"{got[c]:9}" for c in COLUMNS))
        wrong += [f"{method} {path} by {c}: {got[c]}, expected: {cells[c]}"
                  for c in COLUMNS if got[c] != cells[c]]
    print("\n".join(lines))
    assert not wrong, "\n".join(wrong)
    assert tcp.daemon.events(rid) == before
    # Who was kept from what is in the log, and no secret is.
    log = tcp.daemon.process.text()
    assert f"refused: POST /v1/rollouts/{rid}/approve by token:{ids['viewer']}" in log
    assert f"token {ids['expired']} has expired" in log
    assert not [s for s in secrets.values() if s and s[15:] in log]


def test_lists_show_what_may_be_seen(away):
    """Of two apps only one is there for who may see one; the other's rollout is as one that never
    was, word for word."""
    (mine, rid), (other, hidden) = begin(away, "web-1"), begin(away, "web-2")
    _, token = away.make("deployer", ["shop"], [mine["name"]])

    def items(path):
        answer = away.call(token, "GET", path)
        assert answer.status == 200, answer.text
        return answer.json["items"]
    assert [one["name"] for one in items("/v1/apps")] == [mine["name"]]
    assert [one["name"] for one in items("/v1/apps?limit=1")] == [mine["name"]]
    for more in ("", "?live=true", "?limit=1", f"?app={mine['name']}"):
        assert [one["id"] for one in items("/v1/rollouts" + more)] == [rid], more
    assert items(f"/v1/rollouts?app={other['name']}") == []
    never = "r-" + "0" * 26
    for method, end, body in (("GET", "", None), ("GET", "/events", None), ("GET", "/plan", None),
                              ("POST", "/abort", {}), ("POST", "/promote", {"full": True}),
                              ("POST", "/approve", {})):
        there = away.call(token, method, f"/v1/rollouts/{hidden}{end}", body)
        not_there = away.call(token, method, f"/v1/rollouts/{never}{end}", body)
        assert there.status == not_there.status == 404
        assert there.text.replace(hidden, never) == not_there.text
    for method, end, body in (("GET", "", None), ("GET", "/releases", None),
                              ("POST", "/preflight", {})):
        there = away.call(token, method, f"/v1/apps/{other['name']}{end}", body)
        not_there = away.call(token, method, f"/v1/apps/nobody{end}", body)
        assert there.status == not_there.status == 404
        assert there.text.replace(other["name"], "nobody") == not_there.text
    assert not [e for e in away.daemon.events(hidden) if e["kind"] == "command"]


def test_an_app_does_not_move_past_a_refusal(away):
    """Who is admin in one namespace takes no app there from another, and gives none away."""
    spec, _ = begin(away, "web-1")
    _, here = away.make("admin", ["shop"])
    _, there = away.make("admin", ["elsewhere"])
    path = f"/v1/apps/{spec['name']}"
    moved = {**spec, "namespace": "elsewhere"}
    is_problem(away.call(here, "PUT", path, moved), 403, "forbidden", "namespace elsewhere")
    is_problem(away.call(there, "PUT", path, moved), 403, "forbidden", "is taken")
    is_problem(away.call(there, "PUT", path, spec), 403, "forbidden", "namespace shop")
    assert away.daemon.call("GET", path).json["spec"] == spec
    both = away.make("admin", ["shop", "else*"])[1]
    assert away.call(both, "PUT", path, moved).status == 200
    # Its rollouts stay with who had it when they were started.
    assert len(away.call(here, "GET", "/v1/rollouts").json["items"]) == 1
    assert away.call(there, "GET", "/v1/rollouts").json["items"] == []
    assert away.call(here, "GET", path).status == 404


def test_what_was_moved_or_deleted_is_not_shown_by_its_name(away):
    """A name leads from one namespace to another: neither the plan of a rollout that never began,
    nor the releases of an app that was deleted, are for who has the name now or had it once."""
    spec, rid = begin(away, "web-1")
    path = f"/v1/apps/{spec['name']}"
    _, here = away.make("admin", ["shop"])
    _, there = away.make("admin", ["elsewhere"])
    _, both = away.make("admin", ["shop", "elsewhere"])
    moved = {**spec, "namespace": "elsewhere"}
    assert away.call(both, "PUT", path, moved).status == 200
    # Whose rollout it is sees it, and nothing of the app that is elsewhere now.
    assert away.call(here, "GET", f"/v1/rollouts/{rid}").status == 200
    is_problem(away.call(here, "GET", f"/v1/rollouts/{rid}/plan"), 404, "not_found",
               "there is no app")
    assert away.call(both, "PUT", path, spec).status == 200
    assert away.call(here, "POST", f"/v1/rollouts/{rid}/abort", {}).status == 200
    away.daemon.wait_phase(rid, "aborted")
    assert away.call(here, "DELETE", path).status == 204
    # Its releases outlive it, and do not go to who takes its name in another namespace.
    is_problem(away.call(there, "PUT", path, moved), 403, "forbidden", "was that of an app")
    assert away.call(there, "GET", path + "/releases").status == 404
    assert away.call(here, "PUT", path, spec).status == 201
    release, = away.call(here, "GET", path + "/releases").json["items"]
    assert release["image"] == "web:2.0"


def test_nobody_approves_what_they_started(tcp, shops):
    """Not by name, not by going past the approval, and not after a restart; another one does."""
    shop = shops().create()
    spec = fm.quick(shop, selfApproval=False)
    spec["strategy"] = {"canary": {"stages": [{"weight": 50, "approve": True}, {"weight": 100}],
                                   "drain": "0s", "steady": "100ms"}}
    tcp.daemon.apply(spec)
    rid = tcp.daemon.start_rollout(shop.name, "web:2.0")
    tcp.daemon.wait_blocked(rid, "approve")
    daemon = tcp.daemon
    uid = f"uid={os.getuid()}"
    refusals = (("approve", {}), ("promote", {}), ("promote", {"full": True}))
    for round_ in range(2):
        for name, body in refusals:
            answer = daemon.call("POST", f"/v1/rollouts/{rid}/{name}", body,
                                 {"X-Airis-Actor": "somebody else"})
            is_problem(answer, 409, "conflict", "started by the same " + uid, "selfApproval: true")
        if round_ == 0:
            daemon.kill()
            daemon.restart()
            daemon.wait_blocked(rid, "approve")
    _, deployer = tcp.make("deployer", [shop.namespace])
    _, approver = tcp.make("approver", [shop.namespace])
    for body in ({}, {"full": True}):
        is_problem(tcp.call(deployer, "POST", f"/v1/rollouts/{rid}/promote", body), 403,
                   "forbidden", "approver or admin")
    assert not [e for e in daemon.events(rid) if e["kind"] == "command"]
    assert tcp.call(approver, "POST", f"/v1/rollouts/{rid}/approve", {}).status == 200
    daemon.wait_phase(rid, "succeeded")
    created = daemon.events(rid)[0]
    assert created["kind"] == "created" and created["data"]["starter"] == uid


def test_who_may_not_go_on_may_stop(away):
    _, rid = begin(away, "web-1")
    _, approver = away.make("approver", ["shop"])
    assert away.call(approver, "POST", f"/v1/rollouts/{rid}/abort", {}).status == 200
    assert away.daemon.rollout(rid)["phase"] in ("aborting", "aborted")


def test_a_token_from_its_beginning_to_its_end(tcp):
    """Its secret is in one answer and nowhere else; a kill -9 keeps it; revoked, it is nothing."""
    daemon = tcp.daemon
    id_, secret = tcp.make("viewer", ["shop", "mon-*"], note="for the wall")
    assert re.fullmatch(r"airis_[a-z0-9]{8}_[A-Za-z0-9]{32}_[A-Za-z0-9]{6}", secret)
    assert secret.split("_")[1] == id_
    # On the socket, too, it says who one is: it was sent on purpose.
    for call in (lambda: tcp.call(secret, "GET", "/v1/tokens"),
                 lambda: daemon.call("GET", "/v1/tokens", None,
                                     {"Authorization": f"Bearer {secret}"})):
        is_problem(call(), 403, "forbidden", f"token:{id_}", "role admin",
                   "viewer (namespaces shop")
    daemon.kill()
    daemon.restart()
    assert tcp.call(secret, "GET", "/v1/version").status == 200
    listed, = tcp.call(FILE_TOKEN, "GET", "/v1/tokens").json["items"]
    assert listed["id"] == id_ and listed["note"] == "for the wall" and listed["used"]
    assert listed["namespaces"] == ["shop", "mon-*"] and listed["apps"] == ["*"]
    # None that is not exactly it lets in, and all of them are refused in the same words.
    flip = "B" if secret[20] != "B" else "C"
    others = [secret[:-1], secret[:20] + flip + secret[21:], secret + "x", secret.lower(),
              "airis_", "airis_zzzzzzzz_" + "A" * 32 + "_000000", "nonsense"]
    answers = {tcp.call(other, "GET", "/v1/version").text for other in others}
    assert len(answers) == 1 and "unauthorized" in answers.pop()
    path = "/v1/tokens/" + id_
    assert tcp.call(FILE_TOKEN, "DELETE", path).status == 204
    assert tcp.call(secret, "GET", "/v1/version").status == 401
    is_problem(tcp.call(FILE_TOKEN, "DELETE", path), 404, "not_found", id_)
    for name in os.listdir(daemon.folder):
        if name.startswith("airis") and not name.endswith(".sock"):
            with open(os.path.join(daemon.folder, name), "rb") as f:
                assert secret[15:47].encode() not in f.read(), name


def test_what_a_token_may_not_be(tcp):
    good = {"role": "viewer", "namespaces": ["shop"]}
    for change, text in (({"role": "boss"}, "approver"), ({"namespaces": []}, "list of 1 to 16"),
                         ({"namespaces": ["Shop"]}, "a-z"), ({"expires": "367d"}, "366d"),
                         ({"expires": "1s"}, "1m"), ({"apps": "web"}, "list of 1 to 16"),
                         ({"secret": "x"}, "secret")):
        answer = tcp.call(FILE_TOKEN, "POST", "/v1/tokens", {**good, **change})
        assert answer.status == 422 and text in answer.text, answer.text
    assert tcp.call(FILE_TOKEN, "GET", "/v1/tokens").json["items"] == []


def test_a_stream_ends_with_its_token(away):
    _, rid = begin(away, "web-1")
    id_, secret = away.make("viewer", ["shop"])
    conn = http.client.HTTPConnection("127.0.0.1", away.port, timeout=30)
    conn.request("GET", f"/v1/rollouts/{rid}/events", None,
                 {"Accept": "text/event-stream", "Authorization": f"Bearer {secret}"})
    answer = conn.getresponse()
    assert answer.status == 200 and answer.readline() == b": airisd\n"
    assert away.call(FILE_TOKEN, "DELETE", "/v1/tokens/" + id_).status == 204
    assert b": who asked may not see it any more" in answer.read()
    conn.close()


def test_a_key_opens_nothing_elsewhere(away):
    """An Idempotency-Key is the daemon's: who sends that of somebody else's start, of an app that
    has moved since, learns nothing of it."""
    spec, rid = begin(away, "web-1")
    path, body = f"/v1/apps/{spec['name']}", {"app": "web-1", "image": "web:3.0"}
    key = {"Idempotency-Key": "run-17"}
    _, here = away.make("admin", ["shop"])
    _, there = away.make("admin", ["elsewhere"])
    _, both = away.make("admin", ["shop", "elsewhere"])
    assert away.call(here, "POST", f"/v1/rollouts/{rid}/abort", {}).status == 200
    away.daemon.wait_phase(rid, "aborted")
    started = away.call(here, "POST", "/v1/rollouts", body, key)
    assert started.status == 201, started.text
    moved = {**spec, "namespace": "elsewhere"}
    assert away.call(both, "PUT", path, moved).status == 200
    for wait in ("", "?wait=1s"):
        answer = away.call(there, "POST", "/v1/rollouts" + wait, body, key)
        is_problem(answer, 409, "key_reused", "take a new one")
        assert started.json["id"] not in answer.text and "shop" not in answer.text
        again = away.call(both, "POST", "/v1/rollouts" + wait, body, key)
        assert (again.status, again.json["id"]) == (200, started.json["id"])


def test_a_stream_ends_with_the_token_files_token(away):
    """Nobody asks anything meanwhile: that the file has changed is noticed all the same."""
    _, rid = begin(away, "web-1")
    conn = http.client.HTTPConnection("127.0.0.1", away.port, timeout=30)
    conn.request("GET", f"/v1/rollouts/{rid}/events", None,
                 {"Accept": "text/event-stream", "Authorization": f"Bearer {FILE_TOKEN}"})
    answer = conn.getresponse()
    assert answer.status == 200 and answer.readline() == b": airisd\n"
    with open(os.path.join(away.daemon.folder, "token"), "w", encoding="utf-8") as f:
        f.write("the-next-one-0123456789")
    assert b": who asked may not see it any more" in answer.read()
    conn.close()


def test_airisctl_makes_lists_and_revokes(quick, tmp_path):
    out = tmp_path / "secret"
    quick.ctl("token", "create", "--role", "deployer", "--namespaces", "shop,mon-*", "--apps", "w*",
              "--note", "pipeline", "--expires", "30d", "--out", str(out), check=0)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    secret = out.read_text().strip()
    again = quick.ctl("token", "create", "--role", "viewer", "--namespaces", "*", "--out", str(out),
                      check=2)
    assert "File exists" in again.stderr and out.read_text().strip() == secret
    shown = quick.ctl("token", "create", "--role", "viewer", "--namespaces", "*", check=0)
    assert len(re.findall(r"airis_\w{8}_\w{32}_\w{6}", shown.stdout)) == 1 and not shown.stderr
    made = json.loads(quick.ctl("token", "create", "--role", "viewer", "--namespaces", "*", "-o",
                                "json", check=0).stdout)
    assert made["token"].startswith("airis_" + made["id"])
    listed = quick.ctl("token", "list", check=0).stdout
    assert listed.count("viewer") == 2 and "shop,mon-*" in listed and "pipeline" in listed
    assert secret not in listed and made["token"] not in listed
    # With it airisctl is that token, also on the socket.
    quick.ctl("--token-file", str(out), "app", "list", check=0)
    refused = quick.ctl("--token-file", str(out), "token", "list", check=6)
    assert "403 forbidden" in refused.stderr and secret not in refused.stderr
    quick.ctl("token", "revoke", secret.split("_")[1], check=0)
    assert quick.ctl("--token-file", str(out), "app", "list", check=6).stdout == ""
    quick.ctl("token", "revoke", "zzzzzzzz", check=6)


CLIENT = """
import json, socket, sys, http.client
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])
for path in sys.argv[2:]:
    conn = Unix("airisd", timeout=20)
    conn.request("GET", path)
    answer = conn.getresponse()
    print(answer.status, answer.read().decode().strip().replace("\\n", " "))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_the_sockets_peer_is_known(quick_lab):
    """Without a list whoever opens the socket is admin; with one, who is on it has what it says,
    and the others nothing. SIGHUP takes it over."""
    folder = tempfile.mkdtemp(prefix="airis-access-")
    os.chmod(folder, 0o755)
    daemon = Daemon(folder, quick_lab.kubeconfig)
    with open(daemon.config, encoding="utf-8") as f:
        base = f.read().replace("listen: {", 'listen: {socketMode: "0666", ')

    def settings(more):
        with open(daemon.config, "w", encoding="utf-8") as f:
            f.write(base + more)

    def ask_as(uid, *paths):
        done = subprocess.run([sys.executable, "-c", CLIENT, daemon.socket, *paths], user=uid,
                              capture_output=True, text=True, timeout=60, check=True)
        return [line.split(" ", 1) for line in done.stdout.splitlines()]

    def until(uid, path, status):
        def look():
            assert ask_as(uid, path)[0][0] == status
            return True
        wait_for(f"{path} by {uid}: {status}", look, 30)
    settings("")
    daemon.start()
    try:
        assert [a[0] for a in ask_as(65534, "/v1/apps", "/v1/tokens")] == ["200", "200"]
        settings("access: [{user: 12345, role: viewer}, {user: daemon, role: viewer}]\n")
        daemon.process.popen.send_signal(1)
        until(65534, "/v1/apps", "403")
        (status, text), version = ask_as(65534, "/v1/apps", "/v1/version")
        assert version[0] == "200" and "uid=65534 may not look here" in text and "none" in text
        assert [a[0] for a in ask_as(12345, "/v1/apps", "/v1/tokens")] == ["200", "403"]
        assert ask_as(1, "/v1/apps")[0][0] == "200"
        assert daemon.call("GET", "/v1/tokens").status == 200
        # A mistake changes nothing, and is said.
        settings("access: [{user: nobody-of-this-name, role: viewer}]\n")
        daemon.process.popen.send_signal(1)
        wait_for("the mistake", lambda: "nobody-of-this-name" in daemon.process.text(), 30)
        assert ask_as(65534, "/v1/apps")[0][0] == "403"
        assert ask_as(12345, "/v1/apps")[0][0] == "200"
    finally:
        daemon.stop()


def test_another_token_file(tcp):
    """SIGHUP takes it over, as --print-config shows it, and the one before counts no more."""
    daemon, other = tcp.daemon, "another-token-0123456789"
    path = os.path.join(daemon.folder, "other")
    with open(path, "w", encoding="utf-8") as f:
        f.write(other + "\n")
    os.chmod(path, 0o600)
    with open(daemon.config, encoding="utf-8") as f:
        text = f.read()
    with open(daemon.config, "w", encoding="utf-8") as f:
        f.write(text.replace(os.path.join(daemon.folder, "token"), path))
    daemon.process.popen.send_signal(signal.SIGHUP)
    wait_for("the other token", lambda: tcp.call(other, "GET", "/v1/version").status == 200)
    assert tcp.call(FILE_TOKEN, "GET", "/v1/version").status == 401


def test_who_tried_what_is_in_the_audit(away):
    """What may not be done and would have changed something, about which app, by whom for certain;
    what only looks is not. And tokens: made, and revoked."""
    spec, rid = begin(away, "web")
    id_, viewer = away.make("viewer", ["shop"])
    other, stranger = away.make("admin", ["elsewhere"])
    for method, path, body in (
            ("POST", "/v1/rollouts", {"app": "web", "image": "web:3.0"}),
            ("POST", f"/v1/rollouts/{rid}/approve", {}),
            ("PUT", "/v1/apps/web", spec),
            ("POST", "/v1/tokens", {}),
            ("POST", "/v1/apps/web/preflight", {})):
        assert away.call(viewer, method, path, body).status == 403, path
    assert away.call(stranger, "POST", f"/v1/rollouts/{rid}/abort", {}).status == 404
    assert away.call(stranger, "GET", f"/v1/rollouts/{rid}").status == 404
    assert away.call(FILE_TOKEN, "DELETE", "/v1/tokens/" + id_).status == 204

    def denied():
        found = away.call(FILE_TOKEN, "GET", "/v1/audit?limit=500").json["items"]
        return [row for row in found if row["outcome"].startswith("denied: ")]
    wait_for("the rows", lambda: len(denied()) >= 5)
    assert [(r["what"], r["namespace"], r["app"], r["rollout"], r["id"]) for r in denied()] == [
        ("start", "", "", "", "token:" + id_),  # before its body is looked at
        ("approve", "shop", "web", rid, "token:" + id_),
        ("app put", "shop", "web", "", "token:" + id_),
        ("token create", "", "", "", "token:" + id_),
        ("abort", "shop", "web", rid, "token:" + other)]
    made = away.call(FILE_TOKEN, "GET", "/v1/audit?limit=500").json["items"]
    made = [(r["what"], r["detail"][:8], r["outcome"]) for r in made if "token" in r["what"]]
    assert ("token create", id_, "created") in made and ("token revoke", id_, "revoked") in made
