"""Each rollout as a trace: the receiver is a real server that understands OTLP/HTTP in JSON as its
specification has it, and the daemon is the real one."""
import json
import os
import re
import signal
import socket
import subprocess

import fm
import pytest
from harness.process import BUILD, free_port, wait_for
from harness.receiver import Receiver

TOKEN = "0123456789-token-of-the-receiver"
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HELD = {"stages": [{"weight": 50, "hold": "1h"}, {"weight": 100, "hold": "0s"}]}
ERROR = 2


@pytest.fixture
def receivers():
    made = []

    def make(*args):
        made.append(Receiver(*args))
        return made[-1]
    yield make
    for one in made:
        one.stop()


def value(attribute):
    (kind, text), = attribute["value"].items()
    assert kind in ("stringValue", "intValue") and isinstance(text, str)
    return int(text) if kind == "intValue" else text


class Span:
    def __init__(self, raw):
        self.raw, self.name, self.id = raw, raw["name"], raw["spanId"]
        self.trace, self.parent = raw["traceId"], raw.get("parentSpanId")
        self.begin, self.end = int(raw["startTimeUnixNano"]), int(raw["endTimeUnixNano"])
        self.error = raw["status"]["message"] if raw.get("status", {}).get("code") == ERROR \
            else None
        self.of = {a["key"]: value(a) for a in raw["attributes"]}
        self.marks = [(m["name"], {a["key"]: value(a) for a in m["attributes"]})
                      for m in raw.get("events", [])]

    def check(self):
        assert re.fullmatch("[0-9a-f]{32}", self.trace) and re.fullmatch("[0-9a-f]{16}", self.id)
        assert self.parent is None or re.fullmatch("[0-9a-f]{16}", self.parent)
        assert isinstance(self.raw["startTimeUnixNano"], str) and self.raw["kind"] in (1, 3)
        assert self.begin <= self.end


def spans_in(body):
    found = []
    for resource in body["resourceSpans"]:
        of = {a["key"]: value(a) for a in resource["resource"]["attributes"]}
        assert of["service.name"] == "airisd" and of["service.version"]
        assert of["host.name"] == socket.gethostname() and of["service.instance.id"]
        for scope in resource["scopeSpans"]:
            found += [Span(raw) for raw in scope["spans"]]
    return found


def taken(receiver):
    with receiver.lock:
        return [span for one in receiver.taken for span in spans_in(one.json)]


def roots(receiver):
    return [span for span in taken(receiver) if span.name.startswith("rollout ")]


def trace_of(receiver, trace, timeout=20):
    """Its spans, when the first of them all is there."""
    wait_for("the root", lambda: [s for s in roots(receiver) if s.trace == trace], timeout)
    return [span for span in taken(receiver) if span.trace == trace]


def configure(daemon, receiver=None, **more):
    with open(daemon.config, encoding="utf-8") as f:
        lines = [line for line in f if not line.startswith("traces:")]
    if receiver:
        more["url"] = receiver.url + "/v1/traces"
    with open(daemon.config, "w", encoding="utf-8") as f:
        f.writelines(lines + ([f"traces: {json.dumps(more)}\n"] if more else []))


def reload(daemon):
    said = "the settings were read again"
    before = daemon.process.text().count(said)
    daemon.process.popen.send_signal(signal.SIGHUP)
    wait_for(said, lambda: daemon.process.text().count(said) > before)


def release(daemon, shop, canary=None, gates=(), headers=None):
    spec = fm.quick(shop, gates=gates, canary=canary or {})
    if canary and "stages" in canary:
        spec["strategy"]["canary"].pop("weights")
    daemon.apply(spec)
    answer = daemon.call("POST", "/v1/rollouts", {"app": shop.name, "image": "web:2.0"}, headers)
    assert answer.status == 201
    return answer.json["id"], answer.json["trace"]


def metric(daemon, name):
    line = re.search(rf"^{re.escape(name)} (\d+)$", daemon.call("GET", "/metrics").text, re.M)
    return int(line.group(1))


def children(spans, of):
    return sorted((s for s in spans if s.parent == of.id), key=lambda s: s.begin)


def check_tree(daemon, rid, spans, parent=None):
    """One root; stages in order, within it; in each of them its effects, those of the journal."""
    for span in spans:
        span.check()
    assert len({span.id for span in spans}) == len(spans)
    root, = [span for span in spans if span.parent == parent]
    stages = children(spans, root)
    assert all(root.begin <= s.begin and s.end <= root.end for s in stages)
    assert all(a.end <= b.begin for a, b in zip(stages, stages[1:]))
    effects = {s.id: children(spans, s) for s in stages}
    for stage in stages:
        assert all(stage.begin <= e.begin and e.end <= stage.end for e in effects[stage.id])
    assert len(spans) == 1 + len(stages) + sum(len(e) for e in effects.values())
    done = [e.name for stage in stages for e in effects[stage.id]]
    assert done == fm.acts(daemon, rid)
    return root, stages, effects


