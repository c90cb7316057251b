"""Blue-green from start to end: the selector of a Service is switched, and no request is lost."""
import time

import pytest

from harness.process import SLOW, wait_for
from harness.scene import acts, stages

pytestmark = pytest.mark.together
STAGES = ["preflight", "preview", "switch", "keep", "retire"]
QUICK = {"blue_green": {"watch": "1s", "keep": "1s"}, "gates": []}
HELD = {"blue_green": {"watch": "60s"}, "gates": []}


def abort(scene, rid):
    answer = scene.airisd.command(rid, "abort", reason="the test says so")
    assert answer.status == 200, answer.text
    return time.monotonic()


def switched(scene, rid):
    scene.airisd.wait(rid, lambda r: r["weight"]["taken"] == 100 and r["stage"]["hold_until"], 60,
                      "the watch")


def test_healthy_there_and_back(scene):
    """Blue to green, then green to blue: the sides of the second are those of the first, turned."""
    shop = scene.colours()
    rid = scene.begin(shop, "2.0")
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_active(shop.green, shop.image_of("2.0"))
    events = scene.airisd.events(rid)
    assert acts(events, "weight") == [100]
    assert stages(events) == [1, 2, 3]
    ladder = scene.airisd.rollout(rid)["ladder"]
    assert [s["name"] for s in ladder] == ["preflight", "preview", "switch", "retire"]
    assert ladder[2]["measured"][0]["verdict"] == "pass"
    plan = scene.airisd.ctl("rollout", "plan", shop.name, "--image", shop.image_of("3.0")).stdout
    assert f"Service {shop.namespace}/{shop.name}: select the pods of {shop.name}\n" in plan, plan
    assert f"Deployment {shop.namespace}/{shop.green}: 0 replicas" in plan, plan
    rid = scene.begin(shop, "3.0")
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_active(shop.name, shop.image_of("3.0"))
    assert acts(scene.airisd.events(rid), "weight") == [100]


def test_the_preview_shows_the_idle_colour(scene):
    shop = scene.colours()
    rid = scene.begin(shop, "2.0", blue_green={"approve": True, "previewSize": 50}, gates=[])
    scene.airisd.wait_blocked(rid, "approve", 60)
    service = scene.kube.get("Service", shop.namespace, shop.preview)
    assert service["spec"]["selector"] == {"app": shop.green}
    assert (shop.selected(), shop.size(shop.green)) == (shop.name, 2)
    # Its pods are ready; its endpoints follow when the cluster's controller has seen that.
    wait_for("its endpoints", lambda: shop.endpoints(shop.preview) == 2, 10)
    assert scene.airisd.command(rid, "approve").status == 200
    scene.airisd.wait_phase(rid, "succeeded", 60)
    shop.assert_active(shop.green, shop.image_of("2.0"))


def test_a_bad_release_goes_back_at_once(scene):
    """The old colour is still whole, so going back is one write."""
    shop = scene.colours()
    rid = scene.begin(shop, "2.0-err20", blue_green={"watch": "60s"})
    ended = scene.airisd.wait_phase(rid, "aborted", 90)
    assert "gate success-rate" in ended["reason"] and '"switch"' in ended["reason"]
    assert acts(scene.airisd.events(rid), "weight") == [100, 0]
    shop.assert_home()


@pytest.mark.parametrize("tag, says", [("nopull", "ImagePullBackOff"), ("crash", "CrashLoopBackOff"),
                                       ("never", "0 of 4 endpoints ready")])
def test_pods_that_never_come_are_never_switched_to(scene, tag, says):
    shop = scene.colours()
    rid = scene.begin(shop, f"2.0-{tag}", blue_green={"deadline": "12s", "steady": "3s"})
    blocked = scene.airisd.wait_blocked(rid, says, 10)["blocked_on"]
    assert shop.green in blocked["object"]
    ended = scene.airisd.wait_phase(rid, "aborted", 60)
    assert "no progress" in ended["reason"]
    assert acts(scene.airisd.events(rid), "weight") == []
    shop.assert_home()


def test_pods_that_crash_after_the_switch(scene):
    """It goes back once, and not to them again when they come back. All crash in one moment, so
    what comes until the switch is seen is lost: less than a second of a hundred a second."""
    shop = scene.colours()
    rid = scene.begin(shop, "2.0-crash", blue_green={"steady": "0s", "watch": "60s"}, gates=[])
    ended = scene.airisd.wait_phase(rid, "aborted", 60)
    if SLOW > 1 and acts(scene.airisd.events(rid), "weight") == []:  # they crash before it
        assert "no progress" in ended["reason"]
        shop.assert_home()
        return
    assert f"{shop.green} has the traffic and" in ended["reason"]
    assert acts(scene.airisd.events(rid), "weight") == [100, 0]
    shop.assert_home(lost=100 * SLOW)


