"""The audit: who did what, and what was done to the rows afterwards. The hashes are computed here
again, by Python, from what the API says."""
import json
import os
import re
import socket
import sqlite3
import subprocess

import pytest

import fm
from harness.audit import chained
from harness.daemon import Daemon
from harness.process import BUILD, wait_for

OK = re.compile(r"ok: (\d+) rows, head ([0-9a-f]{64}@\d+)\n")


def audit(daemon, query=""):
    answer = daemon.call("GET", "/v1/audit?limit=500" + query)
    assert answer.status == 200, answer.text
    return answer.json


def rows(daemon, **wanted):
    return [row for row in audit(daemon)["items"]
            if all(row[name] == value for name, value in wanted.items())]


def verify(daemon, *args, check=0):
    done = daemon.ctl("audit", "verify", *args, check=check)
    return done.stdout if check == 0 else done.stderr


@pytest.fixture(scope="module")
def used(quick_lab, tmp_path_factory):
    """A daemon with one rollout that has succeeded; `rid`, of `shop`."""
    shops = fm.Shops(quick_lab)
    shop = shops().create()
    daemon = Daemon(str(tmp_path_factory.mktemp("audit")), quick_lab.kubeconfig,
                    settle="400ms").start()
    daemon.apply(fm.quick(shop))
    daemon.shop = shop
    daemon.rid = daemon.start_rollout(shop.name, shop.image_of("2.0"), why="monday")
    daemon.wait_phase(daemon.rid, "succeeded")
    yield daemon
    status, _ = daemon.stop()
    shops.remove()
    assert status == 0


def tamper(daemon, sql):
    """As somebody would who may write the file."""
    db = sqlite3.connect(daemon.database)
    db.executescript("DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete;" + sql)
    db.close()


def test_a_rollout_has_its_rows(used):
    """From start to end: the start with its reason, each act with its outcome, and the chain."""
    quick, shop, rid = used, used.shop, used.rid
    page = audit(quick)
    items = page["items"]
    assert [row["seq"] for row in items] == list(range(1, len(items) + 1))
    assert items[0]["what"] == "begin" and items[0]["detail"] == "the database is new"
    assert list(chained(page["chain"], items)) == [row["hash"] for row in items]
    assert page["head"] == {"seq": items[-1]["seq"], "hash": items[-1]["hash"]}
    put, = rows(quick, what="app put")
    assert put["outcome"] == "created" and put["app"] == shop.name
    start, = rows(quick, what="start")
    me = f"uid={os.getuid()}"
    assert (start["who"], start["id"]) == (me, me) and start["from"].startswith(me + " pid=")
    assert start["why"] == "monday" and start["rollout"] == rid
    assert shop.image_of("2.0") in start["detail"] and start["namespace"] == shop.namespace
    acted = [e for e in quick.events(rid) if e["kind"] == "acted"]
    effects = [row for row in items if row["what"].startswith(("act ", "seen "))]
    assert len(effects) == len(acted)
    assert [row["outcome"].split(":")[0] for row in effects] == \
        [e["data"]["outcome"] for e in acted]
    assert "canary weight" in " ".join(row["detail"] for row in effects)
    assert {row["who"] for row in effects} == {"airisd"}
    # What was refused, and by whom; reads leave no row.
    before = len(audit(quick)["items"])
    for _ in range(3):
        quick.call("GET", f"/v1/rollouts/{rid}")
    answer = quick.call("POST", f"/v1/rollouts/{rid}/pause", {"reason": "late"},
                        {"X-Airis-Actor": "eve"})
    assert answer.status == 409
    wait_for("the row of what was refused", lambda: rows(quick, what="pause"), 20)
    row, = rows(quick, what="pause")
    assert row["who"] == f"eve {me}" and row["id"] == me and row["why"] == "late"
    assert row["outcome"].startswith("refused: ")
    assert len(audit(quick)["items"]) == before + 1


