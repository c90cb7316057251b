"""Failure modes of the metrics gate (F01 to F18), with a Prometheus that answers badly."""
import json
import re
import threading
import time

import pytest

import fm
from fm import gate, number, vector
from harness.process import wait_for

LATE = "100ms"


def nested(depth):
    return b'{"status":"success","data":' + b"[" * depth + b"]" * depth + b"}"


# name: (what is answered, verdict, what the text says)
BAD_ANSWERS = {
    "f01-nan": (lambda q: number("NaN"), "no_data", "NaN"),
    "f02-inf": (lambda q: number("+Inf"), "error", "finite"),
    "f02-minus": (lambda q: number("-Inf"), "error", "finite"),
    "f03-empty": (lambda q: vector([]), "no_data", "no series"),
    "f04-several": (lambda q: vector([1, 1]), "error", "ambiguous"),
    "f05-matrix": ({"status": "success", "data": {"resultType": "matrix", "result": [
        {"metric": {}, "values": [[1, "1"]]}]}}, "error", "range"),
    "f05-string": ({"status": "success", "data": {"resultType": "string", "result": [1, "x"]}},
                   "error", "text"),
    "f06-warned": (lambda q: {**number(1), "warnings": ["a store was away"]}, "error",
                   "a store was away"),
    "f07-bad": ((400, {"status": "error", "errorType": "bad_data", "error": "parse error"}),
                "error", "parse error"),
    "f07-exec": ((422, {"status": "error", "errorType": "execution", "error": "many-to-many"}),
                 "error", "many-to-many"),
    "f08-away": ((503, "down for a moment"), "error", "503"),
    "f11-few": (lambda q: number(3 if "count" in q else 1), "too_few", ""),
    "f14-typo": (lambda q: vector([]), "no_data", "absent"),
    "f16-stale": (lambda q: number(1, age=600), "no_data", "stale"),
    "f16-future": (lambda q: number(1, age=-600), "no_data", "future"),
    "f18-huge": (100 << 20, "error", ""),
    "f18-cut": (b'{"status":"success","data":{"resultType":"vector","resu', "error",
                "not an answer"),
    "f18-deep": (nested(200000), "error", "not an answer"),
    "f18-text": (b"\xff\xfe no JSON", "error", "not an answer"),
}


@pytest.fixture(scope="module")
def measured(quick_lab, tmp_path_factory):
    """One release with a gate for each bad answer; its gates as they stand after three rounds,
    and, once their deadline is over, the release."""
    from conftest import stop_well
    from harness.daemon import Daemon
    fake, shops = fm.FakePrometheus(), fm.Shops(quick_lab)
    daemon = Daemon(str(tmp_path_factory.mktemp("gates")), quick_lab.kubeconfig, fake.url,
                    settle="400ms").start()
    try:
        # "<" and ">": whatever is not a number satisfies neither.
        gates = []
        for i, name in enumerate(BAD_ANSWERS):
            gates.append(gate(name, f'{name.replace("-", "_")}{{w="{{{{canary}}}}"}}',
                              "< 1e300" if i % 2 else "> -1e300", every="500ms", deadline="6s"))
            if name == "f11-few":
                gates[-1]["prometheus"]["samples"] = {
                    "query": 'f11_few_count{w="{{canary}}"}', "min": 100}
            fake.answers[name.replace("-", "_")] = fm.once_good(BAD_ANSWERS[name][0])
        shop = shops().create()
        daemon.apply(fm.quick(shop, gates))
        rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
        rounds = daemon.wait(rid, lambda r: r["gates"] and r["stage"]["index"] == 1 and all(
            m["count"] >= 3 for m in r["ladder"][1]["measured"]) and
            len(r["ladder"][1]["measured"]) == len(gates), 60)
        after = daemon.wait_phase(rid, "paused", 60)
        yield {"gates": {g["name"]: g for g in rounds["gates"]}, "paused": after,
               "weights": shop.weights(), "asked": list(fake.asked)}
        assert daemon.command(rid, "abort").status == 200
        daemon.wait_phase(rid, "aborted", 60)
        stop_well(daemon)
    finally:
        daemon.kill() if daemon.process.alive() else None
        fake.stop()
        shops.remove()


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_bad_answer_is_no_pass(measured, name):
    """F01 to F07, F11, F14, F16, F18: what each answer is, and what is said of it."""
    _, verdict, text = BAD_ANSWERS[name]
    seen = measured["gates"][name]
    assert seen["verdict"] == verdict, seen
    assert text in seen["text"] and len(seen["text"]) < 600, seen
    assert seen["passes"] == 0 and seen["failures"] == 0
    assert seen["value"] is None or verdict == "too_few"


