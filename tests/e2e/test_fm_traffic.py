"""Failure modes of traffic (F19 to F33, F85): what every state of the routes and workloads was in a
release, and what is done when somebody else changes them."""
import time

import pytest

import fm
from harness.kube import without_noise
from harness.process import wait_for


def weights_of(route, name):
    """(stable, canary) of a VirtualService object; None for a side that it does not name."""
    for http in route["spec"]["http"]:
        if http.get("name") == "primary":
            sides = {"stable": None, "canary": None}
            for to in http["route"]:
                dest = to["destination"]
                if dest["host"].split(".")[0] == f"{name}-canary" or dest.get("subset") == "canary":
                    sides["canary"] = to.get("weight")
                elif dest["host"].split(".")[0] == name:
                    sides["stable"] = to.get("weight")
            return sides["stable"], sides["canary"]
    raise KeyError("primary")


def replicas(events):
    return [(t, 0 if kind == "DELETED" else obj["spec"]["replicas"]) for t, kind, obj in events]


@pytest.fixture(scope="module", params=["host", "subset"])
def release(request, quick_lab, tmp_path_factory):
    """One release under traffic, with everything that was seen of its objects."""
    from conftest import SETTLE, stop_well
    from harness.daemon import Daemon
    shops = fm.Shops(quick_lab)
    daemon = Daemon(str(tmp_path_factory.mktemp("traffic")), quick_lab.kubeconfig,
                    settle=SETTLE).start()
    try:
        shop = shops(mode=request.param, replicas=4)
        audit(shop)
        shop.virtual_service = lambda plain=shop.virtual_service: richer(plain(), shop)
        shop.create()
        seen = {kind: fm.Seen(shop.kube, kind, shop.namespace)
                for kind in ("VirtualService", "DestinationRule", "Deployment", "Service",
                             "EndpointSlice", "Pod")}
        daemon.apply(fm.quick(shop, canary={"weights": [25, 50, 100], "drain": "1s"}))
        rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
        daemon.wait_phase(rid, "succeeded")
        events = daemon.events(rid)
        yield {"shop": shop, "events": events, "mode": request.param, "lost": shop.lost(),
               "after": shop.vs(), "leftovers": shop.leftovers(),
               **{kind: s.done() for kind, s in seen.items()}}
        stop_well(daemon)
    finally:
        if daemon.process.alive():
            daemon.kill()
        shops.remove()


def audit(shop):
    """Another workload with a Service, of the same namespace."""
    shop.kube.ensure_namespace(shop.namespace)
    for obj in (shop.deployment(), shop.service()):
        obj["metadata"]["name"] = "audit"
        spec = obj["spec"]
        if obj["kind"] == "Deployment":
            spec["selector"]["matchLabels"] = spec["template"]["metadata"]["labels"] = {
                "app": "audit"}
        else:
            spec["selector"] = {"app": "audit"}
        shop.kube.create(obj)
    wait_for("audit", lambda: shop.endpoints("audit") == shop.replicas, 30)


def richer(route, shop):
    """With what a user may have there: a third destination, fields that nobody knows."""
    primary = route["spec"]["http"][1]
    primary["route"] = [{"destination": {"host": shop.name}, "weight": 90,
                         "headers": {"response": {"add": {"x-side": "stable"}}}},
                        {"destination": {"host": "audit"}, "weight": 10}]
    primary["retries"] = {"attempts": 2, "perTryTimeout": "1s", "x-new-field": True}
    route["spec"]["http"].insert(0, {
        "name": "headers", "match": [{"withoutHeaders": {"x-test": {}}, "uri": {"prefix": "/t"}}],
        "route": [{"destination": {"host": shop.name}}]})
    return route


def routes(release):
    return [obj for _, kind, obj in release["VirtualService"] if kind != "DELETED"]


def test_weights_add_up_beside_a_third_destination(release):
    """F24: the pair's share stays 90 and the third destination's 10, in every state."""
    for route in routes(release):
        primary = next(h for h in route["spec"]["http"] if h["name"] == "primary")
        third = [r for r in primary["route"] if r["destination"]["host"] == "audit"]
        assert [r["weight"] for r in third] == [10]
        stable, canary = weights_of(route, release["shop"].name)
        assert stable + (canary or 0) == 90
    shares = {weights_of(r, release["shop"].name)[1] for r in routes(release)}
    assert {23, 45, 90, 0} <= shares or {22, 45, 90, 0} <= shares, shares


