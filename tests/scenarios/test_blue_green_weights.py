"""Blue-green by the weights 0 and 100 of a VirtualService or an HTTPRoute, and no request is lost."""
import time

import pytest

from harness.process import SLOW, wait_for
from harness.scene import acts, stages
from harness.shop import HOST_MODES

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


def reached(scene, rid, stage):
    scene.airisd.wait(rid, lambda r: STAGES.index((r["stage"] or {"name": "preflight"})["name"])
                      >= STAGES.index(stage), 90, f"stage {stage}")


@pytest.mark.parametrize("mode", ["host", "gateway"])
def test_healthy_there_and_back(scene, mode):
    """Blue to green, then green to blue: the route says which of them is the stable side."""
    shop = scene.weighted(mode=mode)
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
    assert f"{shop.kind} {shop.namespace}/{shop.name}: weight 100 for Service {shop.name}, " \
           f"0 for {shop.green}\n" in plan, plan
    assert f"Deployment {shop.namespace}/{shop.green}: 0 replicas" in plan, plan
    assert f" Service {shop.namespace}" not in plan, plan  # both are there, and stay
    rid = scene.begin(shop, "3.0")
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_active(shop.name, shop.image_of("3.0"))
    assert acts(scene.airisd.events(rid), "weight") == [100]


@pytest.mark.parametrize("mode", HOST_MODES)
def test_the_idle_colour_has_a_service_of_its_own(scene, mode):
    """It is what a preview is; the route does not lead there before the switch."""
    shop = scene.weighted(mode=mode)
    rid = scene.begin(shop, "2.0", blue_green={"approve": True, "previewSize": 50}, gates=[])
    scene.airisd.wait_blocked(rid, "approve", 60)
    service = scene.kube.get("Service", shop.namespace, shop.green)
    assert service["spec"]["selector"] == {"app": shop.green}
    assert (shop.selected(), shop.size(shop.green)) == (shop.name, 2)
    wait_for("its endpoints", lambda: shop.endpoints(shop.green) == 2, 10)
    assert scene.airisd.command(rid, "approve").status == 200
    scene.airisd.wait_phase(rid, "succeeded", 60)
    shop.assert_active(shop.green, shop.image_of("2.0"))


@pytest.mark.parametrize("mode", HOST_MODES)
def test_a_bad_release_goes_back_at_once(scene, mode):
    """The old colour is still whole, so going back is one write. Errors are no lost requests."""
    shop = scene.weighted(mode=mode)
    rid = scene.begin(shop, "2.0-err20", blue_green={"watch": "60s"})
    ended = scene.airisd.wait_phase(rid, "aborted", 90)
    assert "gate success-rate" in ended["reason"] and '"switch"' in ended["reason"]
    assert acts(scene.airisd.events(rid), "weight") == [100, 0]
    shop.assert_home()


@pytest.mark.parametrize("mode", HOST_MODES)
@pytest.mark.parametrize("tag, says", [("nopull", "ImagePullBackOff"), ("crash", "CrashLoopBackOff"),
                                       ("never", "0 of 4 endpoints ready")])
def test_pods_that_never_come_get_no_weight(scene, mode, tag, says):
    shop = scene.weighted(mode=mode)
    rid = scene.begin(shop, f"2.0-{tag}", blue_green={"deadline": "12s", "steady": "3s"})
    blocked = scene.airisd.wait_blocked(rid, says, 10)["blocked_on"]
    assert shop.green in blocked["object"]
    ended = scene.airisd.wait_phase(rid, "aborted", 60)
    assert "no progress" in ended["reason"]
    assert acts(scene.airisd.events(rid), "weight") == []
    shop.assert_home()


@pytest.mark.parametrize("mode", HOST_MODES)
@pytest.mark.parametrize("stage", STAGES)
def test_abort_on_entering(scene, mode, stage):
    shop = scene.weighted(mode=mode)
    rid = scene.begin(shop, "2.0", **QUICK)
    reached(scene, rid, stage)
    abort(scene, rid)
    scene.airisd.wait_phase(rid, "aborted", 60)
    shop.assert_home()


@pytest.mark.parametrize("mode", HOST_MODES)
def test_abort_in_the_watch_is_one_write(scene, mode):
    shop = scene.weighted(mode=mode)
    rid = scene.begin(shop, "2.0", **HELD)
    switched(scene, rid)
    assert (shop.selected(), shop.size(shop.name)) == (shop.green, shop.replicas)
    begin = abort(scene, rid)
    wait_for("the old colour", lambda: shop.selected() == shop.name, 5)
    assert time.monotonic() - begin < 1 * SLOW
    scene.airisd.wait_phase(rid, "aborted", 60)
    assert acts(scene.airisd.events(rid), "weight") == [100, 0]
    shop.assert_home()


@pytest.mark.parametrize("mode", HOST_MODES)
def test_abort_when_the_old_colour_is_gone(scene, mode):
    """Its last pods are going: it grows first, and gets weight when it can carry all."""
    shop = scene.weighted(mode=mode)
    rid = scene.begin(shop, "2.0", **QUICK)
    wait_for("the old colour to go", lambda: shop.size(shop.name) == 0, 60)
    # It may have succeeded in that moment.
    assert scene.airisd.command(rid, "abort", reason="the test says so").status in (200, 409)
    ended = scene.airisd.wait(rid, lambda r: r["phase"] in ("aborted", "succeeded"), 60, "its end")
    if ended["phase"] == "succeeded":
        shop.assert_active(shop.green, shop.image_of("2.0"))
    else:
        shop.assert_home()


