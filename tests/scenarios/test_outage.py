"""2f: what a rollout stands on goes away for a while: it holds, says so, and goes on."""
import http.client
import os
import threading
import time

import pytest

from harness.kube import Refused
from harness.lab import Prometheus
from harness.scene import acts, stages
from harness.shop import GATE, HOST_MODES


@pytest.mark.parametrize("mode", HOST_MODES)
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_api_server_gone(scene, how, mode):
    """For 20 s, with one rollout in a hold, one between two steps, one that is aborted then."""
    lab, airisd = scene.lab, scene.airisd
    held, doomed = scene.shop(mode=mode), scene.shop(mode=mode)
    busy = scene.shop(mode="subset" if mode == "host" else mode)
    plan = {"drain": "1s", "deadline": "3m"}  # the controllers of a real one take a minute too
    first = scene.begin(held, "2.0", canary={"weights": [25, 100], "hold": "8s", **plan})
    last = scene.begin(doomed, "2.0", canary={"weights": [50, 100], "hold": "60s", **plan},
                       gates=[])
    airisd.wait(last, lambda r: r["weight"]["taken"] == 50, 60, "half of the traffic")
    airisd.wait(first, lambda r: r["weight"]["taken"] == 25, 60, "a quarter of the traffic")
    second = scene.begin(busy, "2.0", canary={"weights": [50, 100], "hold": "1s", **plan},
                         gates=[])
    # Its pods are there: kubelab's nodes forget those that they could not tell the server about.
    airisd.wait(second, lambda r: r["canary"] and r["canary"]["ready"] == 2, 30, "its canary")
    begin = time.monotonic()
    lab.freeze_api() if how == "stopped" else lab.kill_api()
    try:
        blocked = airisd.wait_blocked(second, "Cluster", 20)["blocked_on"]
        assert "goes on" in blocked["next"]
        assert airisd.command(last, "abort").status == 200
        assert airisd.call("GET", "/healthz").status == 200
        time.sleep(max(0.0, begin + 20 - time.monotonic()))  # so long it is gone
        assert airisd.rollout(first)["phase"] == "progressing"
        assert airisd.rollout(first)["weight"]["written"] == 25
        assert airisd.rollout(last)["phase"] == "aborting"
    finally:
        lab.thaw_api() if how == "stopped" else lab.revive_api()
    airisd.wait_phase(last, "aborted", 180)
    airisd.wait_phase(second, "succeeded", 180)
    airisd.wait_phase(first, "succeeded", 180)
    doomed.assert_home()
    held.assert_home(image=held.image_of("2.0"))
    busy.assert_home(image=busy.image_of("2.0"))
    assert acts(airisd.events(second), "weight") == [50, 100, 0]


@pytest.mark.parametrize("mode", HOST_MODES)
@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_api_server_gone_under_two_colours(scene, how, mode):
    """For 10 s, one between preview and switch, one in the watch, which is aborted then."""
    lab, airisd = scene.lab, scene.airisd
    busy, doomed = scene.weighted(mode=mode), scene.weighted(mode=mode)
    plan = {"deadline": "3m", "watch": "60s"}
    last = scene.begin(doomed, "2.0", blue_green=plan, gates=[])
    airisd.wait(last, lambda r: r["weight"]["taken"] == 100, 60, "the switch")
    first = scene.begin(busy, "2.0", blue_green={**plan, "watch": "2s", "steady": "3s"}, gates=[])
    airisd.wait(first, lambda r: r["canary"] and r["canary"]["ready"] == 4, 30, "its second colour")
    begin = time.monotonic()
    lab.freeze_api() if how == "stopped" else lab.kill_api()
    try:
        airisd.wait_blocked(first, "Cluster", 20)
        assert airisd.command(last, "abort").status == 200
        time.sleep(max(0.0, begin + 10 - time.monotonic()))
        assert airisd.rollout(first)["phase"] == "progressing"
        assert airisd.rollout(last)["phase"] == "aborting"
    finally:
        lab.thaw_api() if how == "stopped" else lab.revive_api()
    airisd.wait_phase(last, "aborted", 180)
    airisd.wait_phase(first, "succeeded", 180)
    doomed.assert_home()
    busy.assert_active(busy.green, busy.image_of("2.0"))
    assert acts(airisd.events(first), "weight") == [100]