def test_a_rollout_is_a_trace(make_daemon, shops, receivers, fake_prometheus):
    """Begun by a pipeline with a trace of its own; who is asked for it hears of that, too. The
    receiver is not there at first, then busy, then refuses one span."""
    busy = [(429, {"Retry-After": "2"}), (503, {}), 400]
    receiver, hooks = receivers(lambda _: busy.pop(0) if busy else 200), receivers()
    daemon = make_daemon()
    token = os.path.join(daemon.folder, "token")
    with open(token, "w", encoding="utf-8") as f:
        f.write(TOKEN + "\n")
    configure(daemon, receiver, tokenFile=token, headers={"X-Tenant": "shop"})
    with open(daemon.config, encoding="utf-8") as f:
        text = f.read()
    secret = os.path.join(daemon.folder, "secret")
    with open(secret, "w", encoding="utf-8") as f:
        f.write("another secret")
    with open(daemon.config, "w", encoding="utf-8") as f:
        f.write(text.replace("level: info", "level: debug").replace(
            "prometheus: []", f"prometheus: [{{name: default, url: '{fake_prometheus.url}'}}]")
            + f"webhooks: [{{name: ops, url: '{hooks.url}', secretFile: {secret}}}]\n")
    fake_prometheus.answers["up"] = fm.number(1)
    daemon.start()
    shop = shops().create()
    rid, _ = release(daemon, shop, canary=HELD)
    # The first batch was too much, then came too early, then was refused: it is gone.
    wait_for("three refusals", lambda: len(receiver.came) >= 3, 30)
    assert daemon.command(rid, "abort").status == 200
    daemon.wait_phase(rid, "aborted")
    assert receiver.came[1].at - receiver.came[0].at > 1.9
    first = [spans_in(one.json)[0].id for one in receiver.came[:3]]
    assert first == first[:1] * 3
    lost = len(spans_in(receiver.came[2].json))
    wait_for("a count", lambda: metric(
        daemon, 'airis_trace_spans_dropped_total{reason="refused"}') == lost)
    # Another one, for which it is well.
    partly = []

    def all_but_one(one):
        partly.append(one)
        return (200, {}, b'{"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}}')
    receiver.answer = all_but_one
    shop = shops().create()
    rid, trace = release(daemon, shop, gates=[fm.gate("fine", "up")],
                         headers={"traceparent": CALLER})
    assert trace == CALLER.split("-")[1] == daemon.rollout(rid)["trace"]
    daemon.wait_phase(rid, "succeeded")
    root, stages, effects = check_tree(
        daemon, rid, trace_of(receiver, trace), CALLER.split("-")[2])
    assert root.name == f"rollout {shop.name}" and root.error is None
    assert root.of["k8s.namespace.name"] == shop.namespace and root.of["airis.release"] == 1
    assert root.of["airis.phase"] == "succeeded" and root.of["airis.strategy"] == "canary"
    assert [s.name for s in stages] == fm.stages_entered(daemon, rid)
    half = next(s for s in stages if s.name == "canary 50%")
    assert half.of["airis.weight"] == 50
    assert any("canary weight 50" in e.of["airis.effect"] and e.of["airis.outcome"] == "done"
               for e in effects[half.id])
    assert [m[1]["airis.verdict"] for m in half.marks if m[0] == "gate"][-1] == "pass"
    # Passed on, each with the span that it belongs to.
    assert f"00-{trace}-{half.id}-01" in fake_prometheus.traceparents
    hooks.wait("succeeded")
    assert {d.headers["traceparent"] for d in hooks.taken
            if d.json["rollout"]["id"] == rid} == {f"00-{trace}-{root.id}-01"}
    sent = partly[0]
    assert sent.path == "/v1/traces" and sent.headers["Content-Type"] == "application/json"
    assert sent.headers["Authorization"] == "Bearer " + TOKEN and sent.headers["X-Tenant"] == "shop"
    wait_for("counts", lambda: metric(daemon, "airis_trace_spans_exported_total") ==
             len(taken(receiver)) - len(partly) and not metric(daemon, "airis_trace_spans_waiting"))
    assert "are not taken: too old" in daemon.process.text()
    assert TOKEN not in daemon.process.text()
    assert TOKEN not in daemon.call("GET", "/metrics").text


def test_a_kill_does_not_break_it(make_daemon, shops, receivers):
    """What was done before it is told by the one that comes after it."""
    receiver = receivers()
    daemon = make_daemon()
    configure(daemon, receiver)
    daemon.start()
    shop = shops().create()
    rid, trace = release(daemon, shop, canary=HELD, headers={"traceparent": CALLER})
    daemon.wait_stage(rid, "canary 50%")
    daemon.wait_weight(rid, 50)
    wait_for("the first stage", lambda: taken(receiver))
    daemon.kill()
    first = taken(receiver)
    daemon.restart()
    assert daemon.rollout(rid)["trace"] == trace == CALLER.split("-")[1]
    assert daemon.command(rid, "promote", reason="go on").status == 200
    daemon.wait_phase(rid, "succeeded")
    spans = trace_of(receiver, trace)
    assert {s.id for s in first} < {s.id for s in spans} and {s.trace for s in first} == {trace}
    root, stages, effects = check_tree(daemon, rid, spans, CALLER.split("-")[2])
    assert root.begin < first[0].end and [s.name for s in stages] == fm.stages_entered(daemon, rid)
    half = next(s for s in stages if s.name == "canary 50%")
    assert effects[half.id] and half.begin < stages[2].begin
    assert ("command", "promote") in [(m[0], m[1].get("airis.command")) for m in half.marks]


