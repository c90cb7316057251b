"""airis-sim answers as a real API server does: each request whose answer is recorded in tests/wire
is made to the simulator, and its answer has the same form: status, headers that matter, keys and
types. Words and numbers differ, as do other clusters."""

import glob
import json
import os

import pytest

from test_sim_lab import (APPLY, JSONPATCH, MERGE, Sim, available, deployment, routes, service, sim,
                          to)

assert sim  # the fixture

WIRE = os.path.join(os.path.dirname(__file__), "..", "wire")
HEADERS = ("Content-Type", "Retry-After")

def recorded(name):
    """(status, headers, text) of a recorded answer."""
    with open(os.path.join(WIRE, name), encoding="utf-8", newline="") as file:
        head, _, text = file.read().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = {key: value for key, _, value in (line.partition(": ") for line in lines)}
    return int(first.split()[1]), {h: headers[h] for h in HEADERS if h in headers}, text


def kind_of(value):
    if isinstance(value, bool):
        return "bool"
    if value is None:
        return "null"
    return {dict: "object", list: "list", str: "text", int: "number", float: "number"}[type(value)]


def fullest(items):
    return max(items, key=lambda item: len(json.dumps(item)))


def differences(real, simulated, path=""):
    """What has another form: keys that only one of them has, and other types. Lists are compared by
    their fullest items; keys that are names (labels, fields of managedFields) are of the object."""
    if kind_of(real) != kind_of(simulated):
        yield f"{path}: {kind_of(real)}, simulated {kind_of(simulated)}"
    elif isinstance(real, dict):
        if path.endswith((".labels", ".annotations", ".fieldsV1", ".matchLabels")):
            return
        for key in sorted(set(real) | set(simulated)):
            if key not in simulated:
                yield f"{path}.{key}: is not simulated"
            elif key not in real:
                yield f"{path}.{key}: is only simulated"
            else:
                yield from differences(real[key], simulated[key], f"{path}.{key}")
    elif path.endswith(".managedFields"):  # who writes how differs: any entry may have a key
        yield from differences(*({k: v for entry in entries for k, v in entry.items()}
                                 for entries in (real, simulated)), path + "[]")
    elif isinstance(real, list):
        if bool(real) != bool(simulated):
            yield f"{path}: {len(real)} items, simulated {len(simulated)}"
        if real and simulated:
            yield from differences(fullest(real), fullest(simulated), path + "[]")


def compare(name, answer, headers, but=()):
    """answer: (status, body) of the simulator. but: differences that are meant to be there."""
    status, wanted, text = recorded(name)
    assert answer[0] == status, answer
    assert {h: headers[h] for h in HEADERS if headers.get(h) is not None} == wanted
    found = list(differences(json.loads(text), answer[1]))
    assert found == list(but)
    if status >= 400:
        real = json.loads(text)
        assert {k: answer[1].get(k) for k in ("kind", "status", "reason", "code")} == \
               {k: real.get(k) for k in ("kind", "status", "reason", "code")}


# --- failures -------------------------------------------------------------------------------------

def stale(sim):
    sim.create("deployments", deployment("web"))
    old = sim.get("deployments", "web")["metadata"]["resourceVersion"]
    sim.merge("deployments", "web", {"spec": {"replicas": 1}})
    return sim.call("PATCH", sim.path("deployments", "web"),
                    {"metadata": {"resourceVersion": old}}, MERGE)


def exists(sim):
    sim.create("deployments", deployment("web"))
    return sim.call("POST", sim.path("deployments"), deployment("web"))


def applied_over(sim):
    sim.create("deployments", deployment("web"))
    sim.merge("deployments", "web", {"spec": {"replicas": 5}})
    return sim.call("PATCH", sim.path("deployments", "web") + "?fieldManager=other",
                    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                     "spec": {"replicas": 7}}, APPLY)


def put_without_version(sim):
    made = sim.create("virtualservices", routes("web", to("web")))
    del made["metadata"]["resourceVersion"]
    return sim.call("PUT", sim.path("virtualservices", "web"), made)


def failed_test(sim):
    sim.create("virtualservices", routes("web", to("web")))
    return sim.call("PATCH", sim.path("virtualservices", "web"),
                    [{"op": "test", "path": "/spec/http/0/route/0/weight", "value": 1}], JSONPATCH)


def made_and(method, suffix, body, ctype):
    def ask(sim):
        sim.create("deployments", deployment("web"))
        return sim.call(method, sim.path("deployments", "web") + suffix, body, ctype)
    return ask


FAILURES = {
    "get-404.http": lambda sim: sim.call("GET", sim.path("deployments", "none")),
    "create-exists-409.http": exists,
    "mergepatch-rv-409.http": stale,
    "ssa-conflict-409.http": applied_over,
    "ssa-no-manager-422.http": made_and(
        "PATCH", "", {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}},
        APPLY),
    "crd-put-no-rv-422.http": put_without_version,
    "jsonpatch-test-422.http": failed_test,
    "patch-415.http": made_and("PATCH", "", {"a": 1}, "application/apply-patch+json"),
    "too-large-rv-504.http": lambda sim: sim.call(
        "GET", sim.path("pods") + "?resourceVersion=99999999&resourceVersionMatch=NotOlderThan"),
}