@pytest.mark.parametrize("stage", STAGES)
def test_abort_on_entering(scene, stage):
    shop = scene.colours()
    rid = scene.begin(shop, "2.0", **QUICK)
    scene.airisd.wait(rid, lambda r: STAGES.index((r["stage"] or {"name": "preflight"})["name"])
                      >= STAGES.index(stage), 90, f"stage {stage}")
    abort(scene, rid)
    scene.airisd.wait_phase(rid, "aborted", 60)
    shop.assert_home()


def test_abort_in_the_watch_is_one_write(scene):
    shop = scene.colours()
    rid = scene.begin(shop, "2.0", **HELD)
    switched(scene, rid)
    assert (shop.selected(), shop.size(shop.name)) == (shop.green, shop.replicas)
    begin = abort(scene, rid)
    wait_for("the old colour", lambda: shop.selected() == shop.name, 5)
    assert time.monotonic() - begin < 1 * SLOW
    scene.airisd.wait_phase(rid, "aborted", 60)
    shop.assert_home()


def test_abort_when_the_old_colour_is_gone(scene):
    """Its last pods are going: it grows first, and is switched to when it can carry all."""
    shop = scene.colours()
    rid = scene.begin(shop, "2.0", **QUICK)
    wait_for("the old colour to go", lambda: shop.size(shop.name) == 0, 60)
    # It may have succeeded in that moment.
    assert scene.airisd.command(rid, "abort", reason="the test says so").status in (200, 409)
    ended = scene.airisd.wait(rid, lambda r: r["phase"] in ("aborted", "succeeded"), 60, "its end")
    if ended["phase"] == "succeeded":
        shop.assert_active(shop.green, shop.image_of("2.0"))
    else:
        shop.assert_home()


@pytest.mark.parametrize("stage", ["preview", "switch", "retire"])
def test_kill_9(scene, stage):
    shop = scene.colours()
    rid = scene.begin(shop, "2.0", **QUICK)
    scene.airisd.wait(rid, lambda r: r["stage"] and STAGES.index(r["stage"]["name"])
                      >= STAGES.index(stage), 90, f"stage {stage}")
    scene.airisd.kill()
    scene.airisd.start()
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_active(shop.green, shop.image_of("2.0"))
    assert acts(scene.airisd.events(rid), "weight") == [100]


def test_a_foreign_switch_is_held(scene):
    """Somebody selects the old colour again in the watch: airisd says who, and waits."""
    shop = scene.colours()
    rid = scene.begin(shop, "2.0", **HELD)
    switched(scene, rid)
    scene.kube.patch("Service", shop.namespace, shop.name,
                     {"spec": {"selector": {"app": shop.name}}}, "somebody")
    blocked = scene.airisd.wait_blocked(rid, "edited by somebody", 20)["blocked_on"]
    assert "weight is 0, airisd left 100" in blocked["what"]
    assert scene.airisd.command(rid, "retry").status == 200
    wait_for("the new colour again", lambda: shop.selected() == shop.green, 20)
    abort(scene, rid)
    scene.airisd.wait_phase(rid, "aborted", 60)
    shop.assert_home()


def test_the_hpa_follows(scene):
    """Its floor holds both colours up, and it scales the one that serves."""
    shop = scene.colours()
    hpa = {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
           "metadata": {"name": shop.name, "namespace": shop.namespace},
           "spec": {"minReplicas": 4, "maxReplicas": 8,
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment",
                                       "name": shop.name}}}
    scene.kube.create(hpa)
    rid = scene.begin(shop, "2.0", **QUICK)
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_active(shop.green, shop.image_of("2.0"))
    spec = scene.kube.get("HorizontalPodAutoscaler", shop.namespace, shop.name)["spec"]
    assert (spec["scaleTargetRef"]["name"], spec["minReplicas"]) == (shop.green, 4)
    assert acts(scene.airisd.events(rid), "follow_hpa") == [100]


def test_a_given_label_and_a_preview_of_the_users(scene):
    """The Service selects by colour; the preview is the user's and stays, at the idle colour."""
    shop = scene.colours(colour=True)
    rid = scene.begin(shop, "2.0", gates=[], blue_green={"label": "colour", "watch": "1s"})
    scene.airisd.wait_phase(rid, "succeeded", 90)
    assert shop.vs()["spec"]["selector"] == {"app": shop.name, "colour": "green"}
    preview = scene.kube.get("Service", shop.namespace, shop.preview)
    assert preview["spec"]["selector"] == {"app": shop.name, "colour": "blue"}
    assert (shop.size(shop.name), shop.size(shop.green)) == (0, shop.replicas)
    assert shop.lost() == {}
    rid = scene.begin(shop, "3.0", gates=[], blue_green={"label": "colour", "watch": "60s"})
    switched(scene, rid)
    abort(scene, rid)
    scene.airisd.wait_phase(rid, "aborted", 60)
    assert shop.vs()["spec"]["selector"] == {"app": shop.name, "colour": "green"}
    assert scene.kube.get("Service", shop.namespace, shop.preview) == preview
    assert shop.image_in(shop.name) == shop.image  # the idle colour is as it was, too
    assert shop.size(shop.name) == 0 and shop.lost() == {}
