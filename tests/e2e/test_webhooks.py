"""What airisd tells others when something happens: the receiver is a real server, the signature is
checked by other code than made it, and the daemon is the real one."""
import json
import os
import signal
import subprocess
import threading
import time

import fm
import pytest
from harness.process import BUILD, wait_for
from harness.receiver import Receiver
from harness.tls import Authority

SECRET = b"0123456789abcdef-of-the-receiver"
ENDS = ["succeeded", "aborted", "failed"]


@pytest.fixture
def receivers():
    made = []

    def make(*args):
        made.append(Receiver(*args))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def hook(daemon, receiver, name="ops", **more):
    path = os.path.join(daemon.folder, "hook-secret")
    with open(path, "wb") as f:
        f.write(SECRET + b"\n")
    return {"name": name, "url": receiver.url + "/airis", "secretFile": path, **more}


def configure(daemon, *hooks):
    with open(daemon.config, encoding="utf-8") as f:
        lines = [line for line in f if not line.startswith("webhooks:")]
    with open(daemon.config, "w", encoding="utf-8") as f:
        f.writelines(lines + [f"webhooks: {json.dumps(hooks)}\n"])


def reload(daemon):
    said = "the settings were read again"
    before = daemon.process.text().count(said)
    daemon.process.popen.send_signal(signal.SIGHUP)
    wait_for(said, lambda: daemon.process.text().count(said) > before)


def status(daemon, name="ops"):
    listed = daemon.call("GET", "/v1/webhooks").json["webhooks"]
    return next(one for one in listed if one["name"] == name)


def nothing_waits(daemon, name="ops"):
    wait_for("an empty outbox", lambda: status(daemon, name)["waiting"] == 0, 60)


def told(daemon, rid):
    """What must have been told, from the journal."""
    names = {"created": lambda d: "started", "stage": lambda d: "stage",
             "phase": lambda d: d["to"] if d["to"] != "progressing" else None,
             "waits": lambda d: "approval" if d["object"] == "Approval" else None}
    found = [names[e["kind"]](e["data"]) for e in daemon.events(rid) if e["kind"] in names]
    return [name for name in found if name]


HELD = {"stages": [{"weight": 50, "hold": "1h"}, {"weight": 100, "hold": "0s"}]}


def abort(daemon, rid):
    assert daemon.command(rid, "abort", reason="enough").status == 200
    daemon.wait_phase(rid, "aborted")


def release(daemon, shop, image="web:2.0", **more):
    spec = fm.quick(shop, **more)
    if "stages" in spec["strategy"]["canary"]:
        spec["strategy"]["canary"].pop("weights")
    daemon.apply(spec)
    return daemon.start_rollout(shop.name, image)


