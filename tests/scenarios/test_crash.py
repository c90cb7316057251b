"""2e, 2h: kill -9 again and again changes nothing but the time it takes."""
import time

import pytest

from harness.kube import without_noise
from harness.process import SLOW, wait_for
from harness.scene import acts, stages
from harness.shop import HOST_MODES, MODES

pytestmark = pytest.mark.together
QUICK = {"canary": {"weights": [10, 25, 50, 100], "hold": "2s", "drain": "1s", "deadline": "60s"}}
ENDED = ("succeeded", "aborted", "failed")


def hammer(daemon, rid, until=ENDED, seconds=240.0):
    """Kills airisd 300 ms after it answers, starts it again, until the phase is reached; returns
    how often."""
    kills, end = 0, time.monotonic() + seconds * SLOW
    while daemon.rollout(rid)["phase"] not in until:
        assert time.monotonic() < end, daemon.rollout(rid)
        time.sleep(0.3)  # what this scenario is about
        daemon.kill()
        daemon.start()
        kills += 1
    return kills


def assert_once(events, ladder):
    """No stage skipped or done twice: each is entered, and left, once and in order, and every
    hold began and ended once."""
    assert stages(events) == list(range(1, len(ladder)))
    assert all(s["state"] == "done" for s in ladder)
    for stage in ladder[1:5]:
        assert stage["measured"][0]["verdict"] == "pass", stage


@pytest.mark.parametrize("mode", MODES)
def test_killed_all_the_time(scene, mode):
    """2e: same end, 0 lost."""
    shop = scene.shop(mode=mode)
    rid = scene.begin(shop, "2.0", **QUICK)
    kills = hammer(scene.airisd, rid)
    r = scene.airisd.rollout(rid)
    assert r["phase"] == "succeeded", r["reason"]
    assert kills > 20
    shop.assert_home(image=shop.image_of("2.0"))
    events = scene.airisd.events(rid)
    assert_once(events, r["ladder"])
    assert [e["data"]["number"] for e in events if e["kind"] == "seen"
            and e["data"]["by"] != ""] == []
    wrote = acts(events, "weight")
    assert sorted(set(wrote[:-1])) == [10, 25, 50, 100] and wrote[-1] == 0


@pytest.mark.parametrize("mode", ["host", "gateway"])
def test_killed_all_the_way_home(scene, mode):
    """A bad canary, and kill -9 from its start to its end."""
    shop = scene.shop(mode=mode)
    rid = scene.begin(shop, "2.0-err20", **QUICK)
    hammer(scene.airisd, rid)
    r = scene.airisd.rollout(rid)
    assert r["phase"] == "aborted" and "gate success-rate" in r["reason"]
    shop.assert_home()


@pytest.mark.parametrize("mode", HOST_MODES)
def test_a_hold_is_not_begun_anew(scene, mode):
    """Its end stands when it begins; killed in it, it ends then."""
    shop = scene.shop(mode=mode)
    app = {"canary": {"weights": [25, 100], "hold": "8s", "drain": "1s"}, "gates": []}
    rid = scene.begin(shop, "2.0", **app)
    held = scene.airisd.wait(rid, lambda r: r["stage"] and r["stage"]["hold_until"], 60)
    # What it shows a moment before it is on the disk may be lost in that moment.
    wait_for("its beginning on the disk", lambda: [
        e["kind"] for e in scene.airisd.events(rid)].count("settled") == 2, 5)
    for _ in range(3):
        scene.airisd.kill()
        scene.airisd.start()
        assert scene.airisd.rollout(rid)["stage"]["hold_until"] == held["stage"]["hold_until"]
    scene.airisd.wait_stage(rid, "canary 100%", 30)
    entered = scene.airisd.rollout(rid)["ladder"][2]["entered"]
    assert entered >= held["stage"]["hold_until"]
    scene.airisd.command(rid, "abort")
    scene.airisd.wait_phase(rid, "aborted", 30)
    shop.assert_home()


@pytest.mark.parametrize("mode", HOST_MODES)
@pytest.mark.parametrize("end", ["succeeded", "aborted"])
def test_hpa_floor(scene, end, mode):
    """2h: the floor is held at the size of the start and given back, also after kill -9."""
    shop = scene.shop(mode=mode, pod_rps=80)
    scene.kube.create({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": shop.name, "namespace": shop.namespace},
        "spec": {"minReplicas": 2, "maxReplicas": 10,
                 "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment",
                                    "name": shop.name}}})

    def hpa():
        return scene.kube.get("HorizontalPodAutoscaler", shop.namespace, shop.name)
    before = hpa()
    rid = scene.begin(shop, "2.0", **{**QUICK, "gates": []})
    scene.airisd.wait_stage(rid, "canary 25%", 60)
    assert hpa()["spec"]["minReplicas"] == 4
    scene.airisd.kill()
    scene.airisd.start()
    scene.airisd.wait_stage(rid, "canary 50%", 60)
    assert hpa()["spec"]["minReplicas"] == 4
    scene.airisd.kill()
    scene.airisd.start()
    if end == "aborted":
        scene.airisd.command(rid, "abort")
        scene.airisd.kill()
        scene.airisd.start()
    scene.airisd.wait_phase(rid, end, 90)
    assert without_noise(hpa())["spec"] == without_noise(before)["spec"]
    shop.assert_home(image=shop.image_of("2.0") if end == "succeeded" else None)
    deployment = scene.kube.get("Deployment", shop.namespace, shop.name)
    assert deployment["spec"]["replicas"] == 4