def test_filters_and_list(used, shops):
    quick, other, rid = used, shops().create(), used.rid
    quick.apply(fm.quick(other))
    every = audit(quick)["items"]

    def seqs(query):
        return [row["seq"] for row in audit(quick, query)["items"]]
    assert seqs(f"&app={other.name}") == [every[-1]["seq"]]
    assert seqs(f"&rollout={rid}") == [r["seq"] for r in every if r["rollout"] == rid]
    assert seqs("&who=airisd&before=5") == [r["seq"] for r in every[3::-1]
                                            if r["who"] == "airisd"]
    assert seqs("&after=3") == [r["seq"] for r in every[3:]]
    assert quick.call("GET", "/v1/audit?after=1&before=2").status == 400
    assert quick.call("GET", "/v1/audit?foo=1").status == 400
    first = quick.call("GET", "/v1/audit?limit=2").json
    assert [r["seq"] for r in first["items"]] == [1, 2] and first["next"] == 2
    out = quick.ctl("audit", "list", "--app", other.name, check=0).stdout.splitlines()
    assert len(out) == 2 and "app put" in out[1] and f"{other.namespace}/{other.name}" in out[1]
    listed = json.loads(quick.ctl("audit", "list", "-o", "json", "--limit", "3",
                                  check=0).stdout)
    assert [r["seq"] for r in listed["items"]] == [r["seq"] for r in every[:-4:-1]]
    assert json.loads(quick.ctl("audit", "list", "-o", "json", "--since", "1h", "--rollout", rid,
                                "--who", "airisd", check=0).stdout)["items"]
    assert quick.ctl("audit", "list", "--who", "nobody", check=0).stdout == "no such rows\n"


TAMPERED = [
    ("UPDATE audit SET outcome = 'undone' WHERE seq = 4", "row 4 was changed"),
    ("DELETE FROM audit WHERE seq = 3", "row 3 is missing: after row 2 comes row 4"),
    ("UPDATE audit SET seq = -1 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 4;"
     "UPDATE audit SET seq = 4 WHERE seq = -1", "row 3 is out of order: what now is row 4"),
    ("INSERT INTO audit SELECT max(seq) + 1, at_ms, 'eve', id, origin, what, cluster, namespace,"
     " app, rollout, detail, why, outcome, hash FROM audit", "was changed"),
]


