"""A real API server takes each Event that airisd writes, knows it when it comes again, and kubectl
describe tells the story. Needs kubelab."""

import os
import subprocess

import pytest

from harness.daemon import Daemon
from harness.kube import Refused
from harness.lab import KIND
from harness.process import wait_for
from harness.rolling import DaemonShop
from harness.shop import Shop

pytestmark = pytest.mark.skipif(KIND == "sim", reason="the simulator checks no Event")


def events(lab, shop):
    found = [e for e in lab.kube.list("Event", shop.namespace)
             if e.get("reportingComponent") == "airis.io/airisd"]
    return sorted(found, key=lambda e: e["metadata"]["name"])


def wait_last(lab, shop, reason):
    wait_for(reason, lambda: [e["reason"] for e in events(lab, shop)][-1:] == [reason], 30)


def describe(lab, kind, shop):
    """Its Events: type and reason of each line, as kubectl has put them in order."""
    done = subprocess.run(
        [os.environ["AIRIS_KUBELAB"], "kubectl", "describe", kind, shop.name, "-n", shop.namespace],
        env={**os.environ, "KUBECONFIG": lab.kubeconfig}, capture_output=True, text=True,
        check=True, timeout=60)
    lines = [line.split() for line in done.stdout.partition("\nEvents:")[2].splitlines()]
    return [tuple(words[:2]) for words in lines if "airisd" in words]


def test_the_story(lab, tmp_path):
    shop, node = Shop(lab, replicas=2).create(), DaemonShop(lab).create()
    daemon = Daemon(str(tmp_path), lab.kubeconfig).start()
    try:
        spec = shop.app(gates=[], canary={"stages": [
            {"weight": 50, "hold": "0s", "approve": True}, {"weight": 100, "hold": "1h"}]})
        spec["strategy"]["canary"].pop("weights", None)
        daemon.apply(spec)
        daemon.apply(node.app(gates=[], rolling={"batches": [1, "100%"], "hold": "1h"}))
        other = daemon.start_rollout(node.name, node.image_of("2.0"))
        rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
        daemon.wait_blocked(rid, "approve", 60)
        for name, phase in (("pause", "paused"), ("resume", "progressing")):
            assert daemon.command(rid, name).status == 200
            daemon.wait_phase(rid, phase)
        assert daemon.command(rid, "approve").status == 200
        daemon.wait_stage(rid, "canary 100%", 60)
        for one in (rid, other):
            assert daemon.command(one, "abort", reason="enough").status == 200
            daemon.wait_phase(one, "aborted", 90)
        wait_last(lab, shop, "RolloutAborted")
        wait_last(lab, node, "RolloutAborted")
        found, of_node = events(lab, shop), events(lab, node)
        assert {e["reason"] for e in found} == {
            "RolloutStarted", "StageEntered", "ApprovalNeeded", "RolloutPaused", "RolloutResumed",
            "RolloutAborting", "RolloutAborted"}
        assert describe(lab, "deployment", shop) == [(e["type"], e["reason"]) for e in found]
        assert describe(lab, "daemonset", node) == [(e["type"], e["reason"]) for e in of_node]
        query = "?fieldSelector=source%3Dairisd%2Ctype%3DNormal"  # as docs/events.md has it
        listed = lab.kube.call("GET", lab.kube.path("Event", shop.namespace) + query)["items"]
        assert sorted(e["metadata"]["name"] for e in listed) == [
            e["metadata"]["name"] for e in found]
        assert of_node[0]["involvedObject"]["kind"] == "DaemonSet"
        text = daemon.call("GET", "/metrics").text
        written = len(found) + len(of_node)
        assert f'airis_kube_events_total{{cluster="default",result="written"}} {written}' in text
        assert 'airis_kube_events_total{cluster="default",result="refused"} 0' in text
        meta = {key: found[0]["metadata"][key] for key in ("name", "namespace")}
        again = {"apiVersion": "v1", "kind": "Event", **found[0], "metadata": meta}
        with pytest.raises(Refused) as refused:
            lab.kube.create(again)
        assert refused.value.status == 409 and "AlreadyExists" in str(refused.value)
    finally:
        daemon.stop()
