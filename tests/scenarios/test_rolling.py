"""Rolling releases of a Deployment: in batches, held while airisd is away, and back from each."""
import time

import pytest

from harness.process import wait_for
from harness.scene import abort, abort_on_entering, acts, kill_on_entering, stages

pytestmark = pytest.mark.together
STAGES = ["preflight", "batch 1 pod", "batch 50%", "batch 100%", "finish"]


def held(scene, shop, stage, tag="2.0", **app):
    """A rollout whose batch `stage` (1, 2) is reached and held for long."""
    batches = [{"pods": p, "hold": "60s" if i + 1 == stage else "0s"}
               for i, p in enumerate([1, "50%", "100%"])]
    rid = scene.begin(shop, tag, gates=[], rolling={"stages": batches, **app.pop("rolling", {})},
                      **app)
    scene.airisd.wait_blocked(rid, "held", 60)
    return rid


def test_healthy(scene):
    shop = scene.rolling()
    rid = scene.begin(shop, "2.0")
    scene.airisd.wait_phase(rid, "succeeded", 120)
    shop.assert_runs("2.0")
    events = scene.airisd.events(rid)
    assert acts(events, "roll") == [1, 2, 3, 4]  # a surge of one: pod by pod
    assert stages(events) == [1, 2, 3, 4]
    ladder = scene.airisd.rollout(rid)["ladder"]
    assert [s["name"] for s in ladder] == STAGES
    assert ladder[1]["measured"][0]["verdict"] == "pass"
    plan = scene.airisd.ctl("rollout", "plan", shop.name, "--image", shop.image_of("3.0")).stdout
    assert f"image {shop.image_of('3.0')} on 1 pods" in plan, plan
    assert "rolling as it did before" in plan, plan


def test_what_people_see(scene):
    """No weight where none is steered: so many pods, in every face."""
    shop = scene.rolling()
    rid = held(scene, shop, 2)
    r = scene.airisd.rollout(rid)
    assert (r["weight"], r["canary"]) == (None, None)
    assert r["batch"] == {"allowed": 2, "ready": 2, "size": 4}
    assert [s["batch"] for s in r["ladder"]] == [None, "1", "50%", "100%", None]
    page = scene.airisd.ctl("rollout", "status", rid).stdout
    assert "2 of 4 pods ready, held at 2" in page and "canary" not in page, page
    told = scene.airisd.ctl("rollout", "explain", rid).stdout
    assert "2 of 4 pods run the release" in told, told
    assert "canary" not in told.partition("Last events")[0], told
    assert "batch 50%       -  " in scene.airisd.ctl("rollout", "list").stdout
    assert "pods 50%" in scene.airisd.ctl("rollout", "plan", rid).stdout
    abort(scene, rid)
    shop.assert_runs("1.0")


def test_a_batch_is_held_without_airisd(scene):
    """The controller itself goes no further, so nothing happens while airisd is dead."""
    shop = scene.rolling()
    rid = held(scene, shop, 2)
    scene.airisd.kill()
    time.sleep(4)
    assert shop.images() == {shop.image: 3, shop.image_of("2.0"): 2}
    scene.airisd.start()
    scene.airisd.wait_blocked(rid, "held", 30)
    assert scene.airisd.command(rid, "promote").status == 200
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_runs("2.0")
    assert acts(scene.airisd.events(rid), "roll") == [1, 2, 3, 4]


def test_a_bad_release_stops_in_the_first_batch(scene):
    shop = scene.rolling()
    rid = scene.begin(shop, "2.0-err100")
    ended = scene.airisd.wait_phase(rid, "aborted", 90)
    assert "gate success-rate" in ended["reason"] and '"batch 1 pod"' in ended["reason"]
    assert acts(scene.airisd.events(rid), "roll") == [1]
    shop.assert_runs("1.0")


@pytest.mark.parametrize("tag, says", [("nopull", "ImagePullBackOff"), ("crash", "CrashLoopBackOff"),
                                       ("never", "0 of 1 pods of the batch ready")])
def test_pods_that_never_come(scene, tag, says):
    """One of them is all that there ever is; the old ones stay."""
    shop = scene.rolling()
    rid = scene.begin(shop, f"2.0-{tag}", rolling={"deadline": "8s", "steady": "3s"})
    blocked = scene.airisd.wait_blocked(rid, says, 10)["blocked_on"]
    assert shop.name in blocked["object"]
    # It says that no pod is ready while its controller has yet to make one.
    wait_for("the batch's pod", lambda: shop.images() ==
             {shop.image: 4, shop.image_of(f"2.0-{tag}"): 1}, 5)
    ended = scene.airisd.wait_phase(rid, "aborted", 60)
    assert "no progress" in ended["reason"]
    assert acts(scene.airisd.events(rid), "roll") == [1]
    shop.assert_runs("1.0")


@pytest.mark.parametrize("stage", STAGES)
def test_abort_on_entering(scene, stage):
    abort_on_entering(scene, scene.rolling(), STAGES, stage)


@pytest.mark.parametrize("stage", [1, 2])
def test_abort_in_a_batch(scene, stage):
    shop = scene.rolling()
    rid = held(scene, shop, stage)
    abort(scene, rid)
    shop.assert_runs("1.0")


@pytest.mark.parametrize("stage", STAGES[1:])
def test_kill_9(scene, stage):
    kill_on_entering(scene, scene.rolling(), STAGES, stage)


def test_a_foreign_image_is_held(scene):
    shop = scene.rolling()
    rid = held(scene, shop, 1)
    image = {"spec": {"template": {"spec": {"containers": [
        {"name": "app", "image": shop.image_of("9.9")}]}}}}
    scene.kube.patch("Deployment", shop.namespace, shop.name, image, "somebody")
    blocked = scene.airisd.wait_blocked(rid, "edited by somebody", 20)["blocked_on"]
    assert "9.9" in blocked["what"]
    assert scene.airisd.command(rid, "retry").status == 200
    wait_for("the batch", lambda: shop.images() ==
             {shop.image: 4, shop.image_of("2.0"): 1}, 30)
    abort(scene, rid)
    shop.assert_runs("1.0")


def test_an_hpa_scales_up_in_a_batch(scene):
    """Its floor is held at the size; what it adds is spread, and the rest follows as percents."""
    shop = scene.rolling()
    shop.create_hpa()
    rid = held(scene, shop, 2)
    assert shop.hpa_floor() == 4
    scene.kube.patch("Deployment", shop.namespace, shop.name, {"spec": {"replicas": 6}}, "hpa")
    wait_for("more pods", lambda: sum(shop.images().values()) >= 6, 20)
    shop.replicas, shop.before["spec"]["replicas"] = 6, 6
    assert scene.airisd.command(rid, "promote").status == 200
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_runs("2.0")
    assert shop.hpa_floor() == 2
