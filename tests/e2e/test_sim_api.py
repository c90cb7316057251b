"""airis-sim: objects, patches, errors, lists, as the API server does them."""

import pytest

from harness.process import wait_for

from test_sim_lab import (APPLY, JSONPATCH, MERGE, STRATEGIC, deployment, routes, service, sim, to)

assert sim  # the fixture


def writers(obj):
    return {(m["manager"], m["operation"], m.get("subresource")): m["fieldsV1"]
            for m in obj["metadata"]["managedFields"]}


def test_create_get_delete(sim):
    made = sim.create("deployments", deployment("web"))
    assert made["metadata"]["generation"] == 1 and made["metadata"]["uid"]
    assert made["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": "25%", "maxSurge": "25%"}
    status, body = sim.call("POST", sim.path("deployments"), deployment("web"))
    assert status == 409 and body == {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": 'deployments.apps "web" already exists', "reason": "AlreadyExists",
        "details": {"name": "web", "group": "apps", "kind": "deployments"}, "code": 409}
    assert sim.delete("deployments", "web")[1]["status"] == "Success"
    status, body = sim.call("GET", sim.path("deployments", "web"))
    assert status == 404 and body["reason"] == "NotFound"
    assert body["message"] == 'deployments.apps "web" not found'


def test_stale_writes_conflict(sim):
    sim.create("virtualservices", routes("web", to("web")))
    old = sim.get("virtualservices", "web")["metadata"]["resourceVersion"]
    new = sim.merge("virtualservices", "web", {"spec": {"hosts": ["a"]}})
    assert new["metadata"]["generation"] == 2
    for ctype, patch in ((MERGE, {"metadata": {"resourceVersion": old}, "spec": {"hosts": ["b"]}}),
                         (JSONPATCH, [{"op": "replace", "path": "/metadata/resourceVersion",
                                       "value": old}])):
        status, body = sim.call("PATCH", sim.path("virtualservices", "web"), patch, ctype)
        assert status == 409 and body["reason"] == "Conflict"
        assert "the object has been modified; please apply your changes" in body["message"]
    status, body = sim.call("PUT", sim.path("virtualservices", "web"), {
        **new, "metadata": {**new["metadata"], "resourceVersion": old}})
    assert (status, body["reason"]) == (409, "Conflict")
    assert sim.get("virtualservices", "web")["spec"]["hosts"] == ["a"]


def test_put_of_a_crd_needs_a_version(sim):
    made = sim.create("virtualservices", routes("web", to("web")))
    del made["metadata"]["resourceVersion"]
    status, body = sim.call("PUT", sim.path("virtualservices", "web"), made)
    assert status == 422 and body["details"]["causes"][0]["field"] == "metadata.resourceVersion"


def test_wrong_uid(sim):
    sim.create("virtualservices", routes("web", to("web")))
    status, _ = sim.call("PATCH", sim.path("virtualservices", "web"),
                         {"metadata": {"uid": "no"}, "spec": {"hosts": ["b"]}}, MERGE)
    assert status == 422
    status, body = sim.delete("virtualservices", "web", body={"preconditions": {"uid": "no"}})
    assert status == 409 and body["message"].endswith(
        "The object might have been deleted and then recreated")


def test_json_patch(sim):
    sim.create("virtualservices", routes("web", to("web", 90), to("web-canary", 10),
                                         annotations={"k": "v"}))
    path = sim.path("virtualservices", "web")
    good = [{"op": "test", "path": "/spec/http/0/route/1/weight", "value": 10},
            {"op": "replace", "path": "/spec/http/0/route/1/weight", "value": 25},
            {"op": "add", "path": "/metadata/annotations/a~1b", "value": "x"},
            {"op": "remove", "path": "/spec/hosts/0"}, {"op": "add", "path": "/spec/hosts/-",
                                                        "value": "h"}]
    status, body = sim.call("PATCH", path, good, JSONPATCH)
    assert status == 200 and body["spec"]["http"][0]["route"][1]["weight"] == 25
    assert body["metadata"]["annotations"]["a/b"] == "x" and body["spec"]["hosts"] == ["h"]
    status, body = sim.call("PATCH", path, good, JSONPATCH)
    assert status == 422 and body["message"] == \
        "the server rejected our request due to an error in our request"


