"""airis-sim: what goes wrong on demand, and what it remembers of requests."""

import http.client
import time

import pytest

from test_sim_lab import MERGE, deployment, routes, sim, to

assert sim  # the fixture


def test_status_a_number_of_times(sim):
    sim.fault({"match": {"verb": "list", "kind": "pods"}, "count": 2,
               "effect": {"status": 429, "retry_after": 3}})
    for _ in range(2):
        status, body = sim.call("GET", sim.path("pods"))
        assert (status, body["reason"]) == (429, "TooManyRequests")
        assert body["details"]["retryAfterSeconds"] == 3 and sim.last_headers["Retry-After"] == "3"
    assert sim.call("GET", sim.path("pods"))[0] == 200
    assert sim.call("GET", "/sim/faults")[1]["faults"][0]["hits"] == 2


def test_only_what_matches(sim):
    sim.fault([{"match": {"verb": "write", "path": "/deployments/we.$"}, "effect": {"status": 503}},
               {"match": {"user_agent": "bad"}, "effect": {"status": 500}}])
    sim.create("deployments", deployment("web"))
    sim.create("deployments", deployment("other"))
    assert sim.call("GET", sim.path("deployments", "web"))[0] == 200
    assert sim.call("PATCH", sim.path("deployments", "web"), {}, MERGE)[0] == 503
    assert sim.call("PATCH", sim.path("deployments", "other"), {}, MERGE)[0] == 200
    assert sim.call("GET", "/version", agent="bad/1")[0] == 500
    sim.clear()
    assert sim.call("PATCH", sim.path("deployments", "web"), {}, MERGE)[0] == 200


def test_latency(sim):
    sim.fault({"match": {"kind": "leases"}, "effect": {"latency_ms": 300}})
    start = time.monotonic()
    assert sim.call("GET", sim.path("leases"))[0] == 200
    assert 0.29 < time.monotonic() - start < 3
    start = time.monotonic()
    assert sim.call("GET", sim.path("pods"))[0] == 200
    assert time.monotonic() - start < 0.25


def test_lost_before_and_after(sim):
    sim.create("virtualservices", routes("web", to("web")))
    for effect, hosts in (("drop", ["web"]), ("drop_after", ["new"])):
        sim.fault({"match": {"verb": "patch"}, "count": 1, "effect": {effect: True}})
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            sim.merge("virtualservices", "web", {"spec": {"hosts": ["new"]}})
        assert sim.get("virtualservices", "web")["spec"]["hosts"] == hosts
    sim.fault({"match": {"verb": "patch"}, "count": 1, "effect": {"status": 504, "after": True}})
    sim.merge("virtualservices", "web", {"spec": {"hosts": ["late"]}}, want=504)
    assert sim.get("virtualservices", "web")["spec"]["hosts"] == ["late"]


def test_conflict(sim):
    sim.create("virtualservices", routes("web", to("web")))
    sim.fault({"match": {"verb": "patch"}, "count": 1, "effect": {"conflict": True}})
    body = sim.merge("virtualservices", "web", {"spec": {"hosts": ["x"]}}, want=409)
    assert body["reason"] == "Conflict" and body["details"]["kind"] == "virtualservices"
    sim.merge("virtualservices", "web", {"spec": {"hosts": ["x"]}})


def test_webhook(sim):
    sim.create("virtualservices", routes("web", to("web")))
    sim.fault({"effect": {"webhook_refuses": True}})
    body = sim.merge("virtualservices", "web", {"spec": {"hosts": ["x"]}}, want=500)
    assert body["reason"] == "InternalError" and "failed calling webhook" in body["message"]
    sim.create("deployments", deployment("web"))
    assert sim.get("virtualservices", "web")["spec"]["hosts"] == ["web"]


def test_denied(sim):
    """The request, and what a review says of it, which takes nothing from the count."""
    sim.create("deployments", deployment("web"))
    sim.fault({"match": {"verb": "delete", "kind": "Deployment", "path": "/web$"}, "count": 1,
               "effect": {"denied": "not this one"}})

    def review(**about):
        about = {"namespace": "default", "group": "apps", "resource": "deployments", **about}
        return sim.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                        {"spec": {"resourceAttributes": about}})[1]["status"]

    for _ in range(2):
        assert review(verb="delete", name="web") == {"allowed": False, "reason": "not this one"}
    for other in ({"verb": "patch", "name": "web"}, {"verb": "delete", "name": "webs"},
                  {"verb": "delete", "name": "web", "group": ""}):
        assert review(**other) == {"allowed": True}
    status, body = sim.call("DELETE", sim.path("deployments", "web"))
    assert (status, body["reason"], body["message"]) == (403, "Forbidden", "not this one")
    assert sim.call("DELETE", sim.path("deployments", "web"))[0] == 200


def test_percent(sim):
    sim.fault({"match": {"kind": "leases"}, "percent": 50, "effect": {"status": 500}})
    got = [sim.call("GET", sim.path("leases"))[0] for _ in range(60)]
    assert 10 < got.count(500) < 50


@pytest.mark.parametrize("rule, said", [
    ({"effect": {"explode": True}}, "explode"), ({"match": {"colour": "red"}, "effect": {"drop": True}},
                                                 "colour"),
    ({"match": {}}, "effect"), ({"match": {"path": "("}, "effect": {"drop": True}}, "path"),
])
def test_bad_rules(sim, rule, said):
    status, body = sim.call("POST", "/sim/faults", rule)
    assert status == 400 and said in body["message"]
    assert sim.call("GET", "/sim/faults")[1]["faults"] == []


def test_requests_are_remembered(sim):
    sim.call("POST", "/sim/requests/reset")
    sim.create("deployments", deployment("web"))
    sim.call("GET", sim.path("deployments"), agent="looker/2")
    sim.call("GET", sim.path("deployments", "none"), agent="looker/2")
    seen = sim.call("GET", "/sim/requests")[1]
    assert {(c["verb"], c["kind"], c["user_agent"], c["count"]) for c in seen["counts"]} == {
        ("create", "deployments", "tester/1.0", 1), ("list", "deployments", "looker/2", 1),
        ("get", "deployments", "looker/2", 1)}
    assert [(r["method"], r["status"]) for r in seen["last"]] == [
        ("POST", 201), ("GET", 200), ("GET", 404)]
    assert seen["last"][2]["path"].endswith("/deployments/none") and seen["total"] == 3
