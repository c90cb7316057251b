"""Canaries from start to end, on whichever lab (AIRIS_LAB)."""
import json
import pytest

from harness.scene import acts, stages
from harness.shop import GATE, HOST_MODES, LATENCY, MODES

pytestmark = pytest.mark.together


def healthy(scene, mode):
    """2a: half of the pods carry half of the traffic and no more, and yet nothing is lost."""
    shop = scene.shop(mode=mode, pod_rps=30)
    rid = scene.begin(shop, "2.0")
    scene.airisd.wait_phase(rid, "succeeded", 150)
    shop.assert_home(image=shop.image_of("2.0"))
    events = scene.airisd.events(rid)
    assert acts(events, "weight") == [10, 25, 50, 100, 0]
    assert stages(events) == [1, 2, 3, 4, 5, 6, 7]
    ladder = scene.airisd.rollout(rid)["ladder"]
    assert [s["state"] for s in ladder] == ["done"] * 8
    for stage in ladder[1:5]:
        assert stage["measured"][0]["verdict"] == "pass", stage


def bad(scene, tag, mode):
    """2b: aborted by the gate, home reached."""
    shop = scene.shop(mode=mode)
    rid = scene.begin(shop, tag, gates=[GATE, LATENCY])
    ended = scene.airisd.wait_phase(rid, "aborted", 120)
    assert "gate " + ("latency" if "lat" in tag else "success-rate") in ended["reason"]
    shop.assert_home()


@pytest.mark.parametrize("mode", MODES)
def test_healthy(scene, mode):
    healthy(scene, mode)


@pytest.mark.parametrize("mode", ["host", "gateway"])
@pytest.mark.parametrize("tag", ["2.0-err20", "2.0-lat200"])
def test_bad(scene, tag, mode):
    bad(scene, tag, mode)


@pytest.mark.parametrize("tag, says", [("nopull", "ImagePullBackOff"),
                                       ("crash", "CrashLoopBackOff"),
                                       ("never", "0 of 1 endpoints ready"),
                                       ("nosched", "Unschedulable")])
@pytest.mark.parametrize("mode", HOST_MODES)
def test_pods_that_never_come(scene, tag, says, mode):
    """2c: blocked_on says so within 10 s, and the deadline aborts."""
    shop = scene.shop(mode=mode)
    rid = scene.begin(shop, f"2.0-{tag}", canary={"deadline": "12s"})
    blocked = scene.airisd.wait_blocked(rid, says, 10)["blocked_on"]
    assert f"{shop.name}-canary" in blocked["object"]
    assert blocked["until"] and "abort" in blocked["next"]
    said = scene.airisd.ctl("rollout", "explain", rid).stdout
    assert says in said and f"{shop.name}-canary" in said
    ended = scene.airisd.wait_phase(rid, "aborted", 60)
    assert "no progress" in ended["reason"]
    shop.assert_home()
    assert acts(scene.airisd.events(rid), "weight") == []


def test_undo_within_the_window_is_not_held(scene):
    """F48: what ran a moment ago comes back without holds and verdicts, but loses no request."""
    shop = scene.shop()
    rid = scene.begin(shop, "2.0", canary={"hold": "0s"}, gates=[], rollbackWindow="1h")
    scene.airisd.wait_phase(rid, "succeeded", 90)
    scene.airisd.apply(shop.app(canary={"hold": "10m"}, rollbackWindow="1h"))
    undone = scene.airisd.ctl("rollout", "undo", shop.name, "--output", "json")
    assert undone.returncode == 0, undone.stderr
    rid = json.loads(undone.stdout)["id"]
    scene.airisd.wait_phase(rid, "succeeded", 90)
    r = scene.airisd.rollout(rid)
    assert r["release"]["known_good"] and r["release"]["image"] == shop.image
    assert [s["hold"] for s in r["ladder"]] == ["0s"] * len(r["ladder"])
    shop.assert_home()
