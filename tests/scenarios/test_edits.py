"""2g: hand edits while a canary is under way: noticed within a second, named, answered by the
app's policy; what is not ours is left alone and survives."""
import datetime
import json

import pytest

from harness.kube import without_noise
from harness.process import SLOW
from harness.scene import acts
from harness.shop import HOST_MODES, SOME_MODES

pytestmark = pytest.mark.together
HELD = {"canary": {"weights": [50, 100], "hold": "6s", "drain": "1s", "deadline": "30s"},
        "gates": []}


def edit_rule(shop, name, change, manager):
    """Changes one rule of the route as a person would: read, edit, write the list back."""
    rules = shop.rules()
    change(next(rule for rule in rules if rule["name"] == name))
    shop.patch_rules(rules, manager)
    return datetime.datetime.now(datetime.timezone.utc)


def edit_weights(shop, canary, manager="kubectl-edit"):
    def change(rule):
        for side, backend in shop.backends(rule):
            backend["weight"] = canary if side == "canary" else 100 - canary
    return edit_rule(shop, "primary", change, manager)


def at_half(scene, mode="host", **app):
    shop = scene.shop(mode=mode)
    rid = scene.begin(shop, "2.0", **{**HELD, **app})
    scene.airisd.wait(rid, lambda r: r["weight"]["taken"] == 50 and r["stage"]["hold_until"], 60)
    return shop, rid


def noticed(scene, rid, edited, kind="drift"):
    """The event of it, which came within a second."""
    scene.airisd.wait(rid, lambda r: any(e["kind"] == kind for e in scene.airisd.events(rid)), 10)
    event = next(e for e in scene.airisd.events(rid) if e["kind"] == kind)
    at = datetime.datetime.fromisoformat(event["at"].replace("Z", "+00:00"))
    assert (at - edited).total_seconds() < 1 * SLOW
    return event["data"]


@pytest.mark.parametrize("mode", SOME_MODES)
@pytest.mark.parametrize("answer", ["retry", "back", "abort"])
def test_weights_held(scene, mode, answer):
    """It stands still and says who; a person decides."""
    shop, rid = at_half(scene, mode)
    data = noticed(scene, rid, edit_weights(shop, 40))
    assert (data["what"], data["found"], data["expected"]) == ("weight", "40", "50")
    assert data["by"] == "kubectl-edit"
    blocked = scene.airisd.wait_blocked(rid, "kubectl-edit", 5)["blocked_on"]
    assert blocked["object"] == f"{shop.kind} {shop.namespace}/{shop.name}"
    assert shop.weights() == (60, 40)
    if answer == "retry":
        assert scene.airisd.command(rid, "retry").status == 200
    elif answer == "back":
        edit_weights(shop, 50)
    else:
        assert scene.airisd.command(rid, "abort").status == 200
    end = "aborted" if answer == "abort" else "succeeded"
    scene.airisd.wait_phase(rid, end, 90)
    shop.assert_home(image=None if answer == "abort" else shop.image_of("2.0"))


@pytest.mark.parametrize("mode", HOST_MODES)
def test_weights_repaired(scene, mode):
    shop, rid = at_half(scene, mode, onEdit="repair")
    noticed(scene, rid, edit_weights(shop, 40))
    scene.airisd.wait(rid, lambda r: shop.weights() == (50, 50), 5, "the repair")
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_home(image=shop.image_of("2.0"))
    assert acts(scene.airisd.events(rid), "weight") == [50, 50, 100, 0]


@pytest.mark.parametrize("mode", HOST_MODES)
def test_weights_abort(scene, mode):
    shop, rid = at_half(scene, mode, onEdit="abort")
    noticed(scene, rid, edit_weights(shop, 40))
    ended = scene.airisd.wait_phase(rid, "aborted", 60)
    assert "kubectl-edit" in ended["reason"] and "weight is 40 instead of 50" in ended["reason"]
    shop.assert_home()


@pytest.mark.parametrize("mode", SOME_MODES)
def test_what_is_not_ours_is_left_alone(scene, mode):
    """Another rule of the route, a label, an annotation: no hold, and all survive."""
    shop, rid = at_half(scene, mode)

    def change(rule):
        if shop.gateway:
            rule["filters"][0]["requestHeaderModifier"]["set"].append(
                {"name": "x-edited", "value": "by hand"})
            rule["timeouts"] = {"request": "9s"}
        else:
            rule["headers"]["request"]["set"]["x-edited"] = "by hand"
            rule["retries"] = {"attempts": 2}
    edit_rule(shop, "beta", change, "alice")
    scene.kube.patch("Deployment", shop.namespace, shop.name,
                     {"metadata": {"labels": {"team": "web"}, "annotations": {"note": "x"}}}, "bob")
    beta = json.dumps(shop.rules()[0])
    scene.airisd.wait_phase(rid, "succeeded", 90)
    assert not [e for e in scene.airisd.events(rid) if e["kind"] == "drift"]
    assert json.dumps(shop.rules()[0]) == beta
    deployment = scene.kube.get("Deployment", shop.namespace, shop.name)
    assert deployment["metadata"]["labels"]["team"] == "web"
    assert deployment["metadata"]["annotations"]["note"] == "x"
    wanted = without_noise(shop.before)
    shop.rules(wanted)[0] = json.loads(beta)
    assert "x-edited" in beta
    shop.assert_home(image=shop.image_of("2.0"), vs=wanted)


@pytest.mark.parametrize("mode", HOST_MODES)
def test_image_edited(scene, mode):
    """Somebody sets the image by hand in mid-rollout: held and named; put back, it goes on."""
    shop, rid = at_half(scene, mode)

    def set_image(image):
        scene.kube.patch("Deployment", shop.namespace, shop.name, {"spec": {"template": {"spec": {
            "containers": [{"name": "app", "image": image}]}}}}, "carol")
        return datetime.datetime.now(datetime.timezone.utc)
    data = noticed(scene, rid, set_image(shop.image_of("1.5")))
    assert (data["what"], data["found"], data["by"]) == ("image", shop.image_of("1.5"), "carol")
    scene.airisd.wait_blocked(rid, "carol", 5)
    set_image(shop.image)
    scene.airisd.wait_phase(rid, "succeeded", 90)
    assert shop.stable_image() == shop.image_of("2.0")
    assert shop.leftovers() == []
