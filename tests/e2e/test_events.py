"""What becomes of a rollout is shown as Events of its workload: one for each notice, and in the way
of nothing."""
import re
import time

import pytest

import fm
from harness.lab import KIND
from harness.process import wait_for

GATE = fm.gate("good", "the_gate")
REASONS = {"started": "RolloutStarted", "stage": "StageEntered", "paused": "RolloutPaused",
           "approval": "ApprovalNeeded", "resumed": "RolloutResumed",
           "aborting": "RolloutAborting", "aborted": "RolloutAborted",
           "succeeded": "RolloutSucceeded", "failed": "RolloutFailed"}
sim_alone = pytest.mark.skipif(KIND != "sim", reason="kubelab has no faults")


def events(lab, shop):
    """Those of airisd, in their order."""
    found = [e for e in lab.kube.list("Event", shop.namespace)
             if e.get("reportingComponent") == "airis.io/airisd"]
    return sorted(found, key=lambda e: e["metadata"]["name"])


def reasons(lab, shop):
    return [e["reason"] for e in events(lab, shop)]


def told(daemon, rid):
    """What must have been told, from the journal: the notice and its sequence number."""
    names = {"created": lambda d: "started", "stage": lambda d: "stage",
             "phase": lambda d: d["to"] if d["to"] != "progressing" else None,
             "waits": lambda d: "approval" if d["object"] == "Approval" else None}
    found = [(names[e["kind"]](e["data"]), e["seq"]) for e in daemon.events(rid)
             if e["kind"] in names]
    return [(name, seq) for name, seq in found if name]


def count(daemon, result):
    found = re.search(r'^airis_kube_events_total\{cluster="default",result="%s"\} (\d+)' % result,
                      daemon.call("GET", "/metrics").text, re.M)
    return found and int(found[1])


def edit(daemon, old, new):
    """In the settings of one that is not started yet."""
    with open(daemon.config, encoding="utf-8") as f:
        text = f.read()
    assert old in text
    with open(daemon.config, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new, 1))


def wait_events(lab, shop, last, most=30):
    wait_for(last, lambda: reasons(lab, shop)[-1:] == [last], most)


def test_the_story_of_a_release(quick_lab, asking, shops, fake_prometheus):
    """One that waits for an approval and arrives, and one that a gate sends home."""
    fake_prometheus.answers["the_gate"] = lambda _: fm.number(0.98765)
    shop = shops().create()
    spec = fm.quick(shop, [GATE], canary={"stages": [
        {"weight": 50, "hold": "0s", "approve": True}, {"weight": 100, "hold": "0s"}]})
    spec["strategy"]["canary"].pop("weights")
    asking.apply(spec)
    first = asking.start_rollout(shop.name, shop.image_of("2.0"), why="of the season")
    asking.wait_blocked(first, "approve")
    assert asking.command(first, "approve").status == 200
    asking.wait_phase(first, "succeeded")
    wait_events(quick_lab, shop, "RolloutSucceeded")
    fake_prometheus.answers["the_gate"] = lambda _: fm.number(0.5)
    second = asking.start_rollout(shop.name, shop.image_of("3.0"))
    asking.wait_phase(second, "aborted")
    wait_events(quick_lab, shop, "RolloutAborted")
    found = events(quick_lab, shop)
    uid = quick_lab.kube.get("Deployment", shop.namespace, shop.name)["metadata"]["uid"]
    wanted = [(REASONS[name], f"{shop.name}.{rid}-{seq:010d}") for rid in (first, second)
              for name, seq in told(asking, rid)]
    assert [(e["reason"], e["metadata"]["name"]) for e in found] == wanted
    for e in found:
        assert e["involvedObject"] == {
            "apiVersion": "apps/v1", "kind": "Deployment", "namespace": shop.namespace,
            "name": shop.name, "uid": uid}
        assert e["type"] == ("Warning" if e["reason"] == "RolloutAborting" else "Normal"), e
        assert e["source"] == {"component": "airisd"} and e["reportingInstance"]
        assert e["firstTimestamp"] == e["lastTimestamp"] == e["eventTime"][:19] + "Z"
        assert re.fullmatch(r"[-0-9T:]{19}\.\d{6}Z", e["eventTime"]) and e["count"] == 1
    by_reason = {e["reason"]: e["message"] for e in reversed(found)}
    assert by_reason["ApprovalNeeded"].startswith(
        "release 1 waits for an approval at canary 50%: airisctl rollout approve " + first)
    assert any(e["reason"] == "StageEntered" and e["message"] ==
               "release 1 has come to stage canary 100%; measured: good 0.98765 (pass)"
               for e in found), [e["message"] for e in found]
    assert "is being aborted at canary 50%: " in by_reason["RolloutAborting"]
    assert "; measured: good 0.5 (fail)" in by_reason["RolloutAborting"]
    assert found[0]["message"].startswith(
        f"release 1 ({shop.image_of('2.0')}) is being rolled out as rollout {first}: of the "
        "season (by ")
    assert count(asking, "written") == len(found)


HELD = {"weights": [50, 100], "hold": "1h"}


