"""PodDisruptionBudgets in blue-green releases: what serves is guarded as the first colour was."""
import time

import pytest

from harness.process import wait_for
from harness.scene import acts

pytestmark = pytest.mark.together
QUICK = {"blue_green": {"watch": "1s", "keep": "1s"}, "gates": []}
HELD = {"blue_green": {"watch": "60s"}, "gates": []}


def of(labels):
    return {"matchLabels": labels}


def guarded(shop, wanted):
    """Until the budgets are these, with so many pods each."""
    def look():
        found = shop.budgets()
        assert found == wanted, found
        return True
    wait_for(f"budgets {wanted}", look, 20)


def guard(shop):
    return shop.kube.get("PodDisruptionBudget", shop.namespace, "guard")


def test_there_and_back(scene):
    """Before the switch green has one of its own, cloned from the user's; it goes with green. The
    user's own is not touched."""
    shop = scene.colours()
    shop.budget(of({"app": shop.name}))
    before = guard(shop)
    rid = scene.begin(shop, "2.0", blue_green={"approve": True, "watch": "1s"}, gates=[])
    scene.airisd.wait_blocked(rid, "approve", 60)
    guarded(shop, {"guard": 4, shop.green: 4})  # nothing is switched yet
    text = scene.airisd.ctl("rollout", "plan", rid).stdout
    assert (f"PodDisruptionBudget {shop.namespace}/{shop.green}: create, cloned from that of "
            f"{shop.name}") in text, text
    ours = shop.kube.get("PodDisruptionBudget", shop.namespace, shop.green)
    assert ours["spec"] == {"minAvailable": 3, "selector": {"matchLabels": {"app": shop.green}}} \
        or ours["spec"]["selector"] == {"matchLabels": {"app": shop.green}, "matchExpressions": []}
    assert ours["metadata"]["annotations"] == {"airis.io/app": shop.name}
    assert scene.airisd.command(rid, "approve").status == 200
    scene.airisd.wait_phase(rid, "succeeded", 60)
    shop.assert_active(shop.green, shop.image_of("2.0"))
    guarded(shop, {"guard": 0, shop.green: 4})
    text = scene.airisd.ctl("rollout", "plan", shop.name, "--image", shop.image_of("3.0")).stdout
    assert f"PodDisruptionBudget {shop.namespace}/{shop.green}: delete" in text, text
    rid = scene.begin(shop, "3.0", **QUICK)
    scene.airisd.wait_phase(rid, "succeeded", 60)
    shop.assert_active(shop.name, shop.image_of("3.0"))
    guarded(shop, {"guard": 4})
    assert acts(scene.airisd.events(rid), "delete_budget") == [0]
    after = guard(shop)
    assert after["spec"] == before["spec"] and \
        after["metadata"]["uid"] == before["metadata"]["uid"] and \
        after["metadata"].get("generation") == before["metadata"].get("generation")


@pytest.mark.parametrize("how", ["spans", "each", "none"])
def test_nothing_is_needed(scene, how):
    """One that spans both colours, one for each, or none at all."""
    shop = scene.colours(colour=True)
    label = {"app": shop.name}
    if how == "spans":
        shop.budget(of(label))
    if how == "each":
        shop.budget(of({**label, "colour": "blue"}))
        shop.kube.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                          "metadata": {"name": shop.green, "namespace": shop.namespace},
                          "spec": {"selector": of({**label, "colour": "green"}),
                                   "maxUnavailable": 1}})
    before = sorted(shop.budgets())
    rid = scene.begin(shop, "2.0", gates=[], blue_green={"label": "colour", "watch": "1s"})
    scene.airisd.wait_phase(rid, "succeeded", 60)
    assert sorted(shop.budgets()) == before
    events = scene.airisd.events(rid)
    assert acts(events, "create_budget") == acts(events, "delete_budget") == []
    assert shop.lost() == {}


def test_an_abort_takes_it_away(scene):
    """By a label for the colour; what somebody deletes meanwhile comes again."""
    shop = scene.colours(colour=True)
    shop.budget({"matchExpressions": [
        {"key": "app", "operator": "In", "values": [shop.name]},
        {"key": "colour", "operator": "In", "values": ["blue"]}]}, maxUnavailable="25%")
    rid = scene.begin(shop, "2.0", gates=[], blue_green={"label": "colour", "watch": "60s"})
    scene.airisd.wait(rid, lambda r: r["weight"]["taken"] == 100, 60, "the switch")
    guarded(shop, {"guard": 4, shop.green: 4})
    shop.kube.delete("PodDisruptionBudget", shop.namespace, shop.green)
    guarded(shop, {"guard": 4, shop.green: 4})
    assert scene.airisd.command(rid, "abort").status == 200
    scene.airisd.wait_phase(rid, "aborted", 60)
    guarded(shop, {"guard": 4})
    events = scene.airisd.events(rid)
    assert acts(events, "create_budget") == [100, 100]
    assert acts(events, "delete_budget") == [100]
    assert shop.lost() == {}


def test_somebody_makes_one_in_between(scene):
    """A pod of two budgets could not be evicted: then ours goes."""
    shop = scene.colours()
    shop.budget(of({"app": shop.name}))
    rid = scene.begin(shop, "2.0", **HELD)
    guarded(shop, {"guard": 4, shop.green: 4})
    shop.kube.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                      "metadata": {"name": "theirs", "namespace": shop.namespace},
                      "spec": {"selector": of({"app": shop.green}), "maxUnavailable": 1}})
    guarded(shop, {"guard": 4, "theirs": 4})
    assert scene.airisd.command(rid, "abort").status == 200
    scene.airisd.wait_phase(rid, "aborted", 60)
    shop.assert_home()
    guarded(shop, {"guard": 4, "theirs": 0})
    shop.kube.delete("PodDisruptionBudget", shop.namespace, "theirs")


@pytest.mark.parametrize("end", ["succeeded", "aborted"])
def test_kill_9(scene, end):
    """Again and again: there is one for what serves, and nothing is left over."""
    shop = scene.colours()
    shop.budget(of({"app": shop.name}))
    rid = scene.begin(shop, "2.0", **(QUICK if end == "succeeded" else HELD))
    for i in range(12):
        time.sleep(0.1 + 0.13 * i)
        scene.airisd.kill()
        scene.airisd.start()
        if i == 8 and end == "aborted":
            assert scene.airisd.command(rid, "abort").status == 200
    scene.airisd.wait_phase(rid, end, 90)
    if end == "succeeded":
        shop.assert_active(shop.green, shop.image_of("2.0"))
        guarded(shop, {"guard": 0, shop.green: 4})
    else:
        shop.assert_home()
        guarded(shop, {"guard": 4})


def test_by_weights(scene):
    shop = scene.weighted()
    shop.kube.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                      "metadata": {"name": "guard", "namespace": shop.namespace},
                      "spec": {"selector": of({"app": shop.name}), "minAvailable": 3}})
    rid = scene.begin(shop, "2.0", **QUICK)
    scene.airisd.wait_phase(rid, "succeeded", 90)
    names = {b["metadata"]["name"]: b["spec"]["selector"]["matchLabels"]
             for b in shop.kube.list("PodDisruptionBudget", shop.namespace)}
    assert names == {"guard": {"app": shop.name}, shop.green: {"app": shop.green}}
    for name in names:
        shop.kube.delete("PodDisruptionBudget", shop.namespace, name)