def test_zero_is_written_out(release):
    """F23: a destination of ours without a weight never stands beside others."""
    for route in routes(release):
        primary = next(h for h in route["spec"]["http"] if h["name"] == "primary")
        assert all(isinstance(r.get("weight"), int) for r in primary["route"]), primary


def test_what_is_not_ours_stays(release):
    """F25: other routes, unknown fields, headers and timeouts are the same in every state."""
    def rest(route):
        route = without_noise(route)
        for http in route["spec"]["http"]:
            if http["name"] == "primary":
                http["route"] = [{k: v for k, v in r.items() if k != "weight"}
                                 for r in http["route"]
                                 if "canary" not in str(r["destination"])]
                for r in http["route"]:
                    r["destination"].pop("subset", None)
        return route
    first = rest(routes(release)[0])
    for route in routes(release):
        assert rest(route) == first
    assert without_noise(release["after"])["spec"] == without_noise(routes(release)[0])["spec"]


def test_writes_do_not_pile_up(release):
    """F26: never more than one destination more, and no write of what is there already."""
    before = None
    for route in routes(release):
        primary = next(h for h in route["spec"]["http"] if h["name"] == "primary")
        assert len(primary["route"]) <= 3 and len(route["spec"]["http"]) == 3
        assert route["spec"] != before, "a write that changed nothing"
        before = route["spec"]


def test_order_of_routing(release):
    """F22, F21: what a route names is there before the route names it, and after it too."""
    name = release["shop"].name
    named = [t for t, kind, o in release["VirtualService"] if weights_of(o, name)[1] is not None]
    if release["mode"] == "host":
        there = [t for t, kind, o in release["Service"]
                 if o["metadata"]["name"] == f"{name}-canary" and kind == "ADDED"]
        gone = [t for t, kind, o in release["Service"]
                if o["metadata"]["name"] == f"{name}-canary" and kind == "DELETED"]
    else:
        def subsets(o):
            return {s["name"] for s in o["spec"].get("subsets") or []}
        there = [t for t, kind, o in release["DestinationRule"]
                 if kind != "DELETED" and {"stable", "canary"} <= subsets(o)]
        gone = [t for t, kind, o in release["DestinationRule"]
                if kind == "DELETED" or (t > named[-1] and "canary" not in subsets(o))]
    home = next(t for t, kind, o in release["VirtualService"]
                if t > named[-1] and weights_of(o, name)[1] is None)
    # Two writes that need each other never fall into one push of the mesh.
    assert there[0] + 0.3 < named[0] and home + 0.3 < gone[0]


def test_pods_go_after_the_traffic(release):
    """F31, F33: neither side is ever smaller than its share needs, and the canary's pods are there
    until its weight was 0 and the drain is over."""
    name = release["shop"].name
    changes = [(t, "weight", (weights_of(o, name)[1] or 0) / 90)
               for t, kind, o in release["VirtualService"]]
    changes += [(t, "canary", n) for t, n in replicas(
        [e for e in release["Deployment"] if e[2]["metadata"]["name"] == f"{name}-canary"])]
    changes += [(t, "stable", n) for t, n in replicas(
        [e for e in release["Deployment"] if e[2]["metadata"]["name"] == name])]
    now = {"weight": 0, "canary": 0, "stable": 4}
    zero_at = None
    for t, what, value in sorted(changes, key=lambda c: c[0]):
        if what == "weight" and value == 0 and now["weight"] > 0:
            zero_at = t
        if what == "canary" and value < now["canary"]:
            assert now["weight"] == 0 and t >= zero_at + 1, "the drain is a second"
        now[what] = value
        assert now["canary"] + 1e-9 >= 4 * now["weight"] - 0.1, now
        assert now["stable"] >= 4 * (1 - now["weight"]) - 0.1, now
    assert now == {"weight": 0, "canary": 0, "stable": 4}