def test_an_abort_is_told_as_what_it_is(asking, shops, receivers, fake_prometheus):
    """By a gate: an error with the reason; by a person: none. Traces come and go with SIGHUP, and
    one that is turned on later tells of what was before."""
    receiver, daemon = receivers(), asking
    fake_prometheus.answers["errors"] = fm.once_good(fm.number(0))
    shop = shops().create()
    rid, trace = release(daemon, shop, canary=HELD)
    daemon.wait_stage(rid, "canary 50%")
    daemon.wait_weight(rid, 50)
    configure(daemon, receiver)
    reload(daemon)
    assert daemon.command(rid, "abort", reason="enough").status == 200
    daemon.wait_phase(rid, "aborted")
    spans = trace_of(receiver, trace)
    root, = [s for s in spans if s.parent is None]
    stages = children(spans, root)
    assert root.error is None and root.of["airis.phase"] == "aborted"
    assert [s.name for s in stages] == ["canary 50%", "abort"] and not any(s.error for s in stages)
    assert "weight" in [e.name for e in children(spans, stages[1])]
    # Not sampled, or not a traceparent at all.
    shop, bad = shops().create(), shops().create()
    quiet, quiet_trace = release(daemon, shop, canary={"weights": [100]},
                                 headers={"traceparent": CALLER[:-2] + "00"})
    assert quiet_trace == CALLER.split("-")[1]
    rid, trace = release(daemon, bad, gates=[fm.gate("sound", "errors", failures=1)],
                         headers={"traceparent": CALLER.replace("00-4", "ff-4")})
    assert trace != quiet_trace
    daemon.wait_phase(rid, "aborted")
    daemon.wait_phase(quiet, "succeeded")
    root, stages, _ = check_tree(daemon, rid, trace_of(receiver, trace))
    assert "gate sound failed" in root.error and stages[-1].name == "abort"
    assert stages[-2].error == root.error and stages[-1].error is None
    assert ("gate", "fail") in [(m[0], m[1].get("airis.verdict")) for m in stages[-2].marks]
    assert quiet_trace not in {s.trace for s in taken(receiver)}
    # Off: none are made, and who is asked hears of no span.
    configure(daemon)
    reload(daemon)
    fake_prometheus.traceparents.clear()
    count = len(receiver.came)
    shop = shops().create()
    fake_prometheus.answers["errors"] = fm.number(1)
    rid, _ = release(daemon, shop, canary=HELD, gates=[fm.gate("sound", "errors")])
    asked = len(fake_prometheus.queries("errors"))
    wait_for("a question", lambda: len(fake_prometheus.queries("errors")) > asked + 2, 30)
    assert daemon.command(rid, "abort").status == 200
    daemon.wait_phase(rid, "aborted")
    assert not fake_prometheus.traceparents and len(receiver.came) == count


def test_a_receiver_that_is_away(make_daemon, shops, receivers):
    """Nobody waits for it, and it gets what waited. airisctl hands on the trace that it runs in."""
    port = free_port()
    daemon = make_daemon()
    configure(daemon, url=f"http://127.0.0.1:{port}/v1/traces")
    daemon.start()
    shop = shops().create()
    daemon.apply(fm.quick(shop, canary={"weights": [100]}))
    done = subprocess.run(
        [os.path.join(BUILD, "airisctl"), "--server", "unix:" + daemon.socket, "rollout", "start",
         shop.name, "--image", "web:2.0", "--output", "json"], capture_output=True, text=True,
        timeout=60, check=True, env={**os.environ, "TRACEPARENT": CALLER})
    made = json.loads(done.stdout)
    assert made["trace"] == CALLER.split("-")[1]
    daemon.wait_phase(made["id"], "succeeded")
    wait_for("a failure", lambda: "spans are not exported" in daemon.process.text())
    assert metric(daemon, "airis_trace_spans_waiting") > 0
    receiver = receivers(lambda _: 200, None, port)
    check_tree(daemon, made["id"], trace_of(receiver, made["trace"], 40), CALLER.split("-")[2])
    wait_for("an empty queue", lambda: metric(daemon, "airis_trace_spans_waiting") == 0)
    assert "spans are taken again" in daemon.process.text()


def test_bad_settings(make_daemon, receivers):
    daemon = make_daemon()
    for more, said in (({"url": "http://192.0.2.1/v1/traces"}, "traces.url: must be an https://"),
                       ({"url": "http://127.0.0.1.evil.example/"}, "must be an https://"),
                       ({"tokenFile": "/nowhere"}, "traces.url: is missing")):
        configure(daemon, **more)
        done = subprocess.run([os.path.join(BUILD, "airisd"), "--check", "--config", daemon.config],
                              capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode != 0 and said in done.stderr + done.stdout, (more, done)
