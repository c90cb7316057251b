"""Rolling releases of a DaemonSet: node by node, held because nobody else replaces its pods."""
import time

import pytest

from harness.process import wait_for
from harness.scene import abort, abort_on_entering, acts, kill_on_entering

pytestmark = pytest.mark.together
STAGES = ["preflight", "batch 1 pod", "batch 2 pods", "batch 3 pods", "finish"]
NO_GATES = {"gates": []}
MINUTE = {"rolling": {"hold": "60s"}, **NO_GATES}


def held(scene, shop, tag="2.0", **app):
    """A rollout that has the release on its first node, and stays there."""
    rid = scene.begin(shop, tag, **{**MINUTE, **app})
    scene.airisd.wait_blocked(rid, "held", 60)
    return rid


def update_type(scene, shop):
    return scene.kube.get("DaemonSet", shop.namespace, shop.name)["spec"]["updateStrategy"]["type"]


def test_healthy(scene):
    shop = scene.daemons_of()
    rid = scene.begin(shop, "2.0")
    scene.airisd.wait_phase(rid, "succeeded", 120)
    shop.assert_runs("2.0")
    assert update_type(scene, shop) == "RollingUpdate"
    events = scene.airisd.events(rid)
    assert acts(events, "roll") == [1, 2, 3]
    assert len(set(acts(events, "replace_pod", "text"))) == 3
    ladder = scene.airisd.rollout(rid)["ladder"]
    assert [s["name"] for s in ladder] == STAGES
    assert all(s["measured"][0]["verdict"] == "pass" for s in ladder[1:4])
    plan = scene.airisd.ctl("rollout", "plan", shop.name, "--image", shop.image_of("3.0")).stdout
    assert plan.count("delete, so that one of the release comes") == 3, plan


def test_it_is_held_without_airisd(scene):
    shop = scene.daemons_of()
    rid = held(scene, shop)
    scene.airisd.kill()
    time.sleep(4)
    assert shop.tags() == ["1.0", "1.0", "2.0"]
    scene.airisd.start()
    scene.airisd.wait_blocked(rid, "held", 30)
    assert scene.airisd.rollout(rid)["batch"] == {"allowed": 1, "ready": 1, "size": 3}
    assert scene.airisd.command(rid, "promote").status == 200
    wait_for("the next node", lambda: shop.tags() == ["1.0", "2.0", "2.0"], 30)
    abort(scene, rid)
    shop.assert_runs("1.0")
    assert update_type(scene, shop) == "RollingUpdate"


def test_batches_as_the_app_says(scene):
    """Never two nodes without a ready pod, whatever the batch is."""
    shop = scene.daemons_of()
    rid = scene.begin(shop, "2.0", rolling={"batches": ["100%"]}, **NO_GATES)
    scene.airisd.wait_phase(rid, "succeeded", 120)
    events = scene.airisd.events(rid)
    assert acts(events, "roll") == [3]
    assert len(acts(events, "replace_pod", "text")) == 3
    shop.assert_runs("2.0")


def test_a_bad_release_stops_at_the_first_node(scene):
    shop = scene.daemons_of()
    rid = scene.begin(shop, "2.0-err60")
    ended = scene.airisd.wait_phase(rid, "aborted", 90)
    assert "gate success-rate" in ended["reason"] and '"batch 1 pod"' in ended["reason"]
    assert len(acts(scene.airisd.events(rid), "replace_pod", "text")) == 1
    shop.assert_runs("1.0")


@pytest.mark.parametrize("tag", ["nopull", "crash", "never"])
def test_pods_that_never_come(scene, tag):
    shop = scene.daemons_of()
    rid = scene.begin(shop, f"2.0-{tag}", rolling={"deadline": "8s", "steady": "3s"}, **NO_GATES)
    scene.airisd.wait_blocked(rid, "0 of 1 pods of the batch ready", 20)
    ended = scene.airisd.wait_phase(rid, "aborted", 90)
    assert "no progress" in ended["reason"]
    assert len(acts(scene.airisd.events(rid), "replace_pod", "text")) == 1
    shop.assert_runs("1.0")


def test_F41_a_broken_pod_goes_first(scene):
    """The old version's pod on one node does not get ready: it is replaced before the good ones."""
    shop = scene.daemons_of()
    scene.kube.patch("DaemonSet", shop.namespace, shop.name, {"spec": {"template": {"spec": {
        "containers": [{"name": "app", "image": shop.image_of("1.1-never")}]}}}}, "somebody")
    wait_for("a broken pod", lambda: shop.tags() == ["1.0", "1.0", "1.1-never"], 30)
    broken = {p["metadata"]["name"] for p in shop.own_pods()
              if p["spec"]["containers"][0]["image"].endswith("-never")}
    rid = scene.begin(shop, "2.0", **NO_GATES)
    scene.airisd.wait_phase(rid, "succeeded", 90)
    assert {acts(scene.airisd.events(rid), "replace_pod", "text")[0]} == broken
    assert shop.tags() == ["2.0"] * 3
    assert shop.lost() == {}


@pytest.mark.parametrize("stage", STAGES)
def test_abort_on_entering(scene, stage):
    abort_on_entering(scene, scene.daemons_of(), STAGES, stage)


@pytest.mark.parametrize("stage", STAGES[1:])
def test_kill_9(scene, stage):
    kill_on_entering(scene, scene.daemons_of(), STAGES, stage)


def test_a_foreign_strategy_is_held(scene):
    """Somebody lets its controller go on: that is seen, and said."""
    shop = scene.daemons_of()
    rid = held(scene, shop)
    scene.kube.patch("DaemonSet", shop.namespace, shop.name,
                     {"spec": {"updateStrategy": {"type": "RollingUpdate"}}}, "somebody")
    scene.airisd.wait_blocked(rid, "pace is RollingUpdate", 20)
    abort(scene, rid)
    shop.assert_runs("1.0")


def test_on_delete_is_refused(scene):
    shop = scene.daemons_of()
    scene.kube.patch("DaemonSet", shop.namespace, shop.name,
                     {"spec": {"updateStrategy": {"type": "OnDelete"}}}, "somebody")
    scene.airisd.apply(shop.app(**NO_GATES))
    wait_for("it to be seen", lambda: "has updateStrategy OnDelete" in scene.airisd.ctl(
        "app", "preflight", shop.name).stdout, 20)
