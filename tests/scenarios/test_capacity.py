"""A canary's size apart from its weight, and a stable side that gives up what it took over."""
import pytest

from harness.process import wait_for
from harness.scene import abort, acts, stages
from harness.shop import GATE, HOST_MODES

pytestmark = pytest.mark.together
SHRINKS = {"weights": [25, 50, 100], "hold": "3s", "drain": "1s", "deadline": "60s",
           "shrinkStable": True}


def size_of(shop):
    return shop.kube.get("Deployment", shop.namespace, shop.name)["spec"]["replicas"]


def begin_shrunk(scene, shop, tag="2.0", **more):
    """Half of the traffic is on the canary, and one of four stable pods is given up."""
    rid = scene.begin(shop, tag, canary={**SHRINKS, "weights": [50, 100], "hold": "60s"}, **more)
    wait_for("a smaller stable side", lambda: size_of(shop) == 3, 60)
    scene.airisd.wait(rid, lambda r: r["weight"]["taken"] == 50, 30, "half of the traffic")
    return rid


def assert_whole(shop, **more):
    shop.assert_home(**more)
    assert size_of(shop) == 4 == len(shop.pods(shop.name))
    assert shop.lost() == {}


@pytest.mark.parametrize("mode", HOST_MODES)
def test_a_stable_side_that_shrinks(scene, mode):
    """At 25 it keeps 95 percent, at 50 70, at 100 the half that carries all in an abort; it grows
    with the new image, and has its size before it gets its traffic back."""
    shop = scene.shop(mode=mode, pod_rps=40)
    rid = scene.begin(shop, "2.0", canary=SHRINKS)
    scene.airisd.wait_phase(rid, "succeeded", 150)
    events = scene.airisd.events(rid)
    assert acts(events, "scale_stable") == [3, 2, 4]
    done = [e["data"]["act"] for e in events if e["kind"] == "act"]
    assert done.index("set_image") < len(done) - 1 - done[::-1].index("scale_stable")
    assert acts(events, "weight") == [25, 50, 100, 0]
    ladder = scene.airisd.rollout(rid)["ladder"]
    assert stages(events) == list(range(1, len(ladder)))
    assert_whole(shop, image=shop.image_of("2.0"))


def test_a_size_apart_from_the_weight(scene):
    """A canary without traffic first, and more pods than its weight needs; none is taken away."""
    shop = scene.shop(pod_rps=40)
    canary = {"weights": None, "stages": [{"weight": 0, "size": 25}, {"weight": 25, "size": 75},
                                          {"weight": 50}], "hold": "2s"}
    app = shop.app(canary=canary, gates=[])
    del app["strategy"]["canary"]["weights"]
    scene.airisd.apply(app)
    rid = scene.airisd.start_rollout(shop.name, shop.image_of("2.0"))
    scene.rollouts.append(rid)
    scene.airisd.wait_phase(rid, "succeeded", 120)
    events = scene.airisd.events(rid)
    assert acts(events, "create_canary") == [1]
    assert acts(events, "scale_canary") == [3, 4]
    assert acts(events, "weight") == [25, 50, 100, 0]
    first = [e["data"] for e in events if e["kind"] == "act"][:4]
    assert "weight" not in [a["act"] for a in first[:2]]
    assert acts(events, "scale_stable") == []
    assert_whole(shop, image=shop.image_of("2.0"))


def test_an_abort_with_a_healthy_canary(scene):
    """All of the traffic goes in the first write, as from a whole stable side."""
    shop = scene.shop(pod_rps=40)
    rid = begin_shrunk(scene, shop)
    abort(scene, rid)
    events = scene.airisd.events(rid)
    urgent = [(e["data"]["act"], e["data"]["number"]) for e in events
              if e["kind"] == "act" and e["data"]["urgent"]]
    assert urgent[:2] == [("weight", 0), ("scale_stable", 4)], urgent
    assert_whole(shop)


def test_a_gate_that_fails(scene):
    shop = scene.shop(pod_rps=40)
    rid = begin_shrunk(scene, shop, "2.0-err20", gates=[{**GATE, "failures": 8}])
    ended = scene.airisd.wait_phase(rid, "aborted", 120)
    assert "gate success-rate" in ended["reason"]
    assert acts(scene.airisd.events(rid), "scale_stable") == [3, 4]
    shop.assert_home()
    assert size_of(shop) == 4 == len(shop.pods(shop.name))


def test_an_abort_when_the_canary_dies(scene):
    """Its pods end at once: its traffic leaves it, and the stable side gets back what it gave."""
    shop = scene.shop(pod_rps=40)
    rid = begin_shrunk(scene, shop, gates=[])
    scene.kube.patch("Deployment", shop.namespace, f"{shop.name}-canary",
                     {"spec": {"replicas": 0}}, "somebody")
    wait_for("weight 0", lambda: scene.airisd.rollout(rid)["weight"]["taken"] == 0, 30)
    assert set(shop.lost()) <= {"no_endpoints"}  # on the pods that somebody took away
    shop.lost_before = shop.lab.lost(shop.route)
    wait_for("its size", lambda: size_of(shop) == 4, 30)
    abort(scene, rid)
    assert_whole(shop)


@pytest.mark.parametrize("ends", ["succeeded", "aborted"])
def test_killed_while_it_is_shrunk(scene, ends):
    """kill -9: the journal alone says what its size was."""
    shop = scene.shop(pod_rps=40)
    rid = begin_shrunk(scene, shop, gates=[])
    scene.airisd.kill()
    scene.airisd.start()
    if ends == "aborted":
        abort(scene, rid)
        assert_whole(shop)
        return
    scene.airisd.wait(rid, lambda r: r["phase"] == "progressing", 30, "it goes on")
    assert scene.airisd.command(rid, "promote").status == 200
    scene.airisd.wait(rid, lambda r: r["weight"]["taken"] == 100, 60, "all of the traffic")
    scene.airisd.kill()
    scene.airisd.start()
    assert scene.airisd.command(rid, "promote").status == 200
    scene.airisd.wait_phase(rid, "succeeded", 120)
    assert_whole(shop, image=shop.image_of("2.0"))


def test_another_size_is_named(scene):
    """A GitOps tool that writes its own size is held, not fought."""
    shop = scene.shop(pod_rps=40)
    rid = begin_shrunk(scene, shop, gates=[])
    scene.kube.patch("Deployment", shop.namespace, shop.name, {"spec": {"replicas": 4}}, "gitops")
    blocked = scene.airisd.wait_blocked(rid, "stable size is 4, airisd left 3", 20)["blocked_on"]
    assert "gitops" in blocked["what"]
    assert acts(scene.airisd.events(rid), "scale_stable") == [3]
    abort(scene, rid)
    assert_whole(shop)


def test_an_hpa_is_refused(scene):
    shop = scene.shop()
    shop.kube.create({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": shop.name, "namespace": shop.namespace},
        "spec": {"minReplicas": 4, "maxReplicas": 8, "scaleTargetRef": {
            "apiVersion": "apps/v1", "kind": "Deployment", "name": shop.name}}})
    rid = scene.begin(shop, "2.0", canary=SHRINKS)
    ended = scene.airisd.wait_phase(rid, "aborted", 30)
    assert "leave shrinkStable out" in ended["reason"]
    assert_whole(shop)
