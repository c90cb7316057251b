"""Failure modes of sizes (F35 to F39)."""
import time

import fm
from harness.process import SLOW, wait_for


def hpa(shop, low, high, desired=None):
    annotations = {} if desired is None else {"lab/hpa-desired": str(desired)}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": shop.name, "namespace": shop.namespace,
                         "annotations": annotations},
            "spec": {"minReplicas": low, "maxReplicas": high, "scaleTargetRef": {
                "apiVersion": "apps/v1", "kind": "Deployment", "name": shop.name}}}


def floor(shop):
    return shop.kube.get("HorizontalPodAutoscaler", shop.namespace,
                         shop.name)["spec"]["minReplicas"]


def test_sized_by_what_runs(quick, shops):
    """F35, F36, F33: the size is what runs, 4, not what a manifest or an HPA's minimum says; the
    workload's replicas are never written, and the promoted side is as large as the canary before
    traffic comes back to it."""
    shop = shops(replicas=4).create()
    shop.kube.create(hpa(shop, 1, 10, 4))
    seen = fm.Seen(shop.kube, "Deployment", shop.namespace)
    quick.apply(fm.quick(shop))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait_weight(rid, 50)
    assert floor(shop) == 4
    quick.wait_phase(rid, "succeeded")
    assert floor(shop) == 1
    sizes = {o["spec"]["replicas"] for t, kind, o in seen.of(shop.name)}
    canary = [o["spec"]["replicas"] for t, kind, o in seen.of(f"{shop.name}-canary")]
    seen.done()
    assert sizes == {4} and max(canary) == 4
    assert shop.lost() == {}


def test_no_replicas(quick, shops):
    """F37: a workload of 0 has no side to go home to: refused, with what to do."""
    shop = shops(replicas=2).create()
    shop.kube.patch("Deployment", shop.namespace, shop.name, {"spec": {"replicas": 0}})
    wait_for("no pods", lambda: shop.endpoints(shop.name) == 0, 10)
    quick.apply(fm.quick(shop))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    ended = quick.wait_phase(rid, "aborted")
    assert "0 replicas" in ended["reason"] and "scale it" in ended["reason"]
    assert fm.acts(quick, rid) == []


def test_one_replica(quick, shops):
    """F37: with one replica a share is carried by one whole canary pod."""
    shop = shops(replicas=1).create()
    quick.apply(fm.quick(shop, canary={"weights": [10, 100]}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    seen = quick.wait_weight(rid, 10)
    assert seen["canary"] == {**seen["canary"], "size": 1, "ready": 1}
    quick.wait_phase(rid, "succeeded")
    assert shop.lost() == {}


def test_pods_that_cannot_be_created(quick, quick_lab, shops):
    """F38: a quota is named within ten seconds, and the deadline runs."""
    shop = shops().create()
    quick_lab.fault({"quota": 2}, namespace=shop.namespace)
    quick.apply(fm.quick(shop, canary={"deadline": "4s"}))
    begin = time.monotonic()
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    said = quick.wait(rid, lambda r: r["blocked_on"] and "quota" in r["blocked_on"]["what"], 10)
    assert time.monotonic() - begin < 10 * SLOW
    assert said["blocked_on"]["until"] and "abort" in said["blocked_on"]["next"]
    assert f"{shop.name}-canary" in said["blocked_on"]["object"]
    ended = quick.wait_phase(rid, "aborted")
    assert "within 4s" in ended["reason"] and "quota" in ended["reason"]
    assert shop.weights() == (100, 0) and shop.lost() == {}


def test_a_crash_loop_is_no_progress(quick, shops):
    """F39: pods that come and go do not put the deadline off."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"deadline": "6s"}))
    begin = time.monotonic()
    rid = quick.start_rollout(shop.name, shop.image_of("2.0-crash"))
    ended = quick.wait_phase(rid, "aborted")
    assert time.monotonic() - begin < 12 * SLOW
    assert "no progress" in ended["reason"] and "endpoints ready" in ended["reason"]
    assert "CrashLoopBackOff" in {e["data"]["reason"] for e in quick.events(rid)
                                  if e["kind"] == "waits"}
    assert shop.lost() == {}