def test_patch_types(sim):
    sim.create("virtualservices", routes("web", to("web")))
    assert sim.call("PATCH", sim.path("virtualservices", "web"), {}, STRATEGIC)[0] == 415
    assert sim.call("PATCH", sim.path("virtualservices", "web"), {}, "text/plain")[0] == 415
    assert sim.call("PATCH", sim.path("virtualservices", "web"), "{no", MERGE)[0] == 400


def test_strategic_merge(sim):
    sim.create("deployments", deployment("web"))
    patch = {"spec": {"template": {"spec": {"containers": [
        {"name": "c", "image": "app:v2", "env": [{"name": "A", "value": "1"}]},
        {"name": "side", "image": "side:v1"}]}}}}
    status, body = sim.call("PATCH", sim.path("deployments", "web"), patch, STRATEGIC)
    assert status == 200
    first, second = body["spec"]["template"]["spec"]["containers"]
    assert first["image"] == "app:v2" and first["terminationMessagePath"] and second["name"] == "side"
    gone = {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}
    status, body = sim.call("PATCH", sim.path("deployments", "web"), gone, STRATEGIC)
    assert [c["name"] for c in body["spec"]["template"]["spec"]["containers"]] == ["c"]
    assert body["metadata"]["generation"] == 3


def test_unchanged_keeps_the_version(sim):
    made = sim.create("virtualservices", routes("web", to("web")))
    same = sim.merge("virtualservices", "web", {"spec": {"hosts": ["web"]}})
    assert same["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    labelled = sim.merge("virtualservices", "web", {"metadata": {"labels": {"a": "b"}}})
    assert labelled["metadata"]["resourceVersion"] != made["metadata"]["resourceVersion"]
    assert labelled["metadata"]["generation"] == 1


def test_managed_fields(sim):
    sim.create("deployments", deployment("web"))
    path = sim.path("deployments", "web")
    image = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "app:v9"}]}}}}
    sim.call("PATCH", path, image, STRATEGIC, agent="kubectl-edit/v1.36 (linux)")
    sim.call("PATCH", path + "?fieldManager=boss", {"spec": {"replicas": 5}}, MERGE)
    who = writers(sim.get("deployments", "web"))
    assert who[("kubectl-edit", "Update", None)] == {"f:spec": {"f:template": {"f:spec": {
        "f:containers": {'k:{"name":"c"}': {"f:image": {}}}}}}}
    assert who[("boss", "Update", None)] == {"f:spec": {"f:replicas": {}}}
    first = who[("tester", "Update", None)]["f:spec"]
    assert "f:replicas" not in first and "f:selector" in first
    sim.create("virtualservices", routes("web", to("web")))
    sim.call("PATCH", sim.path("virtualservices", "web"),
             {"spec": {"http": [{"route": [to("x")]}]}}, MERGE, agent="curl/8")
    who = writers(sim.get("virtualservices", "web"))
    assert who[("curl", "Update", None)] == {"f:spec": {"f:http": {}}}
    assert "f:http" not in who[("tester", "Update", None)]["f:spec"]


def test_server_side_apply(sim):
    path = sim.path("deployments", "web")
    config = deployment("web", replicas=3)
    status, body = sim.call("PATCH", path, config, APPLY)
    assert status == 422 and body["details"]["causes"][0]["field"] == "fieldManager"
    assert sim.call("PATCH", path + "?fieldManager=a", config, APPLY)[0] == 201
    sim.call("PATCH", path + "/scale", {"spec": {"replicas": 4}}, MERGE, agent="curl/8")
    status, body = sim.call("PATCH", path + "?fieldManager=a", config, APPLY)
    assert status == 409 and body["message"] == (
        'Apply failed with 1 conflict: conflict with "curl" with subresource "scale" using '
        "apps/v1: .spec.replicas")
    assert body["details"]["causes"][0] == {
        "reason": "FieldManagerConflict", "field": ".spec.replicas",
        "message": 'conflict with "curl" with subresource "scale" using apps/v1'}
    status, body = sim.call("PATCH", path + "?fieldManager=a&force=true", config, APPLY)
    assert status == 200 and body["spec"]["replicas"] == 3