@pytest.mark.together
@pytest.mark.parametrize("mode", HOST_MODES)
def test_prometheus_gone(scene, mode):
    """For 60 s: nobody is promoted or aborted by it; the gate's deadline pauses, if it is short;
    then both go on."""
    folder = os.path.join(scene.folder, "own")
    os.makedirs(folder)
    prometheus = Prometheus(folder, [scene.lab.metrics]).start()
    try:
        airisd = scene.daemon(prometheus=prometheus.url)
        # For so long a queue in front of pods that are nearly busy would fill up some time.
        patient, hasty = [scene.shop(mode=mode, pod_rps=60) for _ in range(2)]
        plan = {"weights": [25, 100], "hold": "3s", "drain": "1s", "deadline": "60s"}
        first = scene.begin(patient, "2.0", canary=plan, gates=[{**GATE, "deadline": "5m"}])
        second = scene.begin(hasty, "2.0", canary=plan, gates=[{**GATE, "deadline": "20s"}])
        for rid in (first, second):
            airisd.wait(rid, lambda r: r["weight"]["taken"] == 25, 60, "a quarter of the traffic")
        prometheus.stop()
        begin = time.monotonic()
        blocked = airisd.wait_blocked(first, "error: ", 30)["blocked_on"]
        assert blocked["object"] == "Gate success-rate"
        paused = airisd.wait_phase(second, "paused", 60)
        assert "gate success-rate" in paused["reason"]
        time.sleep(max(0.0, begin + 60 - time.monotonic()))  # so long it is gone
        for rid, phase in ((first, "progressing"), (second, "paused")):
            r = airisd.rollout(rid)
            assert (r["phase"], r["stage"]["index"], r["weight"]["written"]) == (phase, 1, 25)
        prometheus.start()
        assert airisd.command(second, "resume").status == 200
        for rid, shop in ((first, patient), (second, hasty)):
            airisd.wait_phase(rid, "succeeded", 120)
            shop.assert_home(image=shop.image_of("2.0"))
            assert stages(airisd.events(rid)) == [1, 2, 3, 4, 5]
    finally:
        prometheus.stop()


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_api_server_gone_in_a_blue_green_release(scene, how):
    """For 10 s, with one that waits before the switch and one that is aborted after it."""
    lab, airisd = scene.lab, scene.airisd
    waiting, doomed = scene.colours(), scene.colours()
    plan = {"deadline": "3m", "watch": "60s"}
    first = scene.begin(waiting, "2.0", blue_green={**plan, "approve": True, "watch": "1s"},
                        gates=[])
    last = scene.begin(doomed, "2.0", blue_green=plan, gates=[])
    airisd.wait_blocked(first, "approve", 60)
    airisd.wait(last, lambda r: r["weight"]["taken"] == 100, 60, "all of the traffic")
    begin = time.monotonic()
    lab.freeze_api() if how == "stopped" else lab.kill_api()
    try:
        assert airisd.command(first, "approve").status == 200
        assert airisd.command(last, "abort").status == 200
        time.sleep(max(0.0, begin + 10 - time.monotonic()))
        assert airisd.rollout(first)["weight"]["written"] == 0
        assert airisd.rollout(last)["phase"] == "aborting"
    finally:
        lab.thaw_api() if how == "stopped" else lab.revive_api()
    airisd.wait_phase(last, "aborted", 180)
    airisd.wait_phase(first, "succeeded", 180)
    doomed.assert_home()
    waiting.assert_active(waiting.green, waiting.image_of("2.0"))
    assert acts(airisd.events(first), "weight") == [100]


