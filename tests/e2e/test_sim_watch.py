"""airis-sim: watches."""

import http.client
import time

import pytest

from test_sim_lab import Sim, routes, sim, to

assert sim  # the fixture


def config(name, **labels):
    return {"metadata": {"name": name, "labels": labels}}


def version(sim):
    return sim.call("GET", sim.path("configmaps"))[1]["metadata"]["resourceVersion"]


def test_changes_in_order(sim):
    start = version(sim)
    sim.create("configmaps", config("a"))
    stream = sim.watch("configmaps", f"&resourceVersion={start}")
    sim.merge("configmaps", "a", {"data": {"x": "1"}})
    sim.create("services", {"metadata": {"name": "other"}, "spec": {}})
    sim.delete("configmaps", "a")
    seen = [next(stream) for _ in range(3)]
    assert [e["type"] for e in seen] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(e["object"]["metadata"]["resourceVersion"]) for e in seen]
    assert versions == sorted(versions) and versions[0] > int(start)
    assert seen[2]["object"]["data"] == {"x": "1"}
    stream.close()


def test_from_zero_and_one_namespace(sim):
    sim.create("configmaps", config("a"))
    sim.namespace("elsewhere")
    sim.create("configmaps", config("b"), ns="elsewhere")
    stream = sim.watch("configmaps", "&resourceVersion=0")
    assert next(stream)["object"]["metadata"]["name"] == "a"
    sim.create("configmaps", config("c"), ns="elsewhere")
    sim.create("configmaps", config("d"))
    assert next(stream)["object"]["metadata"]["name"] == "d"
    stream.close()


def test_selector_turns_changes_into_comings_and_goings(sim):
    stream = sim.watch("configmaps", f"&resourceVersion={version(sim)}&labelSelector=on%3Dyes")
    sim.create("configmaps", config("a"))
    sim.merge("configmaps", "a", {"metadata": {"labels": {"on": "yes"}}})
    sim.merge("configmaps", "a", {"data": {"x": "1"}})
    sim.merge("configmaps", "a", {"metadata": {"labels": {"on": None}}})
    assert [next(stream)["type"] for _ in range(3)] == ["ADDED", "MODIFIED", "DELETED"]
    stream.close()


def test_too_old_is_told_inside_the_stream():
    lab = Sim("-history", "10")
    try:
        start = version(lab)
        for i in range(20):
            lab.create("configmaps", config(f"c{i}"))
        event = next(lab.watch("configmaps", f"&resourceVersion={start}"))
        assert event["type"] == "ERROR"
        assert event["object"]["code"] == 410 and event["object"]["reason"] == "Expired"
        assert event["object"]["message"].startswith(f"too old resource version: {start} (")
    finally:
        assert lab.stop() == 0


def test_expired_history(sim):
    sim.create("configmaps", config("a"))
    start = version(sim)
    open_one = sim.watch("configmaps", f"&resourceVersion={start}")
    sim.fault({"effect": {"expire_history": True}})
    assert next(sim.watch("configmaps", f"&resourceVersion={start}"))["object"]["code"] == 410
    sim.create("configmaps", config("b"))
    assert next(open_one)["object"]["metadata"]["name"] == "b"  # open streams go on
    stream = sim.watch("configmaps", f"&resourceVersion={version(sim)}")
    sim.create("configmaps", config("c"))
    assert next(stream)["object"]["metadata"]["name"] == "c"
    open_one.close()
    stream.close()


@pytest.mark.parametrize("options", [[], ["-tls"]])
def test_header_comes_at_once(options):
    lab = Sim(*options)
    try:
        start = time.monotonic()
        stream = lab.watch("configmaps", f"&resourceVersion={version(lab)}")
        assert time.monotonic() - start < 0.15  # not with the first event, nor when TCP gives up
        lab.create("configmaps", config("a"))
        assert stream.response.readline().startswith(b'{"type":"ADDED"')  # and nothing before it
        stream.close()
    finally:
        assert lab.stop() == 0


def test_timeout_ends_cleanly(sim):
    stream = sim.watch("configmaps", f"&resourceVersion={version(sim)}&timeoutSeconds=1")
    assert list(stream) == []
    stream.close()


def test_bookmarks_after_a_first_event():
    lab = Sim("-bookmark", "200ms")
    try:
        query = f"&resourceVersion={version(lab)}&allowWatchBookmarks=true"
        stream, plain = lab.watch("configmaps", query), lab.watch("configmaps", "&timeoutSeconds=2")
        lab.create("configmaps", config("a"))
        lab.create("services", {"metadata": {"name": "s"}, "spec": {}})
        assert next(stream)["type"] == "ADDED"
        mark = next(stream)
        assert mark["type"] == "BOOKMARK" and mark["object"]["kind"] == "ConfigMap"
        assert int(mark["object"]["metadata"]["resourceVersion"]) >= int(version(lab)) - 5
        assert [e["type"] for e in plain] == ["ADDED"]
        stream.close()
    finally:
        assert lab.stop() == 0


def test_many(sim):
    streams = [sim.watch("virtualservices", f"&resourceVersion={version(sim)}") for _ in range(250)]
    sim.create("virtualservices", routes("web", to("web")))
    for weight in range(20):
        sim.merge("virtualservices", "web", {"spec": {"http": [{"route": [to("x", weight)]}]}})
    for stream in streams:
        seen = [next(stream) for _ in range(21)]
        assert seen[-1]["object"]["spec"]["http"][0]["route"][0]["weight"] == 19
        stream.close()
    sim.until(lambda: sim.call("GET", "/sim/state")[1]["watches"] == 0)


def test_cut(sim):
    mine = sim.watch("configmaps", f"&resourceVersion={version(sim)}")
    other = sim.watch("services", f"&resourceVersion={version(sim)}")
    got = sim.fault({"match": {"kind": "configmaps"}, "effect": {"cut_watches": True}})
    assert got["faults"][0]["hits"] == 1
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        mine.response.read()
    sim.create("services", {"metadata": {"name": "s"}, "spec": {}})
    assert next(other)["type"] == "ADDED"
    other.close()


def test_mute(sim):
    stream = sim.watch("configmaps", f"&resourceVersion={version(sim)}&timeoutSeconds=1", timeout=2)
    sim.fault({"match": {"kind": "ConfigMap"}, "effect": {"mute_watches": True}})
    sim.create("configmaps", config("a"))
    fresh = sim.watch("configmaps", "&resourceVersion=0")
    assert next(fresh)["object"]["metadata"]["name"] == "a"
    with pytest.raises(TimeoutError):  # silent, also beyond its own end
        next(stream)
    fresh.close()
    stream.close()
