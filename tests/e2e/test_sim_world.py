"""airis-sim: the controllers and the nodes."""

import json

import pytest

from test_sim_lab import STRATEGIC, Sim, available, deployment, rolled, service, sim

assert sim  # the fixture


def condition(obj, kind):
    for c in obj["status"].get("conditions", []):
        if c["type"] == kind:
            return c
    return {}


def set_image(sim, name, image):
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
    status, body = sim.call("PATCH", sim.path("deployments", name), patch, STRATEGIC)
    assert status == 200, body


def has(kind, **want):
    return lambda d: d is not None and all(condition(d, kind).get(k) == v for k, v in want.items())


def ready_addresses(sim, name):
    found = 0
    for s in sim.items("endpointslices", query=f"?labelSelector=kubernetes.io/service-name={name}"):
        found += sum(e["conditions"]["ready"] for e in s["endpoints"] or [])
    return found


def test_deployment_gets_ready(sim):
    sim.create("services", service("web"))
    sim.create("deployments", deployment("web", replicas=3))
    done = sim.wait("deployments", "web", rolled(3))
    assert has("Progressing", reason="NewReplicaSetAvailable")(done)
    assert has("Available", status="True")(done) and "unavailableReplicas" not in done["status"]
    rs, = sim.items("replicasets")
    assert rs["metadata"]["name"].startswith("web-")
    assert rs["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    pods = sim.items("pods")
    assert {p["metadata"]["ownerReferences"][0]["uid"] for p in pods} == {rs["metadata"]["uid"]}
    assert len({p["status"]["podIP"] for p in pods}) == 3
    assert {p["metadata"]["labels"]["pod-template-hash"] for p in pods} == \
        {rs["metadata"]["labels"]["pod-template-hash"]}
    sim.until(lambda: ready_addresses(sim, "web") == 3)
    refs = {e["targetRef"]["uid"] for s in sim.items("endpointslices") for e in s["endpoints"]}
    assert refs == {p["metadata"]["uid"] for p in pods}


@pytest.mark.parametrize("surge, unavailable", [("25%", "25%"), (1, 0), (0, 1), ("100%", 0)])
def test_rolling_keeps_its_bounds(sim, surge, unavailable):
    strategy = {"type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    sim.create("deployments", deployment("web", replicas=4, strategy=strategy))
    before = sim.wait("deployments", "web", rolled(4))
    stream = sim.watch("deployments", f"&resourceVersion={before['metadata']['resourceVersion']}")
    set_image(sim, "web", "app:v2")
    least = 4 - {"25%": 1, 0: 0, 1: 1}[unavailable]
    most = 4 + {"25%": 1, 0: 0, 1: 1, "100%": 4}[surge]
    for event in stream:
        status = event["object"]["status"]
        assert status.get("availableReplicas", 0) >= least
        assert status.get("replicas", 0) <= most
        if rolled(4)(event["object"]) and \
                event["object"]["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2":
            break
    stream.close()
    sizes = sorted(rs["spec"]["replicas"] for rs in sim.items("replicasets"))
    assert sizes == [0, 4]


def test_back_to_the_old_image(sim):
    sim.create("deployments", deployment("web", replicas=2))
    sim.wait("deployments", "web", rolled(2))
    set_image(sim, "web", "app:v2")
    sim.wait("deployments", "web", rolled(2))
    set_image(sim, "web", "app:v1")
    done = sim.wait("deployments", "web", rolled(2))
    assert done["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert len(sim.items("replicasets")) == 2


def test_recreate(sim):
    sim.create("deployments", deployment("web", replicas=2, strategy={"type": "Recreate"}))
    before = sim.wait("deployments", "web", rolled(2))
    old = {p["metadata"]["uid"] for p in sim.items("pods")}
    stream = sim.watch("pods", f"&resourceVersion={before['metadata']['resourceVersion']}")
    set_image(sim, "web", "app:v2")
    gone = set()
    for event in stream:
        if event["type"] == "DELETED":
            gone.add(event["object"]["metadata"]["uid"])
        elif event["type"] == "ADDED":
            break
    assert gone == old  # nothing new before the old is gone
    stream.close()
    sim.wait("deployments", "web", rolled(2))


def test_paused(sim):
    sim.create("deployments", deployment("web", replicas=2))
    sim.wait("deployments", "web", rolled(2))
    sim.merge("deployments", "web", {"spec": {"paused": True}})
    set_image(sim, "web", "app:v2")
    d = sim.wait("deployments", "web", has("Progressing", reason="DeploymentPaused"))
    assert condition(d, "Progressing")["status"] == "Unknown"
    sim.merge("deployments", "web", {"spec": {"replicas": 4}})
    sim.wait("deployments", "web", available(4))
    assert len(sim.items("replicasets")) == 1
    sim.merge("deployments", "web", {"spec": {"paused": False}})
    sim.wait("deployments", "web", rolled(4))


def test_minimum_ready_seconds_and_generation(sim):
    sim.create("deployments", deployment("web", replicas=1, minReadySeconds=1))
    half = sim.wait("deployments", "web", lambda d: d["status"].get("readyReplicas") == 1)
    assert "availableReplicas" not in half["status"]
    sim.wait("deployments", "web", rolled(1))


def test_image_that_cannot_be_pulled(sim):
    sim.create("deployments", deployment("web", "app:v1-nopull", 1, progressDeadlineSeconds=1))
    late = sim.wait("deployments", "web", has("Progressing", reason="ProgressDeadlineExceeded"))
    assert condition(late, "Progressing")["status"] == "False"
    assert late["status"]["unavailableReplicas"] == 1
    pod, = sim.items("pods")
    assert pod["status"]["phase"] == "Pending"
    waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "ImagePullBackOff"
    set_image(sim, "web", "app:v2")
    sim.wait("deployments", "web", rolled(1))
    assert has("Progressing", reason="NewReplicaSetAvailable")(sim.get("deployments", "web"))


def test_image_that_crashes(sim):
    sim.create("deployments", deployment("web", "app:v1-crash", 1))
    sim.wait("deployments", "web", lambda d: d["status"].get("observedGeneration") == 1
             and d["status"].get("replicas") == 1)
    name = sim.items("pods")[0]["metadata"]["name"]
    state = lambda p: p["status"].get("containerStatuses", [{}])[0]
    pod = sim.wait("pods", name, lambda p: state(p).get("state", {}).get("waiting"))
    assert state(pod)["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert state(pod)["restartCount"] == 1


def test_image_that_is_never_ready_and_one_that_no_node_takes(sim):
    sim.create("deployments", deployment("never", "app:v1-never", 1, progressDeadlineSeconds=1))
    sim.create("deployments", deployment("nosched", "app:v1-nosched", 1))
    sim.wait("deployments", "never", has("Progressing", reason="ProgressDeadlineExceeded"))
    lost, = sim.items("pods", query="?labelSelector=app%3Dnosched")
    assert condition(lost, "PodScheduled")["reason"] == "Unschedulable"
    assert "nodeName" not in lost["spec"]
    idle, = sim.items("pods", query="?labelSelector=app%3Dnever")
    assert idle["status"]["phase"] == "Running" and condition(idle, "Ready")["status"] == "False"


def test_ready_after_annotation(sim):
    sim.create("deployments", deployment("web", replicas=1, annotations={"lab/ready-after": "1200ms"}))
    sim.wait("deployments", "web", lambda d: d["status"].get("replicas") == 1)
    sim.create("deployments", deployment("fast", replicas=1))
    sim.wait("deployments", "fast", rolled(1))
    assert "readyReplicas" not in sim.get("deployments", "web")["status"]
    sim.wait("deployments", "web", rolled(1))


@pytest.mark.parametrize("how", ["object", "fault"])
def test_quota(sim, how):
    if how == "object":
        sim.create("resourcequotas", {"metadata": {"name": "q"}, "spec": {"hard": {"pods": "2"}}})
    else:
        sim.fault({"match": {"namespace": "default"}, "effect": {"quota": 2}})
    sim.create("deployments", deployment("web", replicas=3))
    d = sim.wait("deployments", "web", has("ReplicaFailure", status="True", reason="FailedCreate"))
    assert "exceeded quota" in condition(d, "ReplicaFailure")["message"]
    assert any(e["reason"] == "FailedCreate" for e in sim.items("events"))
    sim.wait("deployments", "web", lambda x: x["status"].get("availableReplicas") == 2)
    if how == "object":
        sim.delete("resourcequotas", "q")
    else:
        sim.clear()
    sim.wait("deployments", "web", lambda x: rolled(3)(x) and not condition(x, "ReplicaFailure"))


def test_autoscaler_keeps_its_floor(sim):
    sim.create("deployments", deployment("web", replicas=1))
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    sim.create("horizontalpodautoscalers", {
        "metadata": {"name": "web"}, "spec": {"scaleTargetRef": target, "minReplicas": 3,
                                              "maxReplicas": 5}})
    d = sim.wait("deployments", "web", rolled(3))
    assert ("kube-controller-manager", "scale") in {
        (m["manager"], m.get("subresource")) for m in d["metadata"]["managedFields"]}
    sim.merge("deployments", "web", {"spec": {"replicas": 2}})
    sim.wait("deployments", "web", lambda x: x["spec"]["replicas"] == 3)
    sim.merge("horizontalpodautoscalers", "web",
              {"metadata": {"annotations": {"lab/hpa-desired": "9"}}})
    sim.wait("deployments", "web", lambda x: x["spec"]["replicas"] == 5)
    sim.wait("horizontalpodautoscalers", "web",
             lambda h: h.get("status", {}).get("desiredReplicas") == 5)
    sim.merge("deployments", "web", {"spec": {"replicas": 0}})
    sim.wait("deployments", "web", lambda x: "replicas" not in x["status"])
    assert sim.get("deployments", "web")["spec"]["replicas"] == 0


def scaled_object(sim, annotations=None, **spec):
    sim.create("scaledobjects", {
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": {"name": "web", "annotations": annotations or {}},
        "spec": {"scaleTargetRef": {"name": "web"}, "triggers": [], **spec}})


def hpa_says(name, low, high):
    return lambda h: h is not None and (h["spec"]["scaleTargetRef"]["name"], h["spec"][
        "minReplicas"], h["spec"]["maxReplicas"]) == (name, low, high)


def test_keda_keeps_its_own_hpa(sim):
    """It is made from the ScaledObject, edits of it are taken back, and it goes with that."""
    for name in ("web", "other"):
        sim.create("deployments", deployment(name, replicas=2))
    scaled_object(sim)
    made = sim.wait("horizontalpodautoscalers", "keda-hpa-web", hpa_says("web", 1, 100))
    owner, = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("ScaledObject", "web", True)
    sim.merge("horizontalpodautoscalers", "keda-hpa-web", {"spec": {"minReplicas": 4}})
    sim.wait("horizontalpodautoscalers", "keda-hpa-web", hpa_says("web", 1, 100))
    sim.merge("scaledobjects", "web", {"spec": {"minReplicaCount": 5, "maxReplicaCount": 8}})
    sim.wait("horizontalpodautoscalers", "keda-hpa-web", hpa_says("web", 5, 8))
    sim.wait("deployments", "web", rolled(5))
    sim.merge("scaledobjects", "web", {"spec": {"scaleTargetRef": {"name": "other"}}})
    sim.wait("horizontalpodautoscalers", "keda-hpa-web", hpa_says("other", 5, 8))
    sim.wait("deployments", "other", rolled(5))
    sim.delete("scaledobjects", "web")
    sim.wait("horizontalpodautoscalers", "keda-hpa-web", lambda h: h is None)


def test_keda_goes_to_zero_and_back(sim):
    """When nothing is to do: to 0, or to idleReplicaCount whatever the floor is; never else."""
    size = lambda n: lambda d: d["spec"]["replicas"] == n
    sim.create("deployments", deployment("web", replicas=3))
    scaled_object(sim, {"lab/active": "false"}, minReplicaCount=2)
    sim.wait("horizontalpodautoscalers", "keda-hpa-web", hpa_says("web", 2, 100))
    sim.merge("deployments", "web", {"spec": {"replicas": 0}})
    sim.wait("deployments", "web", size(2))
    sim.merge("scaledobjects", "web", {"spec": {"idleReplicaCount": 0}})
    sim.wait("deployments", "web", size(0))
    sim.merge("scaledobjects", "web", {"metadata": {"annotations": {"lab/active": None}}})
    sim.wait("deployments", "web", size(2))
    sim.merge("scaledobjects", "web", {
        "metadata": {"annotations": {"lab/active": "false"}},
        "spec": {"idleReplicaCount": None, "minReplicaCount": None}})
    sim.wait("deployments", "web", size(0))


def test_keda_pauses(sim):
    """Then there is no HPA, and the size is that of the annotation, or stays."""
    sim.create("deployments", deployment("web", replicas=3))
    scaled_object(sim, {"autoscaling.keda.sh/paused-replicas": "2"}, minReplicaCount=5)
    sim.wait("deployments", "web", lambda d: d["spec"]["replicas"] == 2)
    assert sim.items("horizontalpodautoscalers") == []
    sim.merge("scaledobjects", "web", {"metadata": {"annotations": {
        "autoscaling.keda.sh/paused-replicas": None}}})
    sim.wait("deployments", "web", lambda d: d["spec"]["replicas"] == 5)
    sim.wait("horizontalpodautoscalers", "keda-hpa-web", hpa_says("web", 5, 100))
    sim.merge("scaledobjects", "web", {"metadata": {"annotations": {
        "autoscaling.keda.sh/paused": "true"}}})
    sim.wait("horizontalpodautoscalers", "keda-hpa-web", lambda h: h is None)


def test_keda_refuses_bounds(sim):
    sim.create("deployments", deployment("web", replicas=3))
    for spec in ({"minReplicaCount": 6, "maxReplicaCount": 5}, {"idleReplicaCount": 0}):
        status, body = sim.call("POST", sim.path("scaledobjects"), {
            "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
            "metadata": {"name": "web"}, "spec": {"scaleTargetRef": {"name": "web"}, **spec}})
        assert status == 400 and "ReplicaCount must be less than" in body["message"]


def test_endpoints_are_null_when_there_are_none(sim):
    sim.create("services", service("web"))
    sim.until(lambda: len(sim.items("endpointslices")) == 1)
    slice_, = sim.items("endpointslices")
    assert slice_["endpoints"] is None
    assert slice_["metadata"]["labels"]["kubernetes.io/service-name"] == "web"
    sim.create("deployments", deployment("web", replicas=130))
    sim.wait("deployments", "web", rolled(130))
    sim.until(lambda: ready_addresses(sim, "web") == 130)
    assert sorted(len(s["endpoints"]) for s in sim.items("endpointslices")) == [30, 100]
    sim.merge("services", "web", {"spec": {"selector": {"app": "nobody"}}})
    sim.until(lambda: [s["endpoints"] for s in sim.items("endpointslices")] == [None])


def test_pods_go_slowly_and_are_replaced(sim):
    sim.create("services", service("web"))
    sim.create("deployments", deployment("web", replicas=2))
    sim.wait("deployments", "web", rolled(2))
    name = sim.items("pods")[0]["metadata"]["name"]
    status, body = sim.delete("pods", name)
    assert status == 200 and body["metadata"]["deletionTimestamp"]
    going = sim.get("pods", name)
    assert going["metadata"]["deletionGracePeriodSeconds"] == 30
    sim.wait("pods", name, lambda p: p is None, timeout=3)
    sim.wait("deployments", "web", rolled(2))
    assert len(sim.items("pods")) == 2


def test_overlapping_selectors(sim):
    same = {"app": "shared"}
    sim.create("deployments", deployment("one", replicas=2, labels=same))
    sim.create("deployments", deployment("two", "app:v2", replicas=3, labels=same))
    sim.wait("deployments", "one", rolled(2))
    sim.wait("deployments", "two", rolled(3))
    assert len(sim.items("pods")) == 5


@pytest.mark.parametrize("policy, kept", [("Background", 0), ("Foreground", 0), ("Orphan", 1)])
def test_what_owners_leave(sim, policy, kept):
    sim.create("deployments", deployment("web", replicas=2))
    sim.wait("deployments", "web", rolled(2))
    assert sim.delete("deployments", "web", body={"propagationPolicy": policy})[0] == 200
    sim.wait("deployments", "web", lambda d: d is None)
    sim.until(lambda: len(sim.items("replicasets")) == kept and len(sim.items("pods")) == 2 * kept)


def test_finalizers_hold(sim):
    sim.create("configmaps", {"metadata": {"name": "c", "finalizers": ["x/y"]}})
    sim.delete("configmaps", "c")
    assert sim.get("configmaps", "c")["metadata"]["deletionTimestamp"]
    sim.merge("configmaps", "c", {"metadata": {"finalizers": None}})
    assert sim.call("GET", sim.path("configmaps", "c"))[0] == 404


def test_old_sets_are_cleaned(sim):
    sim.create("deployments", deployment("web", replicas=1, revisionHistoryLimit=1))
    for i in range(1, 5):
        set_image(sim, "web", f"app:v{i}")
        sim.wait("deployments", "web", rolled(1))
    sim.until(lambda: len(sim.items("replicasets")) == 2)
    assert json.dumps(sim.items("replicasets")).count("app:v4") == 1


def test_without_a_world():
    lab = Sim("-world=false")
    try:
        lab.create("deployments", deployment("web"))
        lab.wait("deployments", "web", lambda d: d["status"].get("replicas") == 2)
        pod = lab.items("pods")[0]
        assert "nodeName" not in pod["spec"] and pod["status"]["phase"] == "Pending"
        status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        for pod in lab.items("pods"):  # a test may play the node itself
            path = lab.path("pods", pod["metadata"]["name"], sub="status")
            assert lab.call("PATCH", path, status, STRATEGIC)[0] == 200
        lab.wait("deployments", "web", lambda d: d["status"].get("readyReplicas") == 2)
    finally:
        assert lab.stop() == 0