class Batches:
    """Looks all the time whether a rolling release has more pods than it was allowed. What airisd
    writes down comes before what it writes to the cluster, so it is asked after the pods."""

    def __init__(self, scene, shop, rid):
        self.scene, self.shop, self.rid = scene, shop, rid
        self.beyond, self.looks, self.done = [], 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self):
        while not self.done.wait(0.1):
            try:
                pods = self.shop.pods_of("2.0")
                r = self.scene.airisd.rollout(self.rid)
            except (OSError, LookupError, ValueError, Refused, http.client.HTTPException):
                continue  # the API is gone
            self.looks += 1
            if r["phase"] == "progressing" and r["stage"]["index"] <= 3 and \
                    pods > r["batch"]["allowed"]:
                self.beyond.append((pods, r["batch"], r["stage"]))

    def end(self):
        self.done.set()
        self.thread.join(30)
        assert self.looks > 0 and self.beyond == []


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_api_server_gone_in_a_batch(scene, how):
    """For 16 s: with one that is held in a batch, one between two pods of it, one that is aborted
    then. The first is due to go on after 10 s at most, and nobody is beyond its batch."""
    lab, airisd = scene.lab, scene.airisd
    held, busy = scene.rolling(), scene.rolling()
    # It goes back at its own pace, one pod of four away at a time: the others can carry all.
    doomed = scene.rolling(pod_rps=60)

    def begin(shop, hold="10s", **rolling):
        batches = [{"pods": pods, "hold": hold if pods == "50%" else "0s"}
                   for pods in (1, "50%", "100%")]
        return scene.begin(shop, "2.0", gates=[],
                           rolling={"deadline": "3m", "stages": batches, **rolling})
    last, first = begin(doomed, "60s"), begin(held)
    airisd.wait_blocked(last, "held", 60)
    airisd.wait_blocked(first, "held", 60)
    # Its pod is there: kubelab's nodes forget those that they could not tell the server about.
    second = begin(busy, steady="4s")
    airisd.wait(second, lambda r: r["batch"]["ready"] == 1, 60, "its first pod")
    watched = [Batches(scene, held, first), Batches(scene, busy, second)]
    start = time.monotonic()
    lab.freeze_api() if how == "stopped" else lab.kill_api()
    try:
        airisd.wait_blocked(second, "Cluster", 20)
        assert airisd.command(last, "abort").status == 200
        time.sleep(max(0.0, start + 16 - time.monotonic()))
        assert airisd.rollout(last)["phase"] == "aborting"
        for rid, allowed in ((first, 2), (second, 1)):
            r = airisd.rollout(rid)
            assert (r["phase"], r["batch"]["allowed"]) == ("progressing", allowed)
    finally:
        lab.thaw_api() if how == "stopped" else lab.revive_api()
    airisd.wait_phase(last, "aborted", 180)
    airisd.wait_phase(first, "succeeded", 180)
    airisd.wait_phase(second, "succeeded", 180)
    for batches in watched:
        batches.end()
    doomed.assert_runs("1.0")
    held.assert_runs("2.0")
    busy.assert_runs("2.0")
    for rid in (first, second):
        assert acts(airisd.events(rid), "roll") == [1, 2, 3, 4]
    assert acts(airisd.events(last), "roll") == [1, 2]


@pytest.mark.parametrize("how", ["stopped", "killed"])
def test_api_server_gone_between_ordinals(scene, how):
    """For 16 s: a StatefulSet and a DaemonSet held at their first pod, and one of each that are
    aborted then. Nothing moves meanwhile, and then each goes its way."""
    lab, airisd = scene.lab, scene.airisd
    going = [scene.stateful(), scene.daemons_of()]
    doomed = [scene.stateful(), scene.daemons_of()]

    def begin(shop, hold):
        rid = scene.begin(shop, "2.0", gates=[], rolling={"deadline": "3m", "hold": hold})
        airisd.wait_blocked(rid, "held", 60)
        return rid
    last = [begin(shop, "60s") for shop in doomed]
    first = [begin(shop, "10s") for shop in going]
    start = time.monotonic()
    lab.freeze_api() if how == "stopped" else lab.kill_api()
    try:
        airisd.wait_blocked(first[0], "Cluster", 20)
        for rid in last:
            assert airisd.command(rid, "abort").status == 200
        time.sleep(max(0.0, start + 16 - time.monotonic()))
        assert [airisd.rollout(rid)["phase"] for rid in last] == ["aborting"] * 2
        assert [airisd.rollout(rid)["batch"]["allowed"] for rid in first] == [1, 1]
    finally:
        lab.thaw_api() if how == "stopped" else lab.revive_api()
    for rid, shop in zip(last, doomed):
        airisd.wait_phase(rid, "aborted", 180)
        shop.assert_runs("1.0")
    for rid, shop in zip(first, going):
        airisd.wait_phase(rid, "succeeded", 180)
        shop.assert_runs("2.0")
        assert acts(airisd.events(rid), "roll") == [1, 2, 3]