def test_all_is_told_in_order_and_signed(make_daemon, shops, receivers):
    """One that hangs, and one that asks to wait, delay no other; SIGHUP adds one."""
    let_go, waits = threading.Event(), []

    def busy(one):
        waits.append(one)
        return (429, {"Retry-After": "2"}) if len(waits) == 1 else 200
    ops, others, asks = receivers(), receivers(), receivers(busy)
    slow = receivers(lambda _: let_go.wait(60) and 200)
    daemon = make_daemon()
    before = [hook(daemon, slow, "slow", timeout="30s"), hook(daemon, asks, "asks", events=ENDS),
              hook(daemon, others, "others", apps=["nothing-of-this-name"])]
    configure(daemon, *before)
    daemon.start()
    configure(daemon, *before, hook(daemon, ops, headers={"X-Team": "shop"}))
    reload(daemon)
    shop = shops().create()
    rid = release(daemon, shop, canary={"stages": [
        {"weight": 50, "hold": "0s", "approve": True}, {"weight": 100, "hold": "1h"}]})
    daemon.wait_blocked(rid, "approve")
    ops.wait("approval")
    assert daemon.command(rid, "approve").status == 200
    daemon.wait_stage(rid, "canary 100%")
    abort(daemon, rid)
    ops.wait("aborted")
    assert len(slow.came) == 1 and not slow.taken
    assert ops.events() == told(daemon, rid)
    assert ops.events().count("approval") == 1 and ops.events().count("stage") == 2
    for one in ops.came:
        assert one.signed_by(SECRET) and not one.signed_by(SECRET + b"\n")
        assert abs(int(one.headers["Airis-Timestamp"]) - time.time()) < 120
        assert one.headers["X-Team"] == "shop" and one.path == "/airis"
        assert one.json["id"] == one.id and one.json["event"] == one.event
        assert one.json["rollout"]["id"] == rid and one.json["rollout"]["app"] == shop.name
    assert len({one.id for one in ops.came}) == len(ops.came)
    assert ops.taken[-1].json["rollout"]["phase"] == "aborted"
    assert not others.came
    nothing_waits(daemon)
    now = status(daemon)
    assert now["state"] == "ok" and now["last_success"] and now["delivered"] == len(ops.taken)
    assert now["url"] == ops.url
    shown = daemon.ctl("webhook", "list", check=0).stdout
    assert "ops" in shown and ops.url in shown and SECRET.decode() not in shown
    metrics = daemon.call("GET", "/metrics").text
    assert f'airis_webhook_deliveries_total{{webhook="ops",result="taken"}} {len(ops.taken)}' \
        in metrics
    assert 'airis_webhook_up{webhook="ops"} 1' in metrics
    assert 'airis_webhook_waiting{webhook="ops"} 0' in metrics
    assert SECRET.decode() not in daemon.process.text()
    asks.wait("aborted")
    assert [one.event for one in asks.came] == ["aborted"] * 2
    assert asks.came[0].id == asks.came[1].id and asks.came[1].at - asks.came[0].at > 1.9
    let_go.set()
    slow.wait("aborted")
    assert slow.events() == ops.events()


def test_a_kill_loses_nothing_and_invents_nothing(make_daemon, shops, receivers, tmp_path):
    """The receiver does not answer, the daemon is killed between the event and the delivery, and
    what was tried before comes again with the same id, before all that follows. By HTTPS: one
    whose certificate is another's is told nothing."""
    stuck = threading.Event()
    ca, other = Authority(tmp_path), Authority(tmp_path, "other")
    pair = ca.issue("receiver", "IP:127.0.0.1", "serverAuth")
    ops = receivers(lambda _: stuck.wait(60) and 503 or 503, pair)
    posing = receivers(lambda _: 200, pair)
    daemon = make_daemon()
    configure(daemon, hook(daemon, ops, caFile=ca.crt),
              hook(daemon, posing, "posing", caFile=other.crt))
    daemon.start()
    rid = release(daemon, shops().create(), canary=HELD)
    wait_for("a delivery under way", lambda: ops.came, 30)
    daemon.wait_stage(rid, "canary 50%")
    abort(daemon, rid)
    daemon.kill()
    stuck.set()
    tried = {one.id for one in ops.came}
    assert tried and not ops.taken
    ops.answer = lambda _: 200
    daemon.restart()
    ops.wait("aborted")
    nothing_waits(daemon)
    assert ops.events() == told(daemon, rid) and ops.events()[0] == "started"
    assert tried <= {one.id for one in ops.taken}
    assert len({one.id for one in ops.taken}) == len(ops.taken)
    assert status(daemon, "posing")["state"] == "failing" and not posing.came
    # Delivered ones are forgotten: they do not come again.
    count = len(ops.came)
    daemon.kill()
    daemon.restart()
    nothing_waits(daemon)
    assert len(ops.came) == count