def test_pods_stay_selected(release):
    """F32: every pod that served is selected by a Service as long as it lives."""
    listed = {}
    for t, kind, o in release["EndpointSlice"]:
        for e in (o.get("endpoints") or []) if kind != "DELETED" else []:
            if e.get("conditions", {}).get("ready"):
                listed.setdefault(e["targetRef"]["name"], [t, t])[1] = t
    services_gone = {o["metadata"]["name"]: t for t, kind, o in release["Service"]
                     if kind == "DELETED"}
    for t, kind, o in release["Pod"]:
        pod = o["metadata"]["name"]
        if kind == "DELETED" and "-canary-" in pod:
            assert pod in listed
            for gone in services_gone.values():
                assert t <= gone + 0.05, "its Service went first"


def test_nothing_is_lost(release):
    """And all of that for this."""
    assert release["lost"] == {} and release["leftovers"] == []


def held_at_half(daemon, shop, **more):
    """A release that stays at half of the traffic."""
    daemon.apply(fm.quick(shop, canary={"weights": [50, 100], "hold": "60s",
                                        "deadline": "60s"}, **more))
    rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
    daemon.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    return rid


def abort(daemon, rid, timeout=60):
    assert daemon.command(rid, "abort").status == 200
    return daemon.wait_phase(rid, "aborted", timeout)


def test_too_few_ready(quick, quick_lab, shops):
    """F19: pods that cannot come cap the weight, and that is said."""
    shop = shops(replicas=4).create()
    quick_lab.fault({"quota": 6}, namespace=shop.namespace)
    quick.apply(fm.quick(shop))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 100%" and r["blocked_on"] and
               "2 of 4" in r["blocked_on"]["what"] and "quota" in r["blocked_on"]["what"])
    assert shop.weights() == (50, 50)
    abort(quick, rid)
    assert shop.leftovers() == []


def test_ready_pods_drop(quick, quick_lab, shops):
    """F20: when ready pods of the canary go, its weight is lowered to what is left."""
    shop = shops(replicas=4).create()
    rid = held_at_half(quick, shop)
    quick_lab.fault({"quota": 4}, namespace=shop.namespace)
    pods = [p["metadata"]["name"] for p in shop.kube.list("Pod", shop.namespace)
            if p["metadata"]["name"].startswith(f"{shop.name}-canary-")]
    shop.kube.delete("Pod", shop.namespace, pods[0])
    wait_for("a lower weight", lambda: shop.weights() == (75, 25), 10)
    quick_lab.no_faults()
    quick.wait(rid, lambda r: r["weight"]["written"] == 50)
    shop.kube.delete("Pod", shop.namespace, pods[1])
    abort(quick, rid)


def test_subset_that_fits_no_pod(quick, shops):
    """F21: a stable subset that the pods do not match is refused before the route is touched."""
    shop = shops(mode="subset").create()
    shop.kube.create({"apiVersion": "networking.istio.io/v1", "kind": "DestinationRule",
                      "metadata": {"name": shop.name, "namespace": shop.namespace},
                      "spec": {"host": shop.name, "subsets": [
                          {"name": "stable", "labels": {"version": "v1"}}]}})
    before = shop.vs()
    quick.apply(fm.quick(shop))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    ended = quick.wait_phase(rid, "aborted")
    assert ended["reason"].startswith("preflight: ") and "stable" in ended["reason"]
    assert shop.vs() == before


def test_webhook_refuses(quick, quick_lab, shops):
    """F27: a webhook that is down blocks with its words, and the abort's weight is tried until it
    is taken."""
    shop = shops().create()
    rid = held_at_half(quick, shop)
    quick_lab.fault({"webhook_refuses": True}, namespace=shop.namespace)
    assert quick.command(rid, "promote").status == 200
    quick.wait(rid, lambda r: "failed calling webhook" in (r["blocked_on"] or {}).get("what", ""))
    assert quick.command(rid, "abort").status == 200
    quick.wait(rid, lambda r: r["phase"] == "aborting" and "failed calling webhook" in
               (r["blocked_on"] or {}).get("what", ""))
    assert shop.weights() == (50, 50)
    quick_lab.no_faults()
    wait_for("weight 0", lambda: shop.weights() == (100, 0), 35)
    quick.wait_phase(rid, "aborted")
    assert shop.leftovers() == []