def test_errors_alone_neither_promote_nor_abort(measured):
    """F09, F08: with nothing but errors and no data the stage is held, and at the gates' deadline
    it pauses: it does not succeed, and the weight stays."""
    paused = measured["paused"]
    assert paused["stage"]["name"] == "canary 50%" and "did not pass within 6s" in paused["reason"]
    assert measured["weights"] == (50, 50)
    assert "resume" in paused["blocked_on"]["next"]


def test_refused_queries_are_not_stormed(measured):
    """F07: a query that is none is asked at its interval, not again and again."""
    times = [t for t, q in measured["asked"] if "f07_bad" in q]
    assert len(times) >= 3
    assert min(b - a for a, b in zip(times, times[1:])) > 0.3


def test_measured_within_its_window(asking, shops, fake_prometheus):
    """F12: the window never reaches back before the last change of the weight and warmup."""
    fake_prometheus.answers["f12"] = lambda q: number(1)
    shop = shops().create()
    asking.apply(fm.quick(shop, [gate(
        "f12", 'f12{w="{{canary}}"}[{{window}}] since {{since_weight}}', window="1m",
        warmup="500ms", every="300ms", measurements=3)]))
    rid = asking.start_rollout(shop.name, shop.image_of("2.0"))
    asking.wait_phase(rid, "succeeded")
    asked = fake_prometheus.queries("f12")[1:]  # the first is the trial before the start
    assert len(asked) >= 6
    for query in asked:
        window, since = re.search(r"\[(\d+)ms\] since (\d+)", query).groups()
        assert 0 < int(window) <= int(since) * 1000 + 1000 - 500, query
        assert int(window) < 20000, query


def test_unknown_variables_are_refused_before_any_start(asking, shops):
    """F13."""
    shop = shops()
    app = fm.quick(shop, [gate("f13", 'x{w="{{canry}}"}')])
    refused = asking.call("PUT", f"/v1/apps/{shop.name}", app)
    assert refused.status == 422
    problem = refused.json["errors"][0]
    assert problem["path"] == "gates[0].prometheus.query" and "canry" in problem["detail"]
    assert "canary" in problem["detail"], "it says what is allowed"
    assert asking.call("GET", f"/v1/apps/{shop.name}").status == 404


def test_hold_ends_without_a_verdict(asking, shops, fake_prometheus):
    """F10: a hold that ends while the gate is inconclusive is not an advance, nor is a pause that
    is resumed; a pass then is."""
    fake_prometheus.answers["f10"] = lambda q: vector([])
    shop = shops().create()
    asking.apply(fm.quick(shop, [gate("f10", 'f10{w="{{canary}}"}', deadline="1s")],
                          canary={"hold": "500ms"}))
    rid = asking.start_rollout(shop.name, shop.image_of("2.0"))
    paused = asking.wait_phase(rid, "paused")
    assert paused["stage"]["name"] == "canary 50%" and "no_data" in paused["reason"]
    assert asking.command(rid, "resume").status == 200
    again = asking.wait(rid, lambda r: r["phase"] == "paused" and r["cursor"] > paused["cursor"])
    assert again["stage"]["name"] == "canary 50%" and shop.weights() == (50, 50)
    fake_prometheus.answers["f10"] = lambda q: number(1)
    assert asking.command(rid, "resume").status == 200
    asking.wait_phase(rid, "succeeded")