def test_tampering_is_found(used, tmp_path):
    """By the API, and in what was exported; by airisd when it starts and by --verify-db."""
    quick = used
    assert OK.fullmatch(verify(quick))
    quick.stop()
    clean = open(quick.database, "rb").read()
    for sql, found in TAMPERED:
        with open(quick.database, "wb") as file:
            file.write(clean)
        tamper(quick, sql)
        quick.restart()
        assert "the audit in " in quick.process.text().rsplit(" is ready", 1)[0]
        error = verify(quick, check=1)
        assert error.startswith("airisctl: the audit does not hold: ") and found in error, error
        export = quick.ctl("audit", "export", check=1)
        assert found in export.stderr
        path = tmp_path / "export.jsonl"
        path.write_text(export.stdout)
        assert found in verify(quick, "--file", str(path), check=1)
        quick.stop()
        done = subprocess.run([os.path.join(BUILD, "airisd"), "--verify-db", quick.database],
                              capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "the audit: row " in done.stdout
    with open(quick.database, "wb") as file:
        file.write(clean)
    quick.start()


def test_the_end_is_known_by_a_head_kept_elsewhere(used, tmp_path):
    """Rows that are missing at the end leave a chain that holds: only who has kept a head sees it.
    The same of one that was written anew as a whole."""
    quick = used
    count, head = OK.fullmatch(verify(quick)).groups()
    export = quick.ctl("audit", "export", check=0)
    assert head in export.stderr
    lines = export.stdout.splitlines(keepends=True)
    assert len(lines) == int(count) + 1
    whole, cut, forged = tmp_path / "whole", tmp_path / "cut", tmp_path / "forged"
    whole.write_text(export.stdout)
    cut.write_text("".join(lines[:-2]))
    identity = json.loads(lines[0])["chain"]
    kept = [json.loads(line) for line in lines[1:]]
    kept[2]["why"] = "another"
    for row, new in zip(kept, chained(identity, kept)):
        row["hash"] = new
    forged.write_text(lines[0] + "".join(json.dumps(row) + "\n" for row in kept))
    assert OK.fullmatch(verify(quick, "--file", str(whole), "--head", head))
    assert OK.fullmatch(verify(quick, "--file", str(cut)))
    assert OK.fullmatch(verify(quick, "--file", str(forged)))
    assert "rows are missing at the end" in verify(quick, "--file", str(cut), "--head", head,
                                                   check=1)
    assert "written anew" in verify(quick, "--file", str(forged), "--head", head, check=1)
    assert "no head" in verify(quick, "--head", "abc", check=2)
    cut.write_text(export.stdout[:-5])
    assert "not whole" in verify(quick, "--file", str(cut), check=1)
    # airisd itself, with the last two rows taken away.
    quick.stop()
    tamper(quick, f"DELETE FROM audit WHERE seq > {int(count) - 2}")
    quick.restart()
    assert OK.fullmatch(verify(quick))
    assert "rows are missing at the end" in verify(quick, "--head", head, check=1)


@pytest.fixture
def syslog(tmp_path):
    """What stands where /dev/log is."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    made.bind(str(tmp_path / "log"))
    made.settimeout(60)
    yield made
    made.close()


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, capture_output=True)


def keys(folder, name):
    private, public = str(folder / f"{name}.pem"), str(folder / f"{name}.pub")
    openssl("genpkey", "-algorithm", "ed25519", "-out", private)
    openssl("pkey", "-in", private, "-pubout", "-out", public)
    return private, public


def test_the_head_is_signed(quick_lab, shops, tmp_path, syslog):
    """Each line to syslog can be checked with the public key, and holds the audit to it."""
    private, public = keys(tmp_path, "key")
    _, other = keys(tmp_path, "other")
    daemon = Daemon(str(tmp_path), quick_lab.kubeconfig, more=(
        f"audit: {{signKeyFile: {private}, signEvery: 1s, syslog: {tmp_path}/log}}\n")).start()
    try:
        shop = shops().create()
        daemon.apply(fm.quick(shop))
        line = syslog.recv(4096).decode()
        assert line.startswith("<110>airisd[")
        assert OK.fullmatch(verify(daemon, line, "--public-key", public))
        assert "signature is not" in verify(daemon, line, "--public-key", other, check=2)
        assert "signature is not" in verify(daemon, line.replace("seq=", "seq=1"),
                                            "--public-key", public, check=2)
        hash_of = re.search("hash=([0-9a-f]{64})", line).group(1)
        swapped = "0" if hash_of[0] != "0" else "1"
        wrong = line.replace(hash_of, swapped + hash_of[1:])
        assert "written anew" in verify(daemon, wrong, check=1)  # without the key: only the hash
        assert line.split(": ", 1)[1] in daemon.process.text()
        # Nobody listens any more: said, and nothing else happens.
        syslog.close()
        wait_for("the complaint", lambda: "was not taken by syslog" in daemon.process.text(), 60)
        assert daemon.call("GET", "/healthz").status == 200
    finally:
        daemon.stop()


def test_a_syslog_that_hangs_blocks_nothing(quick_lab, shops, tmp_path, syslog):
    """Its queue is full and it reads nothing: airisd answers, and says that a line was not taken."""
    private, _ = keys(tmp_path, "key")
    full = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    full.setblocking(False)
    with pytest.raises(BlockingIOError):
        while True:
            full.sendto(b"x" * 1000, str(tmp_path / "log"))
    daemon = Daemon(str(tmp_path), quick_lab.kubeconfig, more=(
        f"audit: {{signKeyFile: {private}, signEvery: 1s, syslog: {tmp_path}/log}}\n")).start()
    try:
        daemon.apply(fm.quick(shops().create()))
        wait_for("the complaint", lambda: "was not taken by syslog" in daemon.process.text(), 60)
        assert daemon.call("GET", "/healthz").status == 200
    finally:
        daemon.stop()
        full.close()


def test_a_wrong_key_is_refused(quick_lab, tmp_path):
    (tmp_path / "key.pem").write_text("nothing\n")
    daemon = Daemon(str(tmp_path), quick_lab.kubeconfig,
                    more=f"audit: {{signKeyFile: {tmp_path}/key.pem}}\n")
    daemon.process.start()
    wait_for("its end", lambda: not daemon.process.alive(), 60)
    assert "audit.signKeyFile: " in daemon.process.text()
    assert "has no private Ed25519 key" in daemon.process.text()
