"""2d, 2i: an abort in every state: the canary's weight is 0 within a second, home is reached,
nothing is lost."""
import time

import pytest

from harness.process import SLOW, wait_for
from harness.scene import acts, stages
from harness.shop import HOST_MODES, MODES, SOME_MODES

pytestmark = pytest.mark.together
QUICK = {"canary": {"weights": [10, 25, 50, 100], "hold": "1s", "drain": "1s", "deadline": "30s"},
         "gates": []}
STAGES = ["preflight", "canary 10%", "canary 25%", "canary 50%", "canary 100%", "promote",
          "return", "clean"]


def abort(scene, rid):
    answer = scene.airisd.command(rid, "abort", reason="the test says so")
    assert answer.status == 200, answer.text
    return time.monotonic()


def abort_at(scene, stage, mode):
    """Aborts as soon as the stage is entered: what it began is under way."""
    shop = scene.shop(mode=mode)
    rid = scene.begin(shop, "2.0", **QUICK)
    scene.airisd.wait(rid, lambda r: STAGES.index((r["stage"] or {"name": "preflight"})["name"])
                      >= STAGES.index(stage), 90, f"stage {stage}")
    abort(scene, rid)
    ended = scene.airisd.wait_phase(rid, "aborted", 60)
    assert ended["reason"] == "the test says so"
    shop.assert_home()


def abort_held(scene, weight, mode):
    """Aborts in the hold of a stage, when all of its traffic flows."""
    shop = scene.shop(mode=mode)
    app = {**QUICK, "canary": {**QUICK["canary"], "weights": sorted({weight, 100}), "hold": "60s"}}
    rid = scene.begin(shop, "2.0", **app)
    scene.airisd.wait(rid, lambda r: r["weight"]["taken"] == weight and r["stage"]["hold_until"],
                      60, "the hold")
    begin = abort(scene, rid)
    wait_for("weight 0", lambda: shop.weights()[1] == 0, 5)
    assert time.monotonic() - begin < 1 * SLOW
    scene.airisd.wait_phase(rid, "aborted", 60)
    shop.assert_home()
    assert acts(scene.airisd.events(rid), "weight") == [weight, 0]


@pytest.mark.parametrize("mode", ["host", "gateway"])
@pytest.mark.parametrize("stage", STAGES)
def test_abort_on_entering(scene, stage, mode):
    abort_at(scene, stage, mode)


@pytest.mark.parametrize("stage", ["canary 10%", "promote", "return", "clean"])
def test_abort_on_entering_subset(scene, stage):
    abort_at(scene, stage, "subset")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("weight", [10, 50])
def test_abort_in_hold(scene, weight, mode):
    abort_held(scene, weight, mode)


@pytest.mark.parametrize("mode", HOST_MODES)
@pytest.mark.parametrize("tag", ["2.0-slow", "2.0-never", "2.0-nopull"])
def test_abort_while_pods_are_pending(scene, tag, mode):
    shop = scene.shop(mode=mode)
    rid = scene.begin(shop, tag, **QUICK)
    scene.airisd.wait_blocked(rid, "0 of 1 endpoints ready", 20)
    abort(scene, rid)
    scene.airisd.wait_phase(rid, "aborted", 30)
    shop.assert_home()
    assert acts(scene.airisd.events(rid), "weight") == []


@pytest.mark.parametrize("mode", HOST_MODES)
def test_abort_while_more_pods_are_pending(scene, mode):
    """At 10 % the canary grows; its new pods are late."""
    shop = scene.shop(mode=mode)
    app = {**QUICK, "canary": {**QUICK["canary"], "weights": [10, 75, 100]}}
    rid = scene.begin(shop, "2.0-slow", **app)
    scene.airisd.wait_blocked(rid, "1 of 3 endpoints ready", 60)
    begin = abort(scene, rid)
    wait_for("weight 0", lambda: shop.weights()[1] == 0, 5)
    assert time.monotonic() - begin < 1 * SLOW
    scene.airisd.wait_phase(rid, "aborted", 30)
    shop.assert_home()


@pytest.mark.parametrize("mode", SOME_MODES)
def test_abort_with_a_stable_pod_unready(scene, mode):
    """2i: three of four carry everything; the fourth is not waited for."""
    shop = scene.shop(mode=mode, pod_rps=45)
    app = {**QUICK, "canary": {**QUICK["canary"], "weights": [50, 100], "hold": "60s"}}
    rid = scene.begin(shop, "2.0", **app)
    scene.airisd.wait(rid, lambda r: r["weight"]["taken"] == 50, 60, "half of the traffic")
    sick = shop.pods(shop.name)[0]
    scene.kube.set_ready(shop.namespace, sick, False)
    scene.airisd.wait(rid, lambda r: r["stable"]["ready"] == 3, 10, "3 of 4 ready")
    begin = abort(scene, rid)
    wait_for("weight 0", lambda: shop.weights()[1] == 0, 5)
    assert time.monotonic() - begin < 1 * SLOW
    scene.airisd.wait_phase(rid, "aborted", 30)
    assert shop.ready(shop.name) == 3
    scene.kube.set_ready(shop.namespace, sick, True)
    shop.assert_home()


@pytest.mark.parametrize("mode", HOST_MODES)
def test_abort_while_a_canary_pod_goes(scene, mode):
    """2i: the one that is left carries its half until the weight is gone."""
    shop = scene.shop(mode=mode, pod_rps=60)
    app = {**QUICK, "canary": {**QUICK["canary"], "weights": [50, 100], "hold": "60s"}}
    rid = scene.begin(shop, "2.0", **app)
    scene.airisd.wait(rid, lambda r: r["weight"]["taken"] == 50, 60, "half of the traffic")
    scene.kube.delete("Pod", shop.namespace, shop.pods(f"{shop.name}-canary")[0])
    begin = abort(scene, rid)
    wait_for("weight 0", lambda: shop.weights()[1] == 0, 5)
    assert time.monotonic() - begin < 1 * SLOW
    scene.airisd.wait_phase(rid, "aborted", 30)
    shop.assert_home()


@pytest.mark.parametrize("mode", HOST_MODES)
def test_abort_is_idempotent_and_final(scene, mode):
    shop = scene.shop(mode=mode)
    rid = scene.begin(shop, "2.0", **QUICK)
    scene.airisd.wait_stage(rid, "canary 10%")
    abort(scene, rid)
    assert scene.airisd.command(rid, "abort").status == 200
    assert scene.airisd.command(rid, "promote").status == 409
    scene.airisd.wait_phase(rid, "aborted", 30)
    assert scene.airisd.command(rid, "abort").status == 200
    assert scene.airisd.command(rid, "retry").status == 409
    events = scene.airisd.events(rid)
    assert [e["data"]["name"] for e in events if e["kind"] == "command"] == ["abort"]
    assert stages(events) == [1]
    shop.assert_home()