def test_gates_of_the_last_stage_count(asking, shops, fake_prometheus):
    """F17: at weight 100 no step is left, and still the release is not promoted before the gate
    passes; if it fails there, the release is aborted."""
    fake_prometheus.answers["f17"] = lambda q: vector([])
    shop = shops().create()
    asking.apply(fm.quick(shop, [gate("f17", 'f17{w="{{canary}}"}')], canary={"weights": [100]}))
    rid = asking.start_rollout(shop.name, shop.image_of("2.0"))
    asking.wait(rid, lambda r: r["stage"] and r["stage"]["settled"] and any(
        m["count"] >= 3 for m in r["ladder"][r["stage"]["index"]]["measured"]))
    assert asking.rollout(rid)["stage"]["name"] == "canary 100%"
    assert shop.stable_image() == shop.image
    fake_prometheus.answers["f17"] = lambda q: number(0.1)
    ended = asking.wait_phase(rid, "aborted")
    assert "gate f17 failed" in ended["reason"]
    assert shop.stable_image() == shop.image and shop.leftovers() == []


def test_a_source_that_hangs(asking, shops, fake_prometheus):
    """F15, F08: a question is asked once at a time however late its answer is, an outage holds,
    and an abort is as quick as ever."""
    fake_prometheus.answers["f15"] = fake_prometheus.hang
    shop = shops().create()
    asking.apply(fm.quick(shop, [gate("f15", 'f15{w="{{canary}}"}', every=LATE)]))
    rid = asking.start_rollout(shop.name, shop.image_of("2.0"))
    asking.wait(rid, lambda r: any(m["verdict"] == "error" and m["count"] >= 3
                                   for m in r["ladder"][1]["measured"]))
    # The daemon gives up after a second; what hangs in the fake is what it gave up on.
    times = [t for t, _ in fake_prometheus.asked]
    assert min(b - a for a, b in zip(times, times[1:])) > 0.8
    assert asking.rollout(rid)["phase"] == "progressing" and shop.weights() == (50, 50)
    begin = time.monotonic()
    assert asking.command(rid, "abort").status == 200
    wait_for("weight 0", lambda: shop.weights() == (100, 0), 5, every=0.01)
    assert time.monotonic() - begin < 1
    asking.wait_phase(rid, "aborted")


def test_outage_and_return(asking, shops, fake_prometheus):
    """F08: refused connections hold the weight; what passes afterwards goes on by itself."""
    answer = {"now": (503, "")}
    fake_prometheus.answers["f08"] = lambda q: answer["now"]
    shop = shops().create()
    asking.apply(fm.quick(shop, [gate("f08", 'f08{w="{{canary}}"}')]))
    rid = asking.start_rollout(shop.name, shop.image_of("2.0"))
    asking.wait(rid, lambda r: any(m["count"] >= 3 for m in r["ladder"][1]["measured"]))
    held = asking.rollout(rid)
    assert held["phase"] == "progressing" and "Gate f08" in held["blocked_on"]["object"]
    assert "pauses at the deadline" in held["blocked_on"]["next"]
    source = asking.call("GET", "/readyz").json["sources"][0]
    assert source["ok"] is False and "503" in source["text"], source
    fake_prometheus.answers["f08"] = lambda q: number(1)
    asking.wait_phase(rid, "succeeded")


def test_verdicts_do_not_travel(asking, shops, fake_prometheus):
    """F58: a verdict on one release never counts for the next one; what was asked about the old
    canary and answered late is dropped."""
    superseded = threading.Event()

    def late(_query):
        superseded.wait(10)
        return number(0)
    fake_prometheus.answers["f58"] = late
    shop = shops().create()
    asking.apply(fm.quick(shop, [gate("f58", 'f58{w="{{canary}}"}', failures=0, every="2s")],
                          onStart="supersede"))
    first = asking.start_rollout(shop.name, shop.image_of("2.0"))
    wait_for("the question", lambda: fake_prometheus.queries("f58"), 30, every=0.01)
    fake_prometheus.answers["f58"] = lambda q: number(1)
    second = asking.start_rollout(shop.name, shop.image_of("3.0"))
    superseded.set()
    asking.wait_phase(first, "aborted")
    asking.wait_phase(second, "succeeded")
    assert asking.rollout(first)["superseded_by"] == second
    measured = [e["data"]["verdict"] for e in asking.events(second) if e["kind"] == "measured"]
    assert set(measured) == {"pass"}
    assert shop.stable_image() == shop.image_of("3.0")
    assert json.dumps(asking.events(first)).count("superseded by") >= 1