@pytest.mark.parametrize("mode", HOST_MODES)
@pytest.mark.parametrize("stage", ["preview", "switch", "retire"])
def test_kill_9(scene, mode, stage):
    shop = scene.weighted(mode=mode)
    rid = scene.begin(shop, "2.0", **QUICK)
    reached(scene, rid, stage)
    scene.airisd.kill()
    scene.airisd.start()
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_active(shop.green, shop.image_of("2.0"))
    assert acts(scene.airisd.events(rid), "weight") == [100]


@pytest.mark.parametrize("mode", HOST_MODES)
def test_foreign_weights_are_held(scene, mode):
    """Somebody gives the old colour a half in the watch: airisd says who, and waits."""
    shop = scene.weighted(mode=mode)
    rid = scene.begin(shop, "2.0", **HELD)
    switched(scene, rid)
    rules = shop.rules()
    for rule in rules:
        for to in rule["backendRefs" if shop.gateway else "route"]:
            to["weight"] = 50
    shop.patch_rules(rules, "somebody")
    blocked = scene.airisd.wait_blocked(rid, "edited by somebody", 20)["blocked_on"]
    assert "weight is 50, airisd left 100" in blocked["what"]
    assert scene.airisd.command(rid, "retry").status == 200
    wait_for("the new colour again", lambda: shop.weights() == (0, 100), 20)
    abort(scene, rid)
    scene.airisd.wait_phase(rid, "aborted", 60)
    shop.assert_home()


def test_pods_that_crash_after_the_switch(scene):
    """It goes back once. All crash in one moment, so what comes until that is seen is lost: less
    than a second of a hundred a second."""
    shop = scene.weighted()
    rid = scene.begin(shop, "2.0-crash", blue_green={"steady": "0s", "watch": "60s"}, gates=[])
    ended = scene.airisd.wait_phase(rid, "aborted", 60)
    if SLOW > 1 and acts(scene.airisd.events(rid), "weight") == []:  # they crash before it
        assert "no progress" in ended["reason"]
        shop.assert_home()
        return
    assert f"{shop.green} has the traffic and" in ended["reason"]
    assert acts(scene.airisd.events(rid), "weight") == [100, 0]
    shop.assert_home(lost=100 * SLOW)


@pytest.mark.parametrize("mode", HOST_MODES)
def test_the_hpa_follows(scene, mode):
    """Its floor holds both colours up, and it scales the one that has the weight."""
    shop = scene.weighted(mode=mode)
    scene.kube.create({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": shop.name, "namespace": shop.namespace},
        "spec": {"minReplicas": 4, "maxReplicas": 8,
                 "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment",
                                    "name": shop.name}}})
    rid = scene.begin(shop, "2.0", **QUICK)
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_active(shop.green, shop.image_of("2.0"))
    spec = scene.kube.get("HorizontalPodAutoscaler", shop.namespace, shop.name)["spec"]
    assert (spec["scaleTargetRef"]["name"], spec["minReplicas"]) == (shop.green, 4)
    assert acts(scene.airisd.events(rid), "follow_hpa") == [100]


@pytest.mark.parametrize("mode", HOST_MODES)
def test_given_services_stay_as_they_were(scene, mode):
    """The user made both and named both in the route; the idle colour's image goes home too."""
    shop = scene.weighted(mode=mode, given=True)
    service = scene.kube.get("Service", shop.namespace, shop.green)
    rid = scene.begin(shop, "2.0", **HELD)
    switched(scene, rid)
    abort(scene, rid)
    scene.airisd.wait_phase(rid, "aborted", 60)
    shop.assert_home()
    rid = scene.begin(shop, "2.0", **QUICK)
    scene.airisd.wait_phase(rid, "succeeded", 60)
    shop.assert_active(shop.green, shop.image_of("2.0"))
    before = shop.vs()
    rid = scene.begin(shop, "3.0", **HELD)
    switched(scene, rid)
    abort(scene, rid)
    scene.airisd.wait_phase(rid, "aborted", 60)
    shop.assert_active(shop.green, shop.image_of("2.0"))
    assert shop.image_in(shop.name) == shop.image
    assert shop.vs()["spec"] == before["spec"]
    assert scene.kube.get("Service", shop.namespace, shop.green)["spec"] == service["spec"]


def test_a_service_of_both_colours_is_refused(scene):
    """Nothing is written where the weights would not tell the colours apart."""
    shop = scene.weighted(given=True)
    scene.kube.patch("Service", shop.namespace, shop.green,
                     {"spec": {"selector": {"app": shop.name}}}, "somebody")
    rid = scene.begin(shop, "2.0", **QUICK)
    ended = scene.airisd.wait_phase(rid, "aborted", 20)
    assert "would select the pods" in ended["reason"], ended["reason"]
    assert shop.vs() == shop.before and shop.size(shop.green) is None


def test_a_route_that_would_be_left_behind_is_refused(scene):
    shop = scene.weighted()
    app = shop.app(**QUICK)
    app["traffic"]["istio"]["routes"] = ["primary"]
    scene.airisd.apply(app)
    rid = scene.airisd.start_rollout(shop.name, shop.image_of("2.0"))
    scene.rollouts.append(rid)
    ended = scene.airisd.wait_phase(rid, "aborted", 20)
    assert 'http route "beta" leads to' in ended["reason"], ended["reason"]
    assert shop.vs() == shop.before