def test_apply_removes_what_it_no_longer_sets(sim):
    path = sim.path("configmaps", "c") + "?fieldManager=a"
    kind = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
    assert sim.call("PATCH", path, {"data": {"x": "1"}}, APPLY)[0] == 400  # of no kind
    sim.call("PATCH", path, {**kind, "data": {"x": "1", "y": "2"}}, APPLY)
    sim.merge("configmaps", "c", {"data": {"z": "3"}})
    status, body = sim.call("PATCH", path, {**kind, "data": {"x": "1"}}, APPLY)
    assert status == 200 and body["data"] == {"x": "1", "z": "3"}


def test_refused(sim):
    status, body = sim.call("POST", sim.path("deployments"), deployment("Bad_Name"))
    assert status == 422 and body["reason"] == "Invalid"
    wrong = deployment("web")
    wrong["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    status, body = sim.call("POST", sim.path("deployments"), wrong)
    assert status == 422 and "does not match template" in body["message"]
    assert sim.call("GET", "/apis/none/v1/things")[0] == 404
    assert sim.call("POST", "/version", {})[0] in (200, 404, 405)
    assert sim.call("PUT", sim.path("deployments"), {})[0] == 405


def test_scale(sim):
    sim.create("deployments", deployment("web", replicas=2))
    path = sim.path("deployments", "web", sub="scale")
    # Its controller writes its status in a moment: what was read before that is an old version.
    wait_for("its status", lambda: sim.get("deployments", "web").get("status", {}).get(
        "availableReplicas") == 2, 10)
    status, body = sim.call("GET", path)
    assert status == 200 and body["kind"] == "Scale" and body["spec"]["replicas"] == 2
    body["spec"]["replicas"] = 3
    assert sim.call("PUT", path, body)[1]["spec"]["replicas"] == 3
    assert sim.call("PUT", path, {**body, "spec": {"replicas": 9}})[0] == 409
    assert sim.get("deployments", "web")["spec"]["replicas"] == 3


def test_status_is_apart(sim):
    sim.create("virtualservices", routes("web", to("web")))
    sim.merge("virtualservices", "web", {"status": {"x": 1}})
    assert "status" not in sim.get("virtualservices", "web")
    status, body = sim.call("PATCH", sim.path("virtualservices", "web", sub="status"),
                            {"status": {"x": 1}, "spec": {"hosts": ["no"]}}, MERGE)
    assert status == 200 and body["status"] == {"x": 1} and body["spec"]["hosts"] == ["web"]
    assert body["metadata"]["generation"] == 1


def test_dry_run(sim):
    assert sim.call("POST", sim.path("configmaps") + "?dryRun=All",
                    {"metadata": {"name": "c"}})[0] == 201
    assert sim.call("GET", sim.path("configmaps", "c"))[0] == 404


def test_pages(sim):
    for i in range(25):
        sim.create("configmaps", {"metadata": {"name": f"c{i:02}", "labels": {"odd": str(i % 2)}}})
    names, token, pages = [], "", 0
    while True:
        status, body = sim.call("GET", f"{sim.path('configmaps')}?limit=10&continue={token}")
        assert status == 200
        names += [o["metadata"]["name"] for o in body["items"]]
        pages += 1
        token = body["metadata"].get("continue")
        if not token:
            break
        assert body["metadata"]["remainingItemCount"] == 25 - len(names)
    assert names == [f"c{i:02}" for i in range(25)] and pages == 3
    sim.call("GET", f"{sim.path('configmaps')}?limit=10")
    token = sim.call("GET", f"{sim.path('configmaps')}?limit=10")[1]["metadata"]["continue"]
    sim.fault({"effect": {"expire_history": True}})
    status, body = sim.call("GET", f"{sim.path('configmaps')}?limit=10&continue={token}")
    assert (status, body["reason"]) == (410, "Expired") and body["metadata"]["continue"]


@pytest.mark.parametrize("query, want", [
    ("labelSelector=app%3Da", ["a", "c"]), ("labelSelector=app!%3Da", ["b", "d"]),
    ("labelSelector=app+in+(a,b),tier", ["a"]), ("labelSelector=app+notin+(a)", ["b", "d"]),
    ("labelSelector=!app", ["d"]), ("fieldSelector=metadata.name%3Db", ["b"]),
    ("labelSelector=app%3Da&fieldSelector=metadata.name!%3Da", ["c"]),
])
def test_selectors(sim, query, want):
    for name, labels in (("a", {"app": "a", "tier": "x"}), ("b", {"app": "b"}), ("c", {"app": "a"}),
                         ("d", {})):
        sim.create("configmaps", {"metadata": {"name": name, "labels": labels}})
    assert [o["metadata"]["name"] for o in sim.items("configmaps", query="?" + query)] == want


def test_what_cannot_be_selected(sim):
    for query in ("fieldSelector=spec.replicas%3D1", "labelSelector=,,", "resourceVersion=new",
                  "continue=zz"):
        assert sim.call("GET", f"{sim.path('deployments')}?{query}")[0] == 400
    assert sim.call("GET", sim.path("pods") + "?fieldSelector=spec.nodeName%3Dx")[0] == 200


def test_a_custom_object_says_what_it_is(sim):
    vs = routes("web", to("web"))
    for missing in ("kind", "apiVersion"):
        part = {k: v for k, v in vs.items() if k != missing}
        assert sim.call("POST", sim.path("virtualservices"), part)[0] == 400
    assert sim.call("POST", sim.path("configmaps"), {**vs})[0] == 400
    assert sim.call("PATCH", sim.path("deployments", "web"), {}, MERGE)[0] == 404


def test_versions(sim):
    sim.create("virtualservices", routes("web", to("web")))
    status, body = sim.call("GET", sim.path("virtualservices", "web").replace("/v1/", "/v1beta1/"))
    assert status == 200 and body["apiVersion"] == "networking.istio.io/v1beta1"
    listed = sim.call("GET", "/apis/networking.istio.io/v1/virtualservices")[1]["items"]
    assert listed[0]["apiVersion"] == "networking.istio.io/v1"
    now = int(sim.call("GET", "/sim/state")[1]["resourceVersion"])
    status, body = sim.call("GET", f"{sim.path('pods')}?resourceVersion={now + 1000}")
    assert status == 504 and sim.last_headers["Retry-After"] == "1"


def test_namespaces(sim):
    status, body = sim.call("POST", sim.path("services", ns="team"), service("web"))
    assert (status, body["reason"], body["message"]) == \
        (404, "NotFound", 'namespaces "team" not found')
    assert body["details"] == {"name": "team", "kind": "namespaces"}
    sim.namespace("team")
    sim.create("services", service("web"), ns="team")
    assert sim.call("GET", "/api/v1/namespaces/team")[0] == 200
    everywhere = sim.call("GET", "/api/v1/services")[1]["items"]
    assert [o["metadata"]["namespace"] for o in everywhere] == ["team"]
    assert sim.call("DELETE", "/api/v1/namespaces/team")[0] == 200
    sim.wait("services", "web", lambda o: o is None, ns="team")


def test_tables(sim):
    sim.create("deployments", deployment("web", replicas=3))
    sim.headers["Accept"] = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
    table = sim.call("GET", sim.path("deployments"))[1]
    assert table["kind"] == "Table" and table["metadata"]["resourceVersion"]
    titles = [c["name"] for c in table["columnDefinitions"]]
    assert titles == ["Name", "Ready", "Up-to-date", "Available", "Age"]
    assert table["rows"][0]["cells"][0] == "web"
    assert table["rows"][0]["cells"][1].endswith("/3")
    assert table["rows"][0]["object"]["metadata"]["name"] == "web"
    first = next(sim.watch("deployments", "&resourceVersion=0"))
    assert first["type"] == "ADDED" and first["object"]["rows"][0]["cells"][0] == "web"


def test_bodies_that_are_not_json(sim):
    for ctype, code in (("application/vnd.kubernetes.protobuf", 415), ("application/json", 400)):
        assert sim.call("POST", sim.path("configmaps"), b"k8s\x00\xff", ctype)[0] == code
    for text in ("[]", "1", '{"a": 1, "a": 2}', '{"metadata": {"name": "\xff"}}'):
        assert sim.call("POST", sim.path("configmaps"), text.encode("latin-1"))[0] == 400
    assert sim.call("GET", sim.path("configmaps"))[0] == 200


def test_review_and_discovery(sim):
    spec = {"resourceAttributes": {"verb": "patch", "resource": "deployments"}}
    status, body = sim.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                            {"spec": spec})
    assert status == 201 and body["status"] == {"allowed": True} and body["spec"] == spec
    names = {r["name"] for r in sim.call("GET", "/apis/apps/v1")[1]["resources"]}
    assert {"deployments", "deployments/scale", "deployments/status", "replicasets"} <= names
