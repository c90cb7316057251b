"""Others change the sizes of what is released: an HPA all the time, a person before an abort."""
import http.client
import threading

import pytest

from harness.kube import Refused
from harness.process import wait_for
from harness.scene import acts, stages

pytestmark = pytest.mark.together


class Scaler:
    """What an HPA writes: sizes up and down within its bounds, to whom it scales now. Its own
    controller has no metrics here, so it keeps to its bounds and to nothing else."""

    SIZES = (6, 4, 8, 5, 3)

    def __init__(self, scene, shop):
        self.kube, self.shop = scene.kube, shop
        self.kube.create({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": shop.name, "namespace": shop.namespace},
            "spec": {"minReplicas": 3, "maxReplicas": 8, "scaleTargetRef": {
                "apiVersion": "apps/v1", "kind": "Deployment", "name": shop.name}}})
        self.writes, self.sizes, self.done = 0, set(), threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def spec(self):
        return self.kube.get("HorizontalPodAutoscaler", self.shop.namespace,
                             self.shop.name)["spec"]

    def run(self):
        while not self.done.wait(2):
            try:
                self.move()
            except (Refused, OSError, http.client.HTTPException):
                pass

    def move(self):
        spec = self.spec()
        name = spec["scaleTargetRef"]["name"]
        now = self.kube.get("Deployment", self.shop.namespace, name)["spec"]["replicas"]
        self.sizes.add(now)
        size = max(spec["minReplicas"], self.SIZES[self.writes % len(self.SIZES)])
        if now > 0:  # a workload of 0 is left alone
            self.kube.patch("Deployment", self.shop.namespace, name, {"spec": {"replicas": size}},
                            "hpa")
            self.writes += 1

    def end(self):
        self.done.set()
        self.thread.join(30)
        assert self.writes >= 5 and len(self.sizes) >= 3 and min(self.sizes) >= 3, self.sizes


HOLD = {"hold": "3s", "deadline": "60s"}  # longer than the HPA rests, but where all pods count
KINDS = {
    "canary": {"canary": {"weights": [25, 50, 100], "drain": "1s", **HOLD}},
    "colours": {"blue_green": {"watch": "6s", "keep": "3s", **HOLD}},
    "rolling": {"rolling": {"deadline": "60s", "stages": [
        {"pods": 1, "hold": "3s"}, {"pods": "50%", "hold": "3s"}, {"pods": "100%", "hold": "0s"}]}},
}


@pytest.mark.parametrize("kind", list(KINDS))
def test_an_hpa_moves_in_every_state(scene, kind):
    """F34: no stage comes again, what serves is never at 0, and nothing is lost."""
    shop = getattr(scene, "shop" if kind == "canary" else kind)(pod_rps=60)
    scaler = Scaler(scene, shop)
    rid = scene.begin(shop, "2.0", gates=[], **KINDS[kind])
    scene.airisd.wait_phase(rid, "succeeded", 180)
    scaler.end()
    events = scene.airisd.events(rid)
    ladder = scene.airisd.rollout(rid)["ladder"]
    assert stages(events) == list(range(1, len(ladder)))
    assert acts(events, "scale_stable") == ([0] if kind == "colours" else [])
    spec = scaler.spec()
    assert spec["minReplicas"] == 3
    assert spec["scaleTargetRef"]["name"] == (shop.green if kind == "colours" else shop.name)
    assert shop.lost() == {}


@pytest.mark.parametrize("capacity", [50, 100])
def test_an_abort_with_a_shrunk_stable_side(scene, capacity):
    """F44: somebody has made it 1 of 4 while half of the traffic was on the canary. It grows
    first, then the traffic follows, as far as its ready pods can carry it."""
    shop = scene.shop(pod_rps=70)
    rid = scene.begin(shop, "2.0", gates=[], canary={
        "weights": [25, 50, 100], "hold": "30s", "drain": "1s", "deadline": "60s",
        "abortCapacity": capacity})
    scene.airisd.wait(rid, lambda r: r["weight"]["taken"] == 25, 60, "a quarter")
    assert scene.airisd.command(rid, "promote").status == 200
    scene.airisd.wait(rid, lambda r: r["weight"]["taken"] == 50, 60, "half of the traffic")
    scene.kube.patch("Deployment", shop.namespace, shop.name, {"spec": {"replicas": 1}}, "somebody")
    wait_for("one pod", lambda: len(shop.pods(shop.name)) == 1 == shop.endpoints(shop.name), 20)
    assert scene.airisd.command(rid, "abort").status == 200
    scene.airisd.wait_phase(rid, "aborted", 60)
    events = scene.airisd.events(rid)
    assert acts(events, "scale_stable") == [4]
    done = [e["data"]["act"] for e in events if e["kind"] == "act" and e["data"]["urgent"]]
    assert done[:2] == ["scale_stable", "weight"]
    weights = acts(events, "weight")  # 25 is a step where four pods carry all, or left out
    assert weights[:2] == [25, 50] and weights[2:] in ([0], [25, 0]), weights
    shop.assert_home()
    assert len(shop.pods(shop.name)) == 4
