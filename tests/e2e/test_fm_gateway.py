"""Failure modes of the Gateway API: its controllers are late, away, or disagree; a route is not what
it must be; somebody else writes into it. Only the simulator's controller can be told to be so."""
import json
import time

import pytest

import fm
from harness.kube import Refused
from harness.process import SLOW, wait_for

SETTLE = 0.4  # of the quick daemon, in seconds
LATE_MS = 1500  # far longer than that


@pytest.fixture
def gateway(quick_lab):
    """Tells the controller; afterwards it is there and quick."""
    def tell(**what):
        return quick_lab.ask_sim("POST", "/sim/gateway", what)
    yield tell
    tell(controller="up", accept_delay_ms=100)


def generation(shop):
    return shop.vs()["metadata"]["generation"]


def accepted_at(events):
    """generation -> when the controller was seen to have accepted it; and when it was written."""
    accepted, written = {}, {}
    for t, kind, route in events:
        written.setdefault(route["metadata"]["generation"], t)
        for parent in route.get("status", {}).get("parents", []):
            accepted.setdefault(parent["conditions"][0]["observedGeneration"], t)
    return written, accepted


def canary_weight(shop, route):
    rule = next(r for r in shop.rules(route) if r["name"] == "primary")
    return {side: to["weight"] for side, to in shop.backends(rule)}.get("canary")


def held_at_half(daemon, shop, **more):
    daemon.apply(fm.quick(shop, canary={"weights": [50, 100], "hold": "60s", "deadline": "60s"},
                          **more))
    rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
    daemon.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    return rid


def assert_home(shop, image=None):
    wait_for("nothing left over", lambda: shop.leftovers() == [], 10)
    shop.assert_home(image=image)


def assert_in_order(shop, seen):
    """What depends on a change of the route comes after its acceptance, and mesh.settle after it."""
    written, accepted = accepted_at(seen["HTTPRoute"])
    assert set(written) == set(accepted) == set(range(1, max(written) + 1))
    for one, t in written.items():  # the next write of the route
        if one > 1:
            assert t >= accepted[one - 1] + SETTLE - 0.1, f"generation {one}"
    routes = {o["metadata"]["generation"]: o for _, _, o in seen["HTTPRoute"]}
    last_zero = max(g for g, o in routes.items() if canary_weight(shop, o) == 0)
    home = max(routes)
    assert canary_weight(shop, routes[home]) is None and home > last_zero
    for kind, after in (("Deployment", last_zero), ("Service", home)):
        gone = [t for t, change, o in seen[kind] if change == "DELETED"
                and o["metadata"]["name"] == f"{shop.name}-canary"]
        assert gone[0] >= accepted[after] + SETTLE - 0.1, kind
    sizes = [(t, o["spec"]["replicas"]) for t, change, o in seen["Deployment"]
             if o["metadata"]["name"] == f"{shop.name}-canary"]
    assert all(t > accepted[last_zero] for (t, n), (_, before) in zip(sizes[1:], sizes) if n < before)


