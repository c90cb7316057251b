"""What becomes of a rollout is shown as Events of its workload: one for each notice, and in the way
of nothing."""
import json
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
             if e.get("reportingComponent") == "airis.dev/airisd"]
    return sorted(found, key=lambda e: int(e["metadata"]["name"].rsplit("-", 1)[1]))


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
    wanted = [(REASONS[name], f"{shop.name}.{rid}-{seq}") for rid in (first, second)
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