@pytest.mark.parametrize("policy", ["hold", "repair", "abort"])
def test_edited_weights(quick, shops, policy):
    """F28: noticed within a second, the editor named, answered as the app says."""
    shop = shops().create()
    rid = held_at_half(quick, shop, onEdit=policy)
    route = shop.vs()["spec"]["http"]
    route[1]["route"] = [{**r, "weight": 70 if i == 0 else 30}
                         for i, r in enumerate(route[1]["route"])]
    begin = time.monotonic()
    shop.kube.patch("VirtualService", shop.namespace, shop.name, {"spec": {"http": route}},
                    manager="alice")
    if policy == "hold":
        held = quick.wait(rid, lambda r: r["blocked_on"] and "alice" in r["blocked_on"]["what"])
        assert time.monotonic() - begin < 1
        assert "weight is 30, airisd left 50" in held["blocked_on"]["what"]
        assert shop.weights() == (70, 30), "it is not fought over"
        assert quick.command(rid, "retry").status == 200
        wait_for("ours again", lambda: shop.weights() == (50, 50), 10)
        abort(quick, rid)
    elif policy == "repair":
        wait_for("ours again", lambda: shop.weights() == (50, 50), 10)
        drift = [e["data"] for e in quick.events(rid) if e["kind"] == "drift"]
        assert drift[0]["by"] == "alice" and drift[0]["found"] == "30"
        abort(quick, rid)
    else:
        ended = quick.wait_phase(rid, "aborted")
        assert "alice" in ended["reason"] and "weight" in ended["reason"]
    assert shop.leftovers() == []


def test_reapplied_by_gitops(quick, shops):
    """F85: a tool that applies its own weights again and again: written over a few times, then it
    is held and told, and neither weights nor pods flap; abort goes home."""
    shop = shops().create()
    rid = held_at_half(quick, shop, onEdit="repair")
    seen = fm.Seen(shop.kube, "VirtualService", shop.namespace)
    source = shop.virtual_service()["spec"]["http"]

    def told():
        if shop.weights() != (100, 0):
            shop.kube.patch("VirtualService", shop.namespace, shop.name,
                            {"spec": {"http": source}}, manager="argocd")
        blocked = quick.rollout(rid)["blocked_on"]
        return blocked and "again and again" in blocked["what"] and "argocd" in blocked["what"]
    wait_for("the fight to be over", told, 30, every=0.2)
    ours = [o for t, kind, o in seen.of() if weights_of(o, shop.name)[1] == 50]
    assert 2 <= len(ours) <= 5, "ours was written a few times only"
    assert shop.ready(f"{shop.name}-canary") == 1
    seen.done()
    abort(quick, rid)
    wait_for("home", lambda: shop.leftovers() == [], 5)


def test_ambiguous_routes(quick, shops):
    """F29: two routes that would fit and none is named: refused before anything is done."""
    shop = shops().create()
    app = fm.quick(shop)
    del app["traffic"]["istio"]["routes"]
    before = shop.vs()
    quick.apply(app)
    plan = quick.call("POST", "/v1/plan", {"app": shop.name, "image": shop.image_of("2.0")})
    assert plan.status == 200 and "ambiguous" in plan.json["preflight"][0]
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    ended = quick.wait_phase(rid, "aborted")
    assert "ambiguous" in ended["reason"] and "traffic.istio.routes" in ended["reason"]
    assert shop.vs() == before and fm.acts(quick, rid) == []


def test_route_deleted(quick, shops):
    """F30: a VirtualService that is gone holds and says so; it is not made again."""
    shop = shops().create()
    rid = held_at_half(quick, shop)
    mine = without_noise(shop.vs())
    shop.kube.delete("VirtualService", shop.namespace, shop.name)
    assert quick.command(rid, "promote").status == 200
    quick.wait(rid, lambda r: r["blocked_on"] and "gone" in r["blocked_on"]["what"])
    time.sleep(0.5)
    assert shop.vs() is None
    shop.kube.create({**mine, "metadata": {"name": shop.name, "namespace": shop.namespace}})
    quick.wait(rid, lambda r: "gone" not in (r["blocked_on"] or {}).get("what", ""))
    abort(quick, rid)
