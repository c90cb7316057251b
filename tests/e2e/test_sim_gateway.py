"""airis-sim: HTTPRoutes of the Gateway API. What the API server makes of them, the controller that
accepts them, and where their requests go."""

import json
import time

import pytest

from test_sim_lab import APPLY, JSONPATCH, Sim, deployment, rolled, service, sim
from test_sim_mesh import Mesh

assert sim  # the fixture
GATEWAY = "gateway.networking.k8s.io"
EVERYTHING = {"path": {"type": "PathPrefix", "value": "/"}}
FORM = "some validation rules were not checked because the object was invalid; correct the " \
       "existing errors to complete validation"


def backend(name, weight=None, **more):
    return {"name": name, "port": 80, **({} if weight is None else {"weight": weight}), **more}


def rule(*backends, **more):
    return {"backendRefs": list(backends), **more}


def with_header(value, **more):
    return {"headers": [{"name": "X-User", "value": value, **more}]}


def httproute(name, *rules, annotations=None, parents=("gw",)):
    return {"apiVersion": GATEWAY + "/v1", "kind": "HTTPRoute",
            "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"parentRefs": [{"name": p} for p in parents], "rules": list(rules)}}


def conditions(route, parent=0):
    """type -> (status, reason, observedGeneration) of one parent."""
    parents = (route or {}).get("status", {}).get("parents", [])
    return {c["type"]: (c["status"], c["reason"], c["observedGeneration"])
            for c in (parents[parent]["conditions"] if parents else [])}


def accepted(route):
    """As it is now, and its backends are there."""
    generation = route and route["metadata"]["generation"]
    return conditions(route) == {"Accepted": ("True", "Accepted", generation),
                                 "ResolvedRefs": ("True", "ResolvedRefs", generation)}


def tell(lab, **what):
    status, got = lab.call("POST", "/sim/gateway", what)
    assert status == 200, got
    return got


def stand(lab, *names, image="app:v1"):
    for name in names:
        lab.create("services", service(name))
        lab.create("deployments", deployment(name, image, 1))
    for name in names:
        lab.wait("deployments", name, rolled(1))


def sent(lab, route="route/web"):
    return lab.sum("lab_requests_total", route=route)


def lost(lab, reason=None, route="route/web"):
    return lab.sum("lab_lost_requests_total", route=route, **({"reason": reason} if reason else {}))


def answered(lab, workload):
    return lab.sum("istio_requests_total", destination_workload=workload, response_code="200")


def settled(lab, *names):
    """The mesh knows these Services and their pods: their own traffic is answered."""
    for name in names:
        lab.merge("services", name, {"metadata": {"annotations": {"lab/rps": "50"}}})
        lab.until(lambda: answered(lab, name) > 0)
        lab.merge("services", name, {"metadata": {"annotations": {"lab/rps": None}}})
        quiet = [None]

        def still():
            before, quiet[0] = quiet[0], answered(lab, name)
            time.sleep(0.25)
            return before == quiet[0]
        lab.until(still)


# --- the API ---------------------------------------------------------------------------------


def test_defaults_are_written_into_the_object(sim):
    mirror = {"type": "RequestMirror", "requestMirror": {
        "backendRef": {"name": "audit", "port": 80}, "fraction": {"numerator": 5}}}
    made = sim.create("httproutes", httproute(
        "web", rule(backend("web"), name="primary"),
        rule(backend("a", 0), backend("b", 7), {**backend("c"), "weight": None},
             matches=[with_header("beta"), {"path": {"value": "/a"}}, {"path": {}}],
             filters=[mirror])))
    service_ref = {"group": "", "kind": "Service"}
    assert made["metadata"]["generation"] == 1 and "status" not in made
    assert made["spec"]["parentRefs"] == [{"group": GATEWAY, "kind": "Gateway", "name": "gw"}]
    first, second = made["spec"]["rules"]
    assert first == {"name": "primary", "matches": [EVERYTHING], "backendRefs": [
        {**service_ref, "name": "web", "port": 80, "weight": 1}]}
    assert second["backendRefs"] == [
        {**service_ref, **backend("a", 0)}, {**service_ref, **backend("b", 7)},
        {**service_ref, **backend("c", 1)}]
    assert second["matches"] == [
        {**EVERYTHING, "headers": [{"type": "Exact", "name": "X-User", "value": "beta"}]},
        {"path": {"type": "PathPrefix", "value": "/a"}}, EVERYTHING]
    assert second["filters"][0]["requestMirror"] == {
        "backendRef": {**service_ref, **backend("audit")},
        "fraction": {"numerator": 5, "denominator": 100}}
    assert sim.create("httproutes", {**httproute("bare"), "spec": {}})["spec"] == {
        "rules": [{"matches": [EVERYTHING]}]}


def test_defaults_on_every_way_to_write(sim):
    made = sim.create("httproutes", httproute("web", rule(backend("web", 5))))
    where = sim.path("httproutes", "web")
    want = [{"group": "", "kind": "Service", **backend("web", 1)}]

    def weight_of(got):
        return got["spec"]["rules"][0]["backendRefs"][0]["weight"]
    status, got = sim.call("PATCH", where, [
        {"op": "remove", "path": "/spec/rules/0/backendRefs/0/weight"}], JSONPATCH)
    assert status == 200 and got["spec"]["rules"][0]["backendRefs"] == want
    assert got["metadata"]["generation"] == made["metadata"]["generation"] + 1
    assert weight_of(sim.merge("httproutes", "web", {"spec": {"rules": [
        rule(backend("web", 3))]}})) == 3
    assert weight_of(sim.merge("httproutes", "web", {"spec": {"rules": [rule(backend("web"))]}})) == 1
    current = sim.get("httproutes", "web")
    del current["spec"]["rules"][0]["backendRefs"][0]["weight"]
    status, got = sim.call("PUT", where, current)
    assert status == 200 and weight_of(got) == 1
    assert got["metadata"]["resourceVersion"] == current["metadata"]["resourceVersion"]
    status, got = sim.call("PATCH", where + "?fieldManager=ci&force=true",
                           json.dumps(httproute("web", rule(backend("web")))), APPLY)
    assert status == 200 and weight_of(got) == 1


@pytest.mark.parametrize("change, causes", [
    ({"backendRefs": [backend("a", 1000001)]}, [
        ("FieldValueInvalid", "spec.rules[0].backendRefs[0].weight", "Invalid value: 1000001: "
         "spec.rules[0].backendRefs[0].weight in body should be less than or equal to 1000000")]),
    ({"backendRefs": [backend("a"), backend("b", -1)], "name": "X"}, [
        ("FieldValueInvalid", "spec.rules[0].backendRefs[1].weight", "Invalid value: -1: "
         "spec.rules[0].backendRefs[1].weight in body should be greater than or equal to 0"),
        ("FieldValueInvalid", "spec.rules[0].name", "Invalid value: \"X\": spec.rules[0].name in "
         "body should match '^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$'")]),
    ({"backendRefs": [backend("a", "5")]}, [
        ("FieldValueTypeInvalid", "spec.rules[0].backendRefs[0].weight", "Invalid value: "
         "\"string\": spec.rules[0].backendRefs[0].weight in body must be of type integer: "
         "\"string\""), ("FieldValueInvalid", "<nil>", "Invalid value: null: " + FORM)]),
    ({"backendRefs": [{"port": 80}]}, [
        ("FieldValueRequired", "spec.rules[0].backendRefs[0].name", "Required value"),
        ("FieldValueInvalid", "<nil>", "Invalid value: null: " + FORM)]),
    ({"backendRefs": [{"name": "a"}]}, [
        ("FieldValueInvalid", "spec.rules[0].backendRefs[0]",
         "Invalid value: Must have port for Service reference")]),
    ({"backendRefs": [backend("a")] * 17}, [
        ("FieldValueTooMany", "spec.rules[0].backendRefs", "Too many: 17: must have at most 16 "
         "items"), ("FieldValueInvalid", "<nil>", "Invalid value: null: " + FORM)]),
    ({"name": ""}, [
        ("FieldValueInvalid", "spec.rules[0].name", "Invalid value: \"\": spec.rules[0].name in "
         "body should be at least 1 chars long")]),
    ({"matches": [{"path": {"type": "Glob"}}]}, [
        ("FieldValueNotSupported", "spec.rules[0].matches[0].path.type", "Unsupported value: "
         "\"Glob\": supported values: \"Exact\", \"PathPrefix\", \"RegularExpression\""),
        ("FieldValueInvalid", "<nil>", "Invalid value: null: " + FORM)]),
    ({"matches": [{"path": {"value": "a"}}]}, [
        ("FieldValueInvalid", "spec.rules[0].matches[0].path", "Invalid value: value must be an "
         "absolute path and start with '/' when type one of ['Exact', 'PathPrefix']")]),
    ({"matches": [{"headers": with_header("a")["headers"] * 2}]}, [
        ("FieldValueDuplicate", "spec.rules[0].matches[0].headers[1]",
         "Duplicate value: {\"name\":\"X-User\"}")]),
])
def test_what_the_schema_refuses(sim, change, causes):
    """The answers of kube-apiserver 1.36 with the CRD of Gateway API v1.6.3."""
    sim.create("httproutes", httproute("web", rule(backend("web"))))
    for method, where, body, ctype in (
            ("POST", sim.path("httproutes"), httproute("bad", {**rule(backend("a")), **change}),
             "application/json"),
            ("PATCH", sim.path("httproutes", "web"),
             {"spec": {"rules": [{**rule(backend("a")), **change}]}},
             "application/merge-patch+json")):
        name = "bad" if method == "POST" else "web"
        status, got = sim.call(method, where, body, ctype)
        assert (status, got["reason"]) == (422, "Invalid")
        assert got["details"]["causes"] == [
            {"reason": r, "field": f, "message": m} for r, f, m in causes]
        listed = ", ".join(f"{f}: {m}" for _, f, m in causes)
        assert got["message"] == f'HTTPRoute.{GATEWAY} "{name}" is invalid: ' + (
            f"[{listed}]" if len(causes) > 1 else listed)
    assert sim.get("httproutes", "web")["metadata"]["generation"] == 1


@pytest.mark.parametrize("spec, field", [
    ({"rules": []}, "spec.rules"), ({"rules": [{}] * 17}, "spec.rules"), ({"rules": {}}, "spec.rules"),
    ({"parentRefs": [{"kind": "Gateway"}]}, "spec.parentRefs[0].name"), (None, "spec")])
def test_what_the_schema_refuses_of_a_spec(sim, spec, field):
    route = {**httproute("bad"), "spec": spec}
    if spec is None:
        del route["spec"]
    status, got = sim.call("POST", sim.path("httproutes"), route)
    assert status == 422 and got["details"]["causes"][0]["field"] == field


def test_names_of_rules_may_be_the_same(sim):
    """The standard channel of the CRDs says nothing against it; the experimental one does."""
    sim.create("httproutes", httproute("web", rule(backend("a"), name="x"),
                                       rule(backend("b"), name="x")))


def test_versions_discovery_and_tables(sim):
    sim.create("httproutes", httproute("web", rule(backend("web"))))
    old = sim.path("httproutes", "web").replace("/v1/", "/v1beta1/")
    assert sim.call("GET", old)[1]["apiVersion"] == GATEWAY + "/v1beta1"
    assert sim.call("GET", old.replace("v1beta1", "v1alpha3"))[0] == 404
    group = sim.call("GET", f"/apis/{GATEWAY}")[1]
    assert [v["version"] for v in group["versions"]] == ["v1", "v1beta1"]
    assert group["preferredVersion"]["version"] == "v1"
    assert GATEWAY in [g["name"] for g in sim.call("GET", "/apis")[1]["groups"]]
    for version in ("v1", "v1beta1"):
        listed = sim.call("GET", f"/apis/{GATEWAY}/{version}")[1]["resources"]
        assert [(r["name"], r["kind"]) for r in listed] == [
            ("httproutes", "HTTPRoute"), ("httproutes/status", "HTTPRoute")]
        assert listed[0]["categories"] == ["gateway-api"] and "shortNames" not in listed[0]
        paths = sim.call("GET", f"/openapi/v3/apis/{GATEWAY}/{version}")[1]["paths"]
        assert list(paths) == [
            f"/apis/{GATEWAY}/{version}/namespaces/{{namespace}}/httproutes/{{name}}"]
    sim.headers["Accept"] = "application/json;as=Table;v=v1;g=meta.k8s.io"
    table = sim.call("GET", sim.path("httproutes"))[1]
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Hostnames", "Age"]
    assert table["rows"][0]["cells"][0] == "web"


def test_the_status_is_a_subresource(sim):
    tell(sim, controller="down")
    route = sim.create("httproutes", {**httproute("web", rule(backend("web"))),
                                      "status": {"parents": []}})
    assert "status" not in route
    theirs = [{"parentRef": {"name": "gw"}, "controllerName": "example.com/other",
               "conditions": [{"type": "Accepted", "status": "False", "reason": "NotAllowed",
                               "message": "", "observedGeneration": 1,
                               "lastTransitionTime": "2026-11-22T20:15:59Z"}]}]
    status, got = sim.call("PATCH", sim.path("httproutes", "web", sub="status"),
                           {"status": {"parents": theirs}, "spec": {"rules": []}},
                           "application/merge-patch+json", agent="other/1")
    assert status == 200 and got["status"]["parents"] == theirs
    assert got["spec"] == route["spec"] and got["metadata"]["generation"] == 1
    sim.merge("httproutes", "web", {"status": {"parents": []}})
    assert sim.get("httproutes", "web")["status"]["parents"] == theirs
    tell(sim, controller="up")  # its word comes beside that of others
    got = sim.wait("httproutes", "web", lambda r: len(r["status"]["parents"]) == 2)
    assert got["status"]["parents"][0] == theirs[0]
    managers = {(m["manager"], m.get("subresource")) for m in got["metadata"]["managedFields"]}
    assert ("world", "status") in managers and ("tester", None) in managers


# --- the controller ----------------------------------------------------------------------------


def test_the_controller_accepts(sim):
    sim.create("services", service("web"))
    sim.create("httproutes", httproute("web", rule(backend("web")), parents=("one", "two")))
    got = sim.wait("httproutes", "web", accepted)
    assert [p["parentRef"]["name"] for p in got["status"]["parents"]] == ["one", "two"]
    assert conditions(got, 1) == conditions(got, 0)
    for parent in got["status"]["parents"]:
        assert parent["controllerName"] == "lab/world"
        assert parent["parentRef"] == {"group": GATEWAY, "kind": "Gateway",
                                       "name": parent["parentRef"]["name"]}
        assert all(c["lastTransitionTime"].endswith("Z") and c["message"] == ""
                   for c in parent["conditions"])
    version = got["metadata"]["resourceVersion"]
    again = sim.merge("httproutes", "web", {"metadata": {"labels": {"team": "web"}}})
    assert accepted(again)  # a label is no new generation
    sim.merge("httproutes", "web", {"spec": {"rules": [rule(backend("web", 2))]}})
    later = sim.wait("httproutes", "web", accepted)
    assert later["metadata"]["generation"] == 2
    assert int(later["metadata"]["resourceVersion"]) > int(version)
    assert sim.create("httproutes", httproute("alone", rule(backend("web")), parents=()))
    time.sleep(0.4)  # long enough for a controller that is late by 100 ms
    assert "status" not in sim.get("httproutes", "alone")


def test_backends_that_are_not_there(sim):
    sim.create("httproutes", httproute("web", rule(backend("web"))))

    def not_found(route):
        return conditions(route).get("ResolvedRefs") == ("False", "BackendNotFound", 1)
    got = sim.wait("httproutes", "web", not_found)
    assert conditions(got)["Accepted"] == ("True", "Accepted", 1)
    message = got["status"]["parents"][0]["conditions"][1]["message"]
    assert message == "backend(web.default.svc.cluster.local) not found"
    sim.create("services", service("web"))
    sim.wait("httproutes", "web", accepted)
    sim.delete("services", "web")
    sim.wait("httproutes", "web", not_found)
    for ref, reason in ((backend("web", group="x.io", kind="Thing"), "InvalidKind"),
                        (backend("web", namespace="other"), "RefNotPermitted")):
        sim.merge("httproutes", "web", {"spec": {"rules": [rule(ref)]}})
        sim.wait("httproutes", "web", lambda r: conditions(r)["ResolvedRefs"][1] == reason)


def test_the_controller_is_late_and_away(sim):
    sim.create("services", service("web"))
    assert tell(sim, accept_delay_ms=600) == {
        "controller": "up", "name": "lab/world", "accept_delay_ms": 600}
    began = time.monotonic()
    sim.create("httproutes", httproute("web", rule(backend("web"))))
    sim.wait("httproutes", "web", accepted)
    assert 0.55 < time.monotonic() - began < 3
    time.sleep(0.3)  # half of the delay: what happened before it must not make it shorter
    began = time.monotonic()
    sim.merge("httproutes", "web", {"spec": {"rules": [rule(backend("web", 2))]}})
    sim.wait("httproutes", "web", accepted)
    assert 0.55 < time.monotonic() - began < 3
    tell(sim, controller="down", accept_delay_ms=0)
    sim.merge("httproutes", "web", {"spec": {"rules": [rule(backend("web", 3))]}})
    time.sleep(0.3)  # in which a controller that is there would have accepted it
    assert conditions(sim.get("httproutes", "web"))["Accepted"] == ("True", "Accepted", 2)
    tell(sim, controller="up")
    sim.wait("httproutes", "web", accepted, timeout=2)


def test_what_cannot_be_told(sim):
    for wrong in ({"controller": "gone"}, {"accept_delay_ms": -1}, {"accept_delay_ms": "1s"},
                  {"late": 1}):
        status, got = sim.call("POST", "/sim/gateway", wrong)
        assert status == 400 and "controller (up, down)" in got["message"]
    assert sim.call("GET", "/sim/gateway")[1]["controller"] == "up"


# --- the traffic ---------------------------------------------------------------------------------


def share(lab, of, names, n=1500):
    """Which part of the next n requests a workload answers."""
    before = {name: answered(lab, name) for name in names}
    start = sent(lab)
    lab.until(lambda: sent(lab) >= start + n)
    now = {name: answered(lab, name) for name in names}
    return (now[of] - before[of]) / sum(now[name] - before[name] for name in names)


def test_weights_are_relative(sim):
    """3 : 1 by 3 and none, which is 1; 0 is nothing; one backend gets all, whatever its weight."""
    stand(sim, "web", "canary")
    settled(sim, "web", "canary")
    sim.create("httproutes", httproute("web", rule(backend("web", 3), backend("canary")),
                                       annotations={"lab/rps": "1000"}))
    sim.until(lambda: sent(sim) > 0)
    assert 0.2 < share(sim, "canary", ("web", "canary")) < 0.3
    sim.merge("httproutes", "web", {"spec": {"rules": [
        rule(backend("web", 0), backend("canary", 1000000))]}})
    sim.until(lambda: share(sim, "canary", ("web", "canary"), 300) == 1)
    sim.merge("httproutes", "web", {"spec": {"rules": [rule(backend("web", 7))]}})
    sim.until(lambda: share(sim, "canary", ("web", "canary"), 300) == 0)
    assert lost(sim) == 0


def test_the_most_specific_match_is_first(sim):
    """Whatever the order of the rules: more headers, before that a longer or an exact path. Every
    request is a GET of /."""
    stand(sim, "web", "beta", "exact")
    settled(sim, "web", "beta", "exact")
    sim.create("httproutes", httproute(
        "web", rule(backend("web")),
        rule(backend("nowhere"), matches=[{"path": {"type": "Exact", "value": "/other"}},
                                          {"path": {"value": "/longer"}}, {"method": "PUT"},
                                          {"queryParams": [{"name": "q", "value": "1"}]}]),
        rule(backend("nowhere"), matches=[with_header("other"), with_header("b", type="Exact")]),
        rule(backend("beta"), matches=[with_header("bet.", type="RegularExpression")]),
        annotations={"lab/headers": "x-user=beta:25", "lab/rps": "1000"}))
    sim.until(lambda: sent(sim) > 0)
    assert 0.2 < share(sim, "beta", ("web", "beta")) < 0.3
    assert lost(sim) == 0
    rules = sim.get("httproutes", "web")["spec"]["rules"]
    rules.append(rule(backend("exact"), matches=[{"path": {"type": "Exact", "value": "/"}}]))
    sim.merge("httproutes", "web", {"spec": {"rules": rules}})
    sim.until(lambda: share(sim, "exact", ("web", "beta", "exact"), 300) == 1)


def test_backends_that_lose(sim):
    stand(sim, "web")
    settled(sim, "web")
    for refs, reason in (([backend("nobody")], "no_destination"),
                         ([backend("web", group="x.io", kind="Service")], "no_destination"),
                         ([backend("web", namespace="other")], "no_destination"),
                         ([backend("web", 0)], "no_destination"), ([], "no_destination"),
                         ([backend("empty")], "no_endpoints")):
        if reason == "no_endpoints":
            sim.create("services", service("empty"))
            sim.until(lambda: lost(sim) == sent(sim) > 0)
        sim.call("DELETE", sim.path("httproutes", "web"))
        sim.create("httproutes", httproute("web", rule(*refs)))
        before = lost(sim, reason)
        sim.until(lambda: lost(sim, reason) > before + 20)


def test_a_mirror(sim):
    stand(sim, "web", "copy")
    settled(sim, "web", "copy")
    mirror = {"type": "RequestMirror", "requestMirror": {
        "backendRef": backend("copy"), "fraction": {"numerator": 1, "denominator": 4}}}
    start = answered(sim, "copy")
    sim.create("httproutes", httproute("web", rule(backend("web"), filters=[mirror]),
                                       annotations={"lab/rps": "1000"}))
    sim.until(lambda: sent(sim) > 1500)
    assert 0.2 < (answered(sim, "copy") - start) / sent(sim) < 0.3 and lost(sim) == 0


def test_the_mesh_takes_what_was_accepted(sim):
    """Not before; and what was accepted last stays until then."""
    stand(sim, "web", "canary")
    settled(sim, "web", "canary")
    tell(sim, controller="down")
    sim.create("httproutes", httproute("web", rule(backend("web"))))
    time.sleep(0.6)  # three times as late as the mesh is
    assert sent(sim) == 0
    tell(sim, controller="up")
    sim.until(lambda: sent(sim) > 0)
    tell(sim, controller="down")
    start = answered(sim, "canary")
    sim.merge("httproutes", "web", {"spec": {"rules": [rule(backend("canary"))]}})
    time.sleep(0.6)
    assert answered(sim, "canary") == start
    tell(sim, controller="up")
    sim.until(lambda: answered(sim, "canary") > start)
    sim.delete("httproutes", "web")

    def ended():
        before = sent(sim)
        time.sleep(0.3)
        return sent(sim) == before
    sim.until(ended)
    assert lost(sim) == 0


def test_without_a_world_nobody_accepts():
    lab = Sim("-world=false")
    try:
        lab.create("httproutes", httproute("web", rule(backend("web"))))
        time.sleep(0.3)
        assert "status" not in lab.get("httproutes", "web")
    finally:
        assert lab.stop() == 0


# --- -mesh istiod ----------------------------------------------------------------------------------


class GatewayMesh(Mesh):
    def home(self):
        self.stand("web")
        self.stand("web-canary")
        self.still()
        self.create("httproutes", httproute("web", rule(backend("web", 1), backend("web-canary", 0))))
        self.wait("httproutes", "web", accepted)
        self.still()
        self.until(lambda: sent(self) > 50)
        assert lost(self) == 0

    def shift(self, weight):
        return self.merge("httproutes", "web", {"spec": {"rules": [
            rule(backend("web", 100 - weight), backend("web-canary", weight))]}})


@pytest.fixture
def mesh():
    lab = GatewayMesh("-accept-delay", "50ms")
    yield lab
    assert lab.stop() == 0


def test_istiod_pushes_what_it_accepted(mesh):
    mesh.home()
    pushes = mesh.state()["pushes"]
    tell(mesh, accept_delay_ms=700)
    mesh.shift(100)
    mesh.still()
    assert mesh.state()["pushes"] == pushes  # it has read it, and that is all
    assert answered(mesh, "web-canary") == 0
    got = mesh.wait("httproutes", "web", accepted)
    assert got["status"]["parents"][0]["controllerName"] == "istio.io/gateway-controller"
    mesh.until(lambda: answered(mesh, "web-canary") > 0)
    mesh.still()
    assert mesh.state()["pushes"] == pushes + 1 and lost(mesh) == 0


def test_configz_has_httproutes(mesh):
    mesh.home()
    stored = mesh.get("httproutes", "web")
    (mine,) = [o for o in mesh.debug("configz") if o["kind"] == "HTTPRoute"]
    assert mine["apiVersion"] == GATEWAY + "/v1"
    for key in ("name", "namespace", "uid", "resourceVersion", "generation"):
        assert mine["metadata"][key] == stored["metadata"][key]
    assert mine["spec"] == stored["spec"] and mine["status"] == stored["status"]


def test_istiod_down_takes_writes_and_accepts_nothing(mesh):
    """Its webhook is not asked about HTTPRoutes."""
    mesh.home()
    mesh.tell(istiod="down")
    mesh.shift(100)
    time.sleep(0.5)  # ten times as late as it is when it is there
    assert conditions(mesh.get("httproutes", "web"))["Accepted"][2] == 1
    assert answered(mesh, "web-canary") == 0
    mesh.tell(istiod="up")
    mesh.wait("httproutes", "web", accepted)
    mesh.until(lambda: answered(mesh, "web-canary") > 0)
    assert lost(mesh) == 0


def test_a_webhook_that_refuses_is_istios_own(sim):
    sim.fault({"effect": {"webhook_refuses": True}})
    sim.create("httproutes", httproute("web", rule(backend("web"))))