def test_people_and_alertmanager(make_daemon, shops, receivers):
    """A chat gets sentences; Alertmanager is told what fires and what is over. A redirect goes
    nowhere, who says 410 is told nothing more, and a rollout whose first row is refused does not
    stop the next one's."""
    chat, alerts, away, target = receivers(), receivers(), receivers(), receivers()
    away.answer = lambda _: (302, {"Location": target.url})
    daemon = make_daemon()
    picky, refused, left = receivers(), set(), receivers(lambda _: 410)

    def refuse(one):
        refused.add(one.json["rollout"]["id"]) if not refused else None
        return 400 if one.json["rollout"]["id"] in refused else 200
    picky.answer = refuse
    configure(daemon, {"name": "chat", "url": chat.url, "format": "slack",
                       "events": ["paused", "resumed", "aborted"]},
              {"name": "alerts", "url": alerts.url + "/api/v2/alerts", "format": "alertmanager"},
              hook(daemon, away, "away"), hook(daemon, picky, "picky"), hook(daemon, left))
    daemon.start()
    shop = shops().create()
    rid = release(daemon, shop, canary=HELD)
    wait_for("one that is gone", lambda: status(daemon)["state"] == "gone", 30)
    nothing_waits(daemon)
    rows = daemon.call("GET", "/v1/audit?limit=500&who=airisd").json["items"]
    assert [r for r in rows if r["what"] == "webhook give up" and "ops" in r["detail"]]
    assert daemon.ctl("webhook", "list", check=0).stdout.count("gone") == 1
    daemon.wait_stage(rid, "canary 50%")
    assert daemon.command(rid, "pause", reason="look <here> & there").status == 200
    chat.wait("paused")
    second = release(daemon, shops().create(), canary=HELD)
    wait_for("the other rollout's", lambda: any(
        one.json["rollout"]["id"] == second for one in picky.taken), 60)
    for _ in range(3):  # to and fro: people are told of it once, and what the end was
        assert daemon.command(rid, "resume").status == 200
        assert daemon.command(rid, "pause", reason="again").status == 200
    assert daemon.command(rid, "abort", reason="enough").status == 200
    daemon.wait_phase(rid, "aborted")
    chat.wait("aborted")
    said = [one.json["text"] for one in chat.taken]
    assert "is paused at canary 50%" in said[0] and "&lt;here&gt; &amp; there" in said[0]
    assert len([text for text in said if "is paused" in text]) <= 3
    assert f"{shop.namespace}/{shop.name} release 1 (web:2.0)" in said[-1]
    alerts.wait("aborted")
    firing = {one.event: {a["labels"]["alertname"] for a in one.json
                          if a["endsAt"] > a["startsAt"]} for one in alerts.taken}
    assert firing["paused"] == {"AirisRolloutWaits"} and not firing["aborted"]
    assert firing["aborting"] == set() and firing["started"] == set()
    assert away.came and not target.came and "302" in status(daemon, "away")["error"]
    abort(daemon, second)
    assert len(left.came) == 1 and "410" in status(daemon)["error"]
    # Who is taken out of the settings is told nothing more, and nothing stays behind.
    left.answer = lambda _: 200
    configure(daemon, hook(daemon, left))
    reload(daemon)
    assert status(daemon)["state"] != "gone"  # from now on it is told again
    wait_for("the outbox swept", lambda: daemon.process.text().count(
        "which is not in the settings") >= 2, 30)


def test_bad_settings(make_daemon, receivers):
    """Forms of addresses that are not this host's, and what a receiver needs."""
    daemon = make_daemon()
    good = hook(daemon, receivers())
    wrong = [
        ({"url": url}, "webhooks[0].url: must be an https:// URL") for url in (
            "http://192.0.2.1/x", "http://2852039166/latest", "http://0xa9fea9fe/latest",
            "http://0251.0376.0251.0376/x", "http://[::ffff:169.254.169.254]/x",
            "http://127.0.0.1.evil.example/x", "https://u:p@hooks.example/x", "file:///etc/passwd",
            "gopher://127.0.0.1/x")]
    wrong += [({"secretFile": None}, "webhooks[0].secretFile: is missing"),
              ({"events": ["exploded"]}, "expected: one of started")]
    for change, said in wrong:
        one = {**good, **change}
        configure(daemon, {k: v for k, v in one.items() if v is not None})
        done = subprocess.run([os.path.join(BUILD, "airisd"), "--check", "--config", daemon.config],
                              capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode != 0 and said in done.stderr + done.stdout, (change, done)
    configure(daemon, good, good)
    done = subprocess.run([os.path.join(BUILD, "airisd"), "--check", "--config", daemon.config],
                          capture_output=True, text=True, check=False, timeout=60)
    assert "stands there twice" in done.stderr + done.stdout