@pytest.mark.parametrize("end", ["succeeded", "aborted"])
def test_controller_late(quick, shops, gateway, end):
    """Later than mesh.settle: nothing depends on a change before it is accepted, and the time of
    the mesh counts from then."""
    shop = shops(mode="gateway", replicas=4).create()
    gateway(accept_delay_ms=LATE_MS)
    seen = {kind: fm.Seen(shop.kube, kind, shop.namespace)
            for kind in ("HTTPRoute", "Deployment", "Service")}
    quick.apply(fm.quick(shop, canary={"weights": [25, 50], "hold": "0s" if end == "succeeded"
                                       else "60s", "deadline": "60s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    if end == "aborted":
        quick.wait(rid, lambda r: r["weight"]["taken"] == 25)
        quick.command(rid, "abort")
    quick.wait_phase(rid, end, 90)
    assert_in_order(shop, {kind: s.done() for kind, s in seen.items()})
    taken = [e["data"] for e in quick.events(rid) if e["kind"] == "taken"
             and e["data"]["subject"] == "weight" and e["data"]["of_ms"] > 0]
    assert len(taken) == (4 if end == "succeeded" else 2)  # 25, 50, 100, 0; 25, 0
    for fact in taken:
        assert fact["since_ms"] - fact["of_ms"] >= LATE_MS + SETTLE * 1000 - 50, fact
    assert_home(shop, shop.image_of("2.0") if end == "succeeded" else None)


def assert_nothing_torn_down(daemon, shop, rid, weights):
    r = daemon.rollout(rid)
    assert r["phase"] in ("progressing", "aborting") and shop.weights() == weights
    assert shop.ready(f"{shop.name}-canary") == r["canary"]["ready"] > 0
    assert shop.kube.get("Service", shop.namespace, f"{shop.name}-canary")
    assert shop.ready(shop.name) == shop.replicas


def blocked_by_controller(shop):
    return f"lab/world has not looked at it as it is now (generation {generation(shop)}, Accepted)"


@pytest.mark.parametrize("killed", [False, True])
def test_controller_away_in_mid_rollout(quick, shops, gateway, killed):
    """It holds where it is, for as long as that takes, also after kill -9, and goes on."""
    shop = shops(mode="gateway").create()
    rid = held_at_half(quick, shop)
    gateway(controller="down")
    assert quick.command(rid, "promote").status == 200
    wait_for("the next weight", lambda: shop.weights() == (0, 100), 10)
    blocked = quick.wait_blocked(rid, blocked_by_controller(shop), 10)["blocked_on"]
    assert blocked["object"] == f"HTTPRoute {shop.namespace}/{shop.name}"
    assert shop.ready(f"{shop.name}-canary") == 2
    if killed:
        quick.kill()
        quick.restart()
    end, before = time.monotonic() + 8 * SETTLE, generation(shop)
    while time.monotonic() < end:
        assert_nothing_torn_down(quick, shop, rid, (0, 100))
        assert quick.rollout(rid)["weight"]["taken"] == 50
        time.sleep(0.1)
    assert blocked_by_controller(shop) in json.dumps(quick.rollout(rid)["blocked_on"])
    assert blocked_by_controller(shop) in quick.ctl("rollout", "explain", rid).stdout
    assert generation(shop) == before
    gateway(controller="up")
    quick.command(rid, "promote")
    quick.wait_phase(rid, "succeeded")
    assert_home(shop, shop.image_of("2.0"))


@pytest.mark.parametrize("killed", [False, True])
def test_controller_away_during_an_abort(quick, shops, gateway, killed):
    """Weight 0 is written at once; the canary serves until that is accepted and taken."""
    shop = shops(mode="gateway").create()
    rid = held_at_half(quick, shop)
    gateway(controller="down")
    begin = time.monotonic()
    assert quick.command(rid, "abort").status == 200
    wait_for("weight 0", lambda: shop.weights() == (100, 0), 10, every=0.01)
    assert time.monotonic() - begin < 1 * SLOW
    quick.wait_blocked(rid, blocked_by_controller(shop), 10)
    if killed:
        quick.kill()
        quick.restart()
    end = time.monotonic() + 8 * SETTLE
    while time.monotonic() < end:
        assert_nothing_torn_down(quick, shop, rid, (100, 0))
        time.sleep(0.1)
    assert quick.rollout(rid)["phase"] == "aborting"
    assert blocked_by_controller(shop) in json.dumps(quick.rollout(rid)["blocked_on"])
    gateway(controller="up")
    quick.wait_phase(rid, "aborted")
    assert_home(shop)


def test_abort_while_a_weight_waits_to_be_accepted(quick, shops, gateway):
    """The abort does not wait for the acceptance of what it takes back."""
    shop = shops(mode="gateway").create()
    gateway(accept_delay_ms=LATE_MS)
    quick.apply(fm.quick(shop, canary={"deadline": "60s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    wait_for("half", lambda: shop.weights() == (50, 50), 30)
    begin = time.monotonic()
    assert quick.command(rid, "abort").status == 200
    wait_for("weight 0", lambda: shop.weights() == (100, 0), 10, every=0.01)
    assert time.monotonic() - begin < 1 * SLOW
    quick.wait_phase(rid, "aborted")
    assert_home(shop)


def theirs(shop, observed):
    """Another controller's word on the parent, beside that of the lab's own."""
    mine = [p for p in shop.vs()["status"]["parents"] if p["controllerName"] == "lab/world"]
    other = {"parentRef": mine[0]["parentRef"], "controllerName": "example.com/other",
             "conditions": [{"type": kind, "status": "True", "reason": kind, "message": "",
                             "observedGeneration": observed,
                             "lastTransitionTime": "2026-11-22T20:15:59Z"}
                            for kind in ("Accepted", "ResolvedRefs")]}
    path = shop.kube.path("HTTPRoute", shop.namespace, shop.name) + "/status"
    try:
        shop.kube.call("PATCH", path, {"metadata": {"resourceVersion": shop.vs()["metadata"][
            "resourceVersion"]}, "status": {"parents": mine + [other]}},
            "application/merge-patch+json", "other")
    except Refused as e:
        if e.status != 409:  # the lab's own controller was quicker
            raise
        theirs(shop, observed)


def test_two_controllers(quick, shops):
    """Both answer for the parent, and the later one is waited for and named."""
    shop = shops(mode="gateway").create()
    theirs(shop, 1)
    quick.apply(fm.quick(shop, canary={"deadline": "60s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    said = set()

    def follow():
        r = quick.rollout(rid)
        said.add((r["blocked_on"] or {}).get("what", ""))
        if "example.com/other" in (r["blocked_on"] or {}).get("what", ""):
            theirs(shop, generation(shop))
        return r["phase"] == "succeeded"
    wait_for("the rollout", follow, 60)
    assert [s for s in said if "example.com/other has not looked at it as it is now" in s]
    assert_home(shop, shop.image_of("2.0"))


def refused(daemon, shop, text, **canary):
    """A start is refused for this, before anything is written; the plan says so too."""
    before = shop.vs()
    daemon.apply(fm.quick(shop, canary=canary))
    plan = daemon.call("POST", "/v1/plan", {"app": shop.name, "image": shop.image_of("2.0")})
    assert plan.status == 200 and text in plan.json["preflight"][0], plan.text
    rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
    ended = daemon.wait_phase(rid, "aborted")
    assert ended["reason"].startswith("preflight: ") and text in ended["reason"]
    assert fm.acts(daemon, rid) == [] and shop.vs() == before


def edit(shop, change, manager="alice"):
    rules = shop.rules()
    change(next(rule for rule in rules if rule["name"] == "primary"))
    shop.patch_rules(rules, manager)


def test_preflight_refuses_a_route_that_is_not_accepted(quick, shops, gateway):
    shop = shops(mode="gateway").create()
    gateway(controller="down")
    edit(shop, lambda rule: rule.update(timeouts={"request": "9s"}))
    refused(quick, shop, "lab/world has not looked at it as it is now (generation 2, Accepted)")
    gateway(controller="up")
    wait_for("its acceptance", lambda: theirs_is(shop, "Accepted", 2), 10)
    edit(shop, lambda rule: rule["backendRefs"].append({"name": "nobody", "port": 80, "weight": 0}))
    wait_for("its verdict", lambda: theirs_is(shop, "BackendNotFound", 3), 10)
    refused(quick, shop, "lab/world says ResolvedRefs is False: BackendNotFound: backend(nobody.")


def theirs_is(shop, reason, observed):
    return any(c["reason"] == reason and c["observedGeneration"] == observed
               for p in shop.vs()["status"]["parents"] for c in p["conditions"])


def test_preflight_refuses_a_route_that_nobody_follows(quick, shops):
    shop = shops(mode="gateway").create()
    shop.kube.patch("HTTPRoute", shop.namespace, shop.name, {"spec": {"parentRefs": None}})
    wait_for("the controller's answer",
             lambda: shop.vs().get("status", {}).get("parents") == [], 10)
    refused(quick, shop, "it has no parentRefs, so nothing follows it")


def test_preflight_refuses_weights_that_are_too_coarse(quick, shops):
    """A tenth of 3 is no share."""
    shop = shops(mode="gateway").create()
    edit(shop, lambda rule: rule["backendRefs"][0].update(weight=3))
    wait_for("its acceptance", lambda: theirs_is(shop, "Accepted", 2), 10)
    refused(quick, shop, "weights that sum to 3: too coarse for 10 %", weights=[10, 100])


def test_a_weight_that_was_not_given(quick, shops):
    """The API server writes 1; it stands for all, and is there again in the end."""
    shop = shops(mode="gateway")
    shop.backend = lambda weight: {"name": shop.name, "port": 80}
    shop.create()
    assert shop.weights() == (1, 0)
    quick.apply(fm.quick(shop, canary={"weights": [10, 100]}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait_phase(rid, "succeeded")
    assert fm.weights_written(quick, rid) == [10, 100, 0]
    assert_home(shop, shop.image_of("2.0"))


def richer(route, shop):
    """With what a user may have there."""
    route["metadata"]["annotations"] = {"example.com/note": "ours"}
    route["metadata"]["labels"] = {"team": "web"}
    spec = route["spec"]
    spec["hostnames"] = ["shop.example.com", "*.shop.example.com"]
    spec["parentRefs"] = [{"name": "edge", "sectionName": "https", "namespace": "infra"},
                          {"kind": "Service", "group": "", "name": shop.name, "port": 80}]
    primary = spec["rules"][1]
    primary["backendRefs"][0]["weight"] = 180
    primary["backendRefs"][0]["filters"] = [{
        "type": "ResponseHeaderModifier",
        "responseHeaderModifier": {"add": [{"name": "x-side", "value": "stable"}]}}]
    primary["backendRefs"].append({"name": "audit", "port": 80, "weight": 20})
    primary["filters"] = [{"type": "RequestMirror", "requestMirror": {
        "backendRef": {"name": "audit", "port": 80}, "fraction": {"numerator": 1,
                                                                  "denominator": 1000}}}]
    spec["rules"].insert(0, {
        "name": "legacy", "matches": [{"path": {"type": "Exact", "value": "/old"}},
                                      {"method": "PUT", "queryParams": [
                                          {"name": "v", "value": "[12]",
                                           "type": "RegularExpression"}]}],
        "filters": [{"type": "URLRewrite", "urlRewrite": {
            "path": {"type": "ReplaceFullPath", "replaceFullPath": "/new"}}}],
        "backendRefs": [{"name": shop.name, "port": 80, "weight": 3}]})
    return route


def as_bytes(route, shop, without_sides=False):
    """The object as text, but for what the server keeps about it; without_sides: and without what
    is airisd's business."""
    route = json.loads(json.dumps(route))
    for key in ("resourceVersion", "generation", "managedFields"):
        route["metadata"].pop(key, None)
    route.pop("status", None)
    if without_sides:
        rule = next(r for r in route["spec"]["rules"] if r["name"] == "primary")
        rule["backendRefs"] = [to for to in rule["backendRefs"] if "canary" not in to["name"]]
        for _, to in shop.backends(rule):
            to.pop("weight")
    return json.dumps(route)


@pytest.mark.parametrize("end", ["succeeded", "aborted"])
def test_what_is_not_ours_stays(quick, shops, end):
    """The other rules and fields are the same byte for byte in every state; in the end all is."""
    shop = shops(mode="gateway")
    shop.kube.ensure_namespace(shop.namespace)
    shop.kube.create({**shop.service(), "metadata": {"name": "audit",
                                                     "namespace": shop.namespace}})
    shop.http_route = lambda plain=shop.http_route: richer(plain(), shop)
    shop.create()
    before = shop.vs()
    seen = fm.Seen(shop.kube, "HTTPRoute", shop.namespace)
    quick.apply(fm.quick(shop, canary={"weights": [25, 100], "hold": "0s" if end == "succeeded"
                                       else "60s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    if end == "aborted":
        quick.wait(rid, lambda r: r["weight"]["taken"] == 25)
        quick.command(rid, "abort")
    quick.wait_phase(rid, end)
    wait_for("home", lambda: shop.leftovers() == [], 10)
    assert as_bytes(shop.vs(), shop) == as_bytes(before, shop)
    states = [o for _, _, o in seen.done()]
    assert {as_bytes(o, shop, True) for o in states} == {as_bytes(before, shop, True)}
    weights = {canary_weight(shop, o) for o in states}
    assert weights == {None, 0, 45} | ({180} if end == "succeeded" else set())
    for o in states:
        rule = next(r for r in shop.rules(o) if r["name"] == "primary")
        assert sum(to["weight"] for _, to in shop.backends(rule)) == 180
        for side, to in shop.backends(rule):  # the canary's is a copy of the stable one's
            assert to["filters"] and to["port"] == 80 and to["kind"] == "Service", side
    assert shop.lost() == {}


@pytest.mark.parametrize("policy", ["hold", "repair", "abort"])
def test_edited_weights(quick, shops, policy):
    """Noticed within a second, the editor named, answered as the app says."""
    shop = shops(mode="gateway").create()
    rid = held_at_half(quick, shop, onEdit=policy)

    def to_thirty(rule):
        for side, to in shop.backends(rule):
            to["weight"] = 30 if side == "canary" else 70
    begin = time.monotonic()
    edit(shop, to_thirty, "kubectl-edit")
    if policy == "abort":
        ended = quick.wait_phase(rid, "aborted")
        assert "kubectl-edit" in ended["reason"] and "weight is 30 instead of 50" in ended["reason"]
        return assert_home(shop)
    if policy == "hold":
        held = quick.wait_blocked(rid, "kubectl-edit", 10)["blocked_on"]
        assert time.monotonic() - begin < 1 * SLOW
        assert held["object"] == f"HTTPRoute {shop.namespace}/{shop.name}"
        assert "weight is 30, airisd left 50" in held["what"]
        assert shop.weights() == (70, 30), "it is not fought over"
        assert quick.command(rid, "retry").status == 200
    wait_for("ours again", lambda: shop.weights() == (50, 50), 10)
    drift = [e["data"] for e in quick.events(rid) if e["kind"] == "drift"]
    assert (drift[0]["by"], drift[0]["found"]) == ("kubectl-edit", "30")
    quick.command(rid, "abort")
    quick.wait_phase(rid, "aborted")
    return assert_home(shop)