@sim_alone
def test_once_whatever_is_lost(quick_lab, make_daemon, shops):
    """The answer to the first is lost, and the daemon is killed before it has written the last: it
    is written after the restart, and nothing is there twice."""
    daemon = make_daemon().start()
    shop = shops(replicas=2).create()
    match = {"verb": "create", "kind": "Event", "namespace": shop.namespace}
    quick_lab.fault({"drop_after": True}, count=1, **match)
    daemon.apply(fm.quick(shop, canary=HELD))
    rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
    wait_for("the first, again", lambda: count(daemon, "written") == 2, 30)
    assert reasons(quick_lab, shop) == ["RolloutStarted", "StageEntered"]
    asked = [r["status"] for r in quick_lab.requests_seen()
             if r["method"] == "POST" and f"/{shop.namespace}/events" in r["path"]]
    assert asked.count(409) == 1, asked
    quick_lab.fault({"latency_ms": 600000}, **match)
    assert daemon.command(rid, "pause", reason="to look").status == 200
    daemon.wait_phase(rid, "paused")
    daemon.kill()
    quick_lab.no_faults()
    assert "RolloutPaused" not in reasons(quick_lab, shop)
    daemon.restart()
    wait_events(quick_lab, shop, "RolloutPaused")
    # What was written is not written anew.
    daemon.kill()
    daemon.restart()
    wait_for("the repetition", lambda: count(daemon, "written") == 1)
    found = events(quick_lab, shop)
    assert [(e["reason"], e["metadata"]["name"]) for e in found] == [
        (REASONS[name], f"{shop.name}.{rid}-{seq:010d}") for name, seq in told(daemon, rid)]
    assert found[-1]["type"] == "Normal" and found[-1]["message"].startswith(
        "release 1 is paused at canary 50%: to look (by ")
    assert daemon.command(rid, "abort").status == 200
    daemon.wait_phase(rid, "aborted")


@sim_alone
def test_nothing_waits_for_them(quick_lab, make_daemon, shops):
    """The API server takes no Event: the release goes on and home, and what was kept comes later,
    in order."""
    daemon = make_daemon()
    edit(daemon, '"lease": {', '"lease": {"enabled": false, ')  # it is given back at the end
    daemon.start()
    shop = shops(replicas=2).create()
    quick_lab.fault({"latency_ms": 600000}, verb="create", kind="Event")
    daemon.apply(fm.quick(shop, canary=HELD))
    rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
    daemon.wait_stage(rid, "canary 50%")
    wait_for("the weight", lambda: fm.weights_written(daemon, rid) == [50], 20)
    began = time.monotonic()
    assert daemon.command(rid, "abort", reason="enough").status == 200
    daemon.wait_phase(rid, "aborted", 20)
    assert time.monotonic() - began < 10 and reasons(quick_lab, shop) == []
    waits = re.search(r'^airis_kube_events_waiting\{cluster="default"\} (\d+)',
                      daemon.call("GET", "/metrics").text, re.M)
    assert int(waits[1]) == len(told(daemon, rid)) == 4
    quick_lab.no_faults()
    wait_events(quick_lab, shop, "RolloutAborted")
    found = events(quick_lab, shop)
    assert [e["reason"] for e in found] == [REASONS[name] for name, _ in told(daemon, rid)]
    versions = [int(e["metadata"]["resourceVersion"]) for e in found]
    assert versions == sorted(versions)
    assert found[2]["type"] == "Normal"  # somebody asked for the abort


@sim_alone
def test_without_the_right_it_says_so_once(quick_lab, quick, shops):
    """A warning before the start, one line in the log; then it asks no more for a while, and only
    in that namespace."""
    shop, other = shops(replicas=2).create(), shops(replicas=2).create()
    quick_lab.fault({"denied": "events is forbidden"}, verb="create", kind="Event",
                    namespace=shop.namespace)
    for one in (shop, other):
        quick.apply(fm.quick(one, canary=HELD))
    answer = quick.call("POST", f"/v1/apps/{shop.name}/preflight", {}).json
    (found,) = answer["findings"]
    assert answer["ok"] and found["severity"] == "warns" and found["text"].startswith(
        f"airisd may not create events in namespace {shop.namespace}, which shows on the workload")
    started = [quick.start_rollout(one.name, one.image_of("2.0")) for one in (shop, other)]
    for rid in started:
        quick.wait_stage(rid, "canary 50%")
        assert quick.command(rid, "abort").status == 200
        quick.wait_phase(rid, "aborted")
    wait_events(quick_lab, other, "RolloutAborted")
    said = [line for line in quick.process.text().splitlines() if "no Events about" in line]
    assert len(said) == 1 and f"in namespace {shop.namespace}: events is forbidden" in said[0]
    assert "resources [events], verbs [create] (config/rbac.yaml)" in said[0]
    asked = [r for r in quick_lab.requests_seen()
             if r["method"] == "POST" and f"/{shop.namespace}/events" in r["path"]]
    assert len(asked) == 1 and reasons(quick_lab, shop) == []
    assert count(quick, "forbidden") > 3 and count(quick, "written") == len(
        events(quick_lab, other))


def test_turned_off(quick_lab, make_daemon, shops):
    daemon = make_daemon()
    edit(daemon, '"lease":', '"events": false, "lease":')
    daemon.start()
    shop = shops(replicas=2).create()
    daemon.apply(fm.quick(shop, canary=HELD))
    rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
    daemon.wait_stage(rid, "canary 50%")
    assert daemon.command(rid, "abort").status == 200
    daemon.wait_phase(rid, "aborted")
    assert reasons(quick_lab, shop) == [] and count(daemon, "written") is None
    if KIND == "sim":
        quick_lab.fault({"denied": "no"}, verb="create", kind="Event")
    assert daemon.call("POST", f"/v1/apps/{shop.name}/preflight", {}).json["findings"] == []