@pytest.mark.parametrize("name", sorted(FAILURES))
def test_failures(sim, name):
    answer = FAILURES[name](sim)
    compare(name, answer, sim.last_headers)


def test_unauthorized():
    lab = Sim("-tls", "-token", "secret")
    try:
        answer = lab.call("GET", lab.path("pods"), auth="Bearer wrong")
        compare("unauthorized-401.http", answer, lab.last_headers)
    finally:
        assert lab.stop() == 0


# --- objects and lists ----------------------------------------------------------------------------

def newer(path):
    """The recordings are of Kubernetes 1.26; the simulator is as newer ones are."""
    return [f"{path}.spec.template.metadata.creationTimestamp: is not simulated",
            f"{path}.status.terminatingReplicas: is only simulated"]


# What a StatefulSet and admission have put into the recorded pod, and what no kubelet has.
OTHER_POD = [f".items[].{path} simulated" for path in (
    "metadata.managedFields: is not", "spec.enableServiceLinks: is not", "spec.hostname: is not",
    "spec.preemptionPolicy: is not", "spec.priority: is not", "spec.subdomain: is not",
    "spec.tolerations: is not", "status.containerStatuses: is only", "status.hostIP: is only")]


def shop(sim):
    made = deployment("web", minReadySeconds=1, progressDeadlineSeconds=20,
                      strategy={"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    made["metadata"]["annotations"] = {"x": "y"}
    del made["spec"]["template"]["metadata"]["annotations"]
    sim.create("deployments", made)
    sim.create("services", service("web"))
    return sim.wait("deployments", "web", available(2))


def test_deployment(sim):
    shop(sim)
    answer = sim.call("GET", sim.path("deployments", "web"))
    compare("dep-get.http", answer, sim.last_headers, newer(""))


def test_lists(sim):
    shop(sim)
    sim.create("services", service("empty", {"app": "none"}))  # nulls, as recorded
    of_empty = "?labelSelector=kubernetes.io/service-name=empty"
    sim.until(lambda: sim.items("endpointslices", query=of_empty))
    unmanaged = ".items[].metadata.managedFields: is not simulated"  # of what nobody edits
    for name, plural, but in (
            ("dep-list.http", "deployments", newer(".items[]")),
            ("rs-list.http", "replicasets", [unmanaged, *newer(".items[]")]),
            ("endpointslices.http", "endpointslices", [unmanaged])):
        query = of_empty if plural == "endpointslices" else ""
        answer = sim.call("GET", sim.path(plural) + query)
        compare(name, answer, sim.last_headers, but)
    answer = sim.call("GET", sim.path("pods") + "?limit=1")
    compare("pod-list-page.http", answer, sim.last_headers, OTHER_POD)


def test_custom_object(sim):
    sim.create("virtualservices", routes("web", to("web", subset="stable")))
    answer = sim.call("GET", sim.path("virtualservices", "web"))
    compare("vs-get.http", answer, sim.last_headers)


def test_review(sim):
    answer = sim.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {"namespace": "default", "verb": "patch", "group": "apps",
                                        "resource": "deployments"}}})
    compare("sar.http", answer, sim.last_headers,
            but=[".metadata.managedFields: is not simulated"])  # of what is never stored


# --- watches --------------------------------------------------------------------------------------

def watched(sim, query):
    stream = sim.watch("deployments", query)
    try:
        headers = stream.response.headers
        return next(stream), headers
    finally:
        stream.close()


def compare_event(name, event, headers, but=()):
    status, wanted, text = recorded(name)
    assert status == 200 and headers["Content-Type"] == wanted["Content-Type"]
    real = json.loads(text.splitlines()[0])
    assert event["type"] == real["type"]
    assert list(differences(real, event)) == list(but)
    return real


def test_watch_from_zero(sim):
    shop(sim)
    event, headers = watched(sim, "&resourceVersion=0")
    compare_event("watch-rv0.http", event, headers, newer(".object"))


def test_watch_too_old():
    lab = Sim("-history", "2")
    try:
        for i in range(6):
            lab.create("configmaps", {"metadata": {"name": f"c{i}"}})
        stream = lab.watch("configmaps", "&resourceVersion=1")
        event = next(stream)
        real = compare_event("watch-410-inband.http", event, stream.response.headers)
        stream.close()
        assert {k: event["object"][k] for k in ("status", "reason", "code")} == \
               {k: real["object"][k] for k in ("status", "reason", "code")}
    finally:
        assert lab.stop() == 0


# --- all of them ----------------------------------------------------------------------------------

def test_every_recording_is_compared():
    """But for what the simulator has not: StatefulSets, users who may do less than all, and the
    schemas of custom objects."""
    with open(__file__, encoding="utf-8") as file:
        here = file.read()
    names = {os.path.basename(path) for path in glob.glob(os.path.join(WIRE, "*.http"))
             if not os.path.basename(path).startswith("prom-")}
    assert {name[:-5] for name in names if f'"{name}"' not in here} == {
        "sts-get", "forbidden-403", "dr-unknown-field-strict-400"}
