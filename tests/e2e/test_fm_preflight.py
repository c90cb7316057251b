"""Preflight: everything that forbids a start is said at once, before anything is written."""
import fm
from harness.process import wait_for


FOUND = ("0 replicas", "is paused", "several HorizontalPodAutoscalers")


def hpa(shop, name):
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": name, "namespace": shop.namespace},
            "spec": {"minReplicas": 1, "maxReplicas": 4, "scaleTargetRef": {
                "apiVersion": "apps/v1", "kind": "Deployment", "name": shop.name}}}


def broken(quick, shops):
    shop = shops(replicas=2).create()
    for name in ("one", "two"):
        shop.kube.create(hpa(shop, name))
    shop.kube.patch("Deployment", shop.namespace, shop.name,
                    {"spec": {"replicas": 0, "paused": True}})
    wait_for("no pods", lambda: shop.endpoints(shop.name) == 0, 10)
    quick.apply(fm.quick(shop))
    return shop


def test_a_start_is_refused_with_all_reasons(quick, shops):
    shop = broken(quick, shops)
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    ended = quick.wait_phase(rid, "aborted")
    assert ended["reason"].startswith("preflight: (1) "), ended["reason"]
    for text in FOUND:
        assert text in ended["reason"], ended["reason"]
    assert fm.acts(quick, rid) == []
    plan = quick.call("POST", "/v1/plan", {"app": shop.name, "image": shop.image_of("2.0")})
    for text in FOUND:
        assert any(text in line for line in plan.json["preflight"]), plan.text
    told = quick.ctl("rollout", "status", rid).stdout
    for text in FOUND:
        assert text in " ".join(told.split()), told
