"""A ScaledObject of KEDA's holds the bounds of what is released: they are written there, not to the
HPA that KEDA makes from it, and given back exactly as they were."""
import pytest

from harness.keda import Keda
from harness.process import wait_for
from harness.scene import abort, acts

pytestmark = pytest.mark.together

HOLD = {"hold": "3s", "deadline": "60s"}
KINDS = {
    "shop": {"canary": {"weights": [25, 50, 100], "drain": "1s", **HOLD}},
    "colours": {"blue_green": {"watch": "4s", **HOLD}},
    "rolling": {"rolling": {"deadline": "60s", "stages": [
        {"pods": 1, "hold": "3s"}, {"pods": "50%", "hold": "3s"}, {"pods": "100%", "hold": "0s"}]}},
    "stateful": {"rolling": {"deadline": "60s", "hold": "2s"}},
}


def begin(scene, kind, **spec):
    """As soon as the floor is held its triggers rest: without that its pods would go at once. They
    have something to do again before the end, when KEDA may do again what it wants."""
    shop = getattr(scene, kind)(pod_rps=80)
    keda = Keda(scene, shop, **spec)
    rid = scene.begin(shop, "2.0", gates=[], **KINDS[kind])
    keda.wait_floor(shop.replicas)
    keda.rests()
    scene.airisd.wait(rid, lambda r: (r["stage"] or {"index": 0})["index"] >= 2, 60, "stage 2")
    assert keda.size() == shop.replicas
    keda.wakes()
    return shop, keda, rid


@pytest.mark.parametrize("spec", [{}, {"minReplicaCount": 2, "idleReplicaCount": 0}],
                         ids=["absent", "idle"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_the_floor_is_held_and_given_back(scene, kind, spec):
    """What serves keeps its size although nothing is to do, and nothing is lost."""
    shop, keda, rid = begin(scene, kind, **spec)
    scene.airisd.wait_phase(rid, "succeeded", 120)
    events = scene.airisd.events(rid)
    assert keda.spec() == keda.before(shop.green if kind == "colours" else shop.name)
    assert acts(events, "hpa_floor") == [shop.replicas, -1]
    assert acts(events, "hpa_floor", "text") == [shop.name] * 2
    assert acts(events, "follow_hpa") == ([100] if kind == "colours" else [])
    assert acts(events, "scale_stable") == ([0] if kind == "colours" else [])
    assert shop.lost() == {}


@pytest.mark.parametrize("kind", list(KINDS))
def test_an_abort_gives_it_back(scene, kind):
    shop, keda, rid = begin(scene, kind)
    abort(scene, rid)
    assert keda.spec() == keda.before(shop.name)
    if kind in ("shop", "colours"):
        shop.assert_home()
    else:
        shop.assert_runs("1.0")


def test_the_size_is_kedas(scene):
    """Nobody else writes the size of what it scales, nor its HPA."""
    shop, keda, rid = begin(scene, "shop")
    scene.airisd.wait_phase(rid, "succeeded", 120)
    deployment = scene.kube.get("Deployment", shop.namespace, shop.name)
    for entry in deployment["metadata"]["managedFields"]:
        assert entry["manager"] != "airisd" or "f:replicas" not in entry["fieldsV1"]["f:spec"]
    writers = {entry["manager"] for entry in keda.hpa()["metadata"].get("managedFields", [])}
    assert "airisd" not in writers
    shop.assert_home(image=shop.image_of("2.0"))


def test_kill_9(scene):
    """What it was is in the journal: absent is absent again."""
    shop, keda, rid = begin(scene, "shop")
    scene.airisd.kill()
    scene.airisd.start()
    scene.airisd.command(rid, "abort")
    scene.airisd.kill()
    scene.airisd.start()
    scene.airisd.wait_phase(rid, "aborted", 60)
    assert keda.spec() == keda.before(shop.name)
    shop.assert_home()


def test_one_that_is_paused(scene):
    """It is said before, and the release goes on: its size stays what it is."""
    shop = scene.shop(pod_rps=80)
    keda = Keda(scene, shop)
    keda.annotate(**{"autoscaling.keda.sh/paused": "true"})
    wait_for("no HPA", lambda: keda.hpa() is None, 20)
    scene.airisd.apply(shop.app(gates=[], **KINDS["shop"]))
    told = scene.airisd.call("POST", f"/v1/apps/{shop.name}/preflight", {}).json["findings"]
    assert any(f["severity"] == "warns" and "does not grow with its load" in f["text"]
               for f in told), told
    rid = scene.begin(shop, "2.0", gates=[], **KINDS["shop"])
    scene.airisd.wait_phase(rid, "succeeded", 90)
    assert keda.spec() == keda.before(shop.name)
    shop.assert_home(image=shop.image_of("2.0"))
