"""What the cluster's own controllers do, as strategies rely on it: the same on airis-sim and on a
real control plane."""
import pytest

from harness.kube import Refused
from harness.space import Space, is_ready, template, workload

FOR_EVER = {"minReadySeconds": 2147483646, "progressDeadlineSeconds": 2147483647}


@pytest.fixture
def space(lab):
    return Space(lab)


def rolling(surge, unavailable):
    return {"type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def sets(space, name):
    """(replicas, available, minReadySeconds) of each ReplicaSet by its revision."""
    return {int(s["metadata"]["annotations"]["deployment.kubernetes.io/revision"]):
            (s["spec"]["replicas"], s["status"].get("availableReplicas", 0),
             s["spec"].get("minReadySeconds", 0))
            for s in space.kube.list("ReplicaSet", space.name, f"app={name}")}


def held(space, name, surge, unavailable, replicas=6):
    """Updated, with new pods that are never old enough to be available."""
    space.create(workload("Deployment", name, replicas=replicas,
                          strategy=rolling(surge, unavailable)))
    space.until_status("Deployment", name, availableReplicas=replicas)
    space.set_tag("Deployment", name, "2", **FOR_EVER)


@pytest.mark.parametrize("surge, unavailable", [(2, 1), (1, 0), (0, 2)])
def test_deployment_held(space, surge, unavailable):
    """No pod is available, so the rollout stands where its bounds leave no room, and only the new
    ReplicaSet has the new minReadySeconds."""
    held(space, "web", surge, unavailable)
    point = {1: (6 - unavailable, 6 - unavailable, 0),
             2: (surge + unavailable, 0, FOR_EVER["minReadySeconds"])}
    space.until("the fixed point", lambda: sets(space, "web") == point)
    space.until_status("Deployment", "web", replicas=6 + surge, readyReplicas=6 + surge,
                       updatedReplicas=surge + unavailable, availableReplicas=6 - unavailable)
    space.stays(lambda: sets(space, "web") == point)


def test_deployment_held_moves(space):
    """Another maxUnavailable is another fixed point; a smaller one takes nothing back."""
    held(space, "web", 2, 1)
    ever = FOR_EVER["minReadySeconds"]
    for unavailable, old in ((1, 5), (3, 3), (2, 3), (5, 1)):
        space.patch("Deployment", "web", {"strategy": rolling(2, unavailable)})
        point = {1: (old, old, 0), 2: (min(6, 8 - old), 0, ever)}
        space.until(f"maxUnavailable {unavailable}", lambda p=point: sets(space, "web") == p)
        space.until_status("Deployment", "web", availableReplicas=old)
        space.stays(lambda p=point: sets(space, "web") == p, 0.5)
    space.patch("Deployment", "web", {"minReadySeconds": 0, "strategy": rolling(2, 1)})
    space.until("the end", lambda: sets(space, "web") == {1: (0, 0, 0), 2: (6, 6, 0)})


def test_deployment_without_deadline(space):
    """The largest number of seconds is none, and then there is no condition Progressing."""
    held(space, "web", 1, 0)
    space.until_status("Deployment", "web", updatedReplicas=1)
    assert [c["type"] for c in space.status("Deployment", "web")["conditions"]] == ["Available"]
    with pytest.raises(Refused, match="must be greater than minReadySeconds"):
        space.patch("Deployment", "web", {"progressDeadlineSeconds": 600})
    space.patch("Deployment", "web", {"minReadySeconds": 0, "progressDeadlineSeconds": 600})
    space.until("Progressing", lambda: {c["type"] for c in space.status(
        "Deployment", "web")["conditions"]} == {"Available", "Progressing"})


def test_deployment_held_scales(space):
    """More and fewer replicas are shared out by size, the rest goes to the larger ReplicaSet."""
    held(space, "web", 2, 1)
    space.until_status("Deployment", "web", readyReplicas=8)
    for replicas, old, new in ((10, 8, 4), (5, 4, 3)):
        space.patch("Deployment", "web", {"replicas": replicas})
        space.until(f"{replicas} replicas", lambda p=(old, new): tuple(
            sets(space, "web")[r][0] for r in (1, 2)) == p)
        space.until_status("Deployment", "web", readyReplicas=old + new)


def stateful(space, name="db", replicas=3, tag="1", policy="OrderedReady", **spec):
    """Whole, and with its revision."""
    space.create(workload("StatefulSet", name, tag, replicas=replicas, serviceName=name,
                          podManagementPolicy=policy, **spec))
    status = space.until_status("StatefulSet", name, readyReplicas=replicas,
                                availableReplicas=replicas, currentReplicas=replicas,
                                updatedReplicas=replicas)
    assert status["currentRevision"] == status["updateRevision"]
    return status["updateRevision"]


def partition(ordinal):
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": ordinal}}


def revisions(space, name):
    """The revision that each pod is of."""
    return {pod: p["metadata"]["labels"]["controller-revision-hash"]
            for pod, p in space.pods(name).items()}


def watch_order(space, name, done):
    """Pods in the order in which they came up anew, until done()."""
    first = {p: o["metadata"]["uid"] for p, o in space.pods(name).items()}
    seen = []

    def look():
        for pod, o in space.pods(name).items():
            if first.get(pod) != o["metadata"]["uid"] and pod not in seen:
                seen.append(pod)
        return done()
    space.until("the end of the update", look, 40)
    return seen


def test_statefulset_starts_in_order(space):
    most = []
    space.create(workload("StatefulSet", "db", replicas=3, serviceName="db"))

    def whole():
        pods = space.pods("db")
        unready = [name for name, p in pods.items() if not is_ready(p)]
        most.append((sorted(pods), unready))
        return len(pods) == 3 and not unready
    space.until("all pods", whole)
    assert max(len(unready) for _, unready in most) == 1
    assert all(names == [f"db-{i}" for i in range(len(names))] for names, _ in most)
    pod = space.get("Pod", "db-1")
    labels, status = pod["metadata"]["labels"], space.status("StatefulSet", "db")
    assert labels["statefulset.kubernetes.io/pod-name"] == "db-1"
    assert labels["apps.kubernetes.io/pod-index"] == "1"
    assert labels["controller-revision-hash"] == status["updateRevision"]
    assert (pod["spec"]["hostname"], pod["spec"]["subdomain"]) == ("db-1", "db")
    owner, = pod["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("StatefulSet", "db", True)
    revision = space.get("ControllerRevision", status["updateRevision"])
    assert revision["revision"] == 1
    assert revision["data"]["spec"]["template"]["metadata"]["labels"] == {"app": "db"}


def test_statefulset_starts_at_once(space):
    space.create(workload("StatefulSet", "db", "1-slow", replicas=3, serviceName="db",
                          podManagementPolicy="Parallel"))
    space.until("all pods", lambda: len(space.pods("db")) == 3, 3)
    space.until_status("StatefulSet", "db", replicas=3, readyReplicas=None, availableReplicas=0)


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_statefulset_rolls_from_above(space, policy):
    """One pod at a time whatever the policy; the new revision is the current one in the end."""
    old = stateful(space, policy=policy)
    space.set_tag("StatefulSet", "db", "2")

    def done():
        assert sum(not is_ready(p) for p in space.pods("db").values()) <= 1
        status = space.status("StatefulSet", "db")
        return status["currentRevision"] == status["updateRevision"] != old
    assert watch_order(space, "db", done) == ["db-2", "db-1", "db-0"]
    assert set(space.tags("db").values()) == {"2"}
    space.until_status("StatefulSet", "db", currentReplicas=3, updatedReplicas=3, readyReplicas=3)


def test_statefulset_partition(space):
    """Only ordinals from it on; a pod below comes again as what it was."""
    old = stateful(space, updateStrategy=partition(2))
    space.set_tag("StatefulSet", "db", "2")
    status = space.until_status("StatefulSet", "db", updatedReplicas=1, currentReplicas=2,
                                readyReplicas=3, currentRevision=old)
    new = status["updateRevision"]
    assert revisions(space, "db") == {"db-0": old, "db-1": old, "db-2": new}
    uid = space.get("Pod", "db-0")["metadata"]["uid"]
    space.kube.delete("Pod", space.name, "db-0")
    space.until("db-0 again", lambda: space.get("Pod", "db-0")["metadata"]["uid"] != uid)
    space.until_status("StatefulSet", "db", readyReplicas=3, replicas=3)
    assert space.tags("db") == {"db-0": "1", "db-1": "1", "db-2": "2"}
    space.patch("StatefulSet", "db", {"updateStrategy": partition(1)})
    space.until_status("StatefulSet", "db", updatedReplicas=2, currentReplicas=1, readyReplicas=3)
    assert revisions(space, "db") == {"db-0": old, "db-1": new, "db-2": new}
    space.patch("StatefulSet", "db", {"updateStrategy": partition(2)})
    space.until_status("StatefulSet", "db", updatedReplicas=2, currentRevision=old)
    space.stays(lambda: revisions(space, "db")["db-1"] == new, 0.5)
    space.patch("StatefulSet", "db", {"updateStrategy": partition(0)})
    space.until_status("StatefulSet", "db", updatedReplicas=3, currentReplicas=3,
                       currentRevision=new, readyReplicas=3)


def test_statefulset_waits_to_be_available(space):
    """Nothing moves until each pod is ready for minReadySeconds, the old ones too: none of a set
    has a minReadySeconds of its own."""
    stateful(space, replicas=2)
    space.set_tag("StatefulSet", "db", "2", minReadySeconds=3600)
    space.until_status("StatefulSet", "db", readyReplicas=2, updatedReplicas=None,
                       currentReplicas=2, availableReplicas=0)
    space.stays(lambda: space.tags("db") == {"db-0": "1", "db-1": "1"}, 1)
    space.patch("StatefulSet", "db", {"minReadySeconds": 2})
    space.until_status("StatefulSet", "db", updatedReplicas=1, readyReplicas=2,
                       availableReplicas=1)
    assert space.tags("db") == {"db-0": "1", "db-1": "2"}
    space.until_status("StatefulSet", "db", updatedReplicas=2, availableReplicas=2)


def test_statefulset_on_delete(space):
    old = stateful(space, replicas=2, updateStrategy={"type": "OnDelete"})
    space.set_tag("StatefulSet", "db", "2")
    status = space.until_status("StatefulSet", "db", updatedReplicas=None, currentReplicas=2)
    assert status["updateRevision"] != old
    space.stays(lambda: space.tags("db") == {"db-0": "1", "db-1": "1"}, 1)
    space.kube.delete("Pod", space.name, "db-0")
    space.until("db-0 again", lambda: space.tags("db") == {"db-0": "2", "db-1": "1"})
    space.until_status("StatefulSet", "db", updatedReplicas=1, currentReplicas=1, readyReplicas=2,
                       currentRevision=old)
    space.kube.delete("Pod", space.name, "db-1")
    space.until("db-1 again", lambda: space.tags("db") == {"db-0": "2", "db-1": "2"})
    # Nobody declares this complete: with OnDelete the current revision stays what it was.
    space.until_status("StatefulSet", "db", updatedReplicas=2, currentReplicas=None,
                       readyReplicas=2, currentRevision=old)


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_statefulset_back_from_bad(space, policy):
    """In order, the bad pod is waited for although nothing wants it any more (k/k#67250), until
    somebody deletes it; the revisions in the status are equal all the time."""
    old = stateful(space, policy=policy)
    space.set_tag("StatefulSet", "db", "2-never")
    space.until("the bad pod", lambda: space.tags("db").get("db-2") == "2-never")
    space.until_status("StatefulSet", "db", readyReplicas=2, updatedReplicas=1, replicas=3)
    space.set_tag("StatefulSet", "db", "1")
    space.until_status("StatefulSet", "db", updateRevision=old, currentRevision=old)
    if policy == "OrderedReady":
        space.stays(lambda: space.tags("db").get("db-2") == "2-never", 2)
        space.until_status("StatefulSet", "db", readyReplicas=2, updatedReplicas=2)
        space.kube.delete("Pod", space.name, "db-2")
    space.until_status("StatefulSet", "db", readyReplicas=3, updatedReplicas=3)
    assert space.tags("db")["db-2"] == "1"
    assert space.get("ControllerRevision", old)["revision"] == 3


def test_statefulset_scales(space):
    """Up in order, down from above, and the claims stay."""
    stateful(space, replicas=2, volumeClaimTemplates=[{
        "metadata": {"name": "data"}, "spec": {
            "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}])
    volumes = space.get("Pod", "db-1")["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "data-db-1"}} in volumes
    space.patch("StatefulSet", "db", {"replicas": 4})
    space.until_status("StatefulSet", "db", readyReplicas=4, replicas=4)
    space.patch("StatefulSet", "db", {"replicas": 1})

    def from_above():
        names = sorted(space.pods("db"))
        assert names == [f"db-{i}" for i in range(len(names))]
        return len(names) == 1
    space.until("one pod", from_above)
    space.until_status("StatefulSet", "db", readyReplicas=1, replicas=1, updatedReplicas=1)
    assert {c["metadata"]["name"] for c in space.kube.list("PersistentVolumeClaim", space.name)} \
        == {f"data-db-{i}" for i in range(4)}


def test_statefulset_fixed_fields(space):
    stateful(space, replicas=1)
    with pytest.raises(Refused, match="are forbidden"):
        space.patch("StatefulSet", "db", {"serviceName": "other"})


@pytest.mark.parametrize("policy", ["Background", "Foreground", "Orphan"])
def test_statefulset_deleted(space, policy):
    """With its pods, or without; left alone they are taken over by the next one of that name."""
    stateful(space, replicas=2)
    uids = {n: p["metadata"]["uid"] for n, p in space.pods("db").items()}
    space.kube.call("DELETE", space.kube.path("StatefulSet", space.name, "db"),
                    {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy})
    space.until("the set's end", lambda: space.get("StatefulSet", "db") is None)
    if policy != "Orphan":
        space.until("the pods' end", lambda: space.kube.list("Pod", space.name) == [])
        return
    space.until("no owner", lambda: all("ownerReferences" not in p["metadata"]
                                        for p in space.pods("db").values()))
    stateful(space, replicas=2)
    assert {n: p["metadata"]["uid"] for n, p in space.pods("db").items()} == uids


def endpoints(space, service):
    """hostname -> ready."""
    return {e.get("hostname"): e["conditions"]["ready"]
            for s in space.kube.list("EndpointSlice", space.name,
                                     f"kubernetes.io/service-name={service}")
            for e in s["endpoints"] or []}


@pytest.mark.parametrize("unready", [False, True])
def test_headless_service(space, unready):
    """Each pod by its name, and with publishNotReadyAddresses before it is ready."""
    space.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "db"},
                  "spec": {"clusterIP": "None", "selector": {"app": "db"},
                           "publishNotReadyAddresses": unready,
                           "ports": [{"name": "tcp", "port": 9000}]}})
    stateful(space, replicas=2)
    space.until("both", lambda: endpoints(space, "db") == {"db-0": True, "db-1": True})
    slices = space.kube.list("EndpointSlice", space.name, "service.kubernetes.io/headless")
    assert len(slices) == 1
    space.set_tag("StatefulSet", "db", "2-never")
    space.until("the new pod", lambda: space.tags("db").get("db-1") == "2-never")
    space.until("what it is", lambda: endpoints(space, "db") == {"db-0": True, "db-1": unready})


def daemons(space, name="agent", tag="1", nodes=3, **spec):
    space.create(workload("DaemonSet", name, tag, **spec))
    space.until_status("DaemonSet", name, desiredNumberScheduled=nodes, numberReady=nodes,
                       currentNumberScheduled=nodes, updatedNumberScheduled=nodes,
                       numberAvailable=nodes, numberUnavailable=None, numberMisscheduled=0)


def bounds(surge, unavailable):
    return {"type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}


def test_daemonset_on_every_node(space):
    daemons(space)
    nodes = [n["metadata"]["name"] for n in space.kube.list("Node", None)]
    pods = space.pods("agent")
    assert sorted(p["spec"]["nodeName"] for p in pods.values()) == sorted(nodes)
    revision, = space.kube.list("ControllerRevision", space.name)
    hashes = {p["metadata"]["labels"]["controller-revision-hash"] for p in pods.values()}
    assert hashes == {revision["metadata"]["labels"]["controller-revision-hash"]}
    assert revision["metadata"]["name"] == f"agent-{hashes.pop()}"
    gone = pods.popitem()
    space.kube.delete("Pod", space.name, gone[0])
    space.until("another one there", lambda: gone[1]["spec"]["nodeName"] in [
        p["spec"].get("nodeName") for n, p in space.pods("agent").items() if n != gone[0]])
    space.until_status("DaemonSet", "agent", numberAvailable=3)


def test_daemonset_by_label(space):
    """Where the nodeSelector says so; elsewhere its pods go."""
    one = {"topology.kubernetes.io/zone": "zone-a"}
    daemons(space)
    space.patch("DaemonSet", "agent", {"template": {"spec": {"nodeSelector": one}}})
    space.until_status("DaemonSet", "agent", desiredNumberScheduled=1, currentNumberScheduled=1,
                       numberMisscheduled=0, updatedNumberScheduled=1, numberAvailable=1)
    pod, = space.pods("agent").values()
    assert pod["spec"]["nodeName"] == "lab-a"


@pytest.mark.parametrize("unavailable", [1, 2, "50%"])
def test_daemonset_rolls(space, unavailable):
    daemons(space, updateStrategy=bounds(0, unavailable))
    space.set_tag("DaemonSet", "agent", "2")
    most = 1 if unavailable == 1 else 2

    def done():
        ready = [p for p in space.pods("agent").values() if is_ready(p)]
        assert len(ready) >= 3 - most
        return set(space.tags("agent").values()) == {"2"} and len(ready) == 3
    space.until("new pods everywhere", done, 30)
    space.until_status("DaemonSet", "agent", updatedNumberScheduled=3, numberAvailable=3)


def test_daemonset_held(space):
    """A pod that never gets ready uses up its place; the good template heals it by itself."""
    daemons(space, updateStrategy=bounds(0, 2))
    space.set_tag("DaemonSet", "agent", "2-never")
    space.until_status("DaemonSet", "agent", updatedNumberScheduled=2, numberUnavailable=2,
                       numberReady=1, numberAvailable=1)
    space.stays(lambda: sorted(space.tags("agent").values()) == ["1", "2-never", "2-never"], 1)
    space.set_tag("DaemonSet", "agent", "1")
    space.until_status("DaemonSet", "agent", updatedNumberScheduled=3, numberAvailable=3)
    assert set(space.tags("agent").values()) == {"1"}


def test_daemonset_waits_to_be_available(space):
    """A pod that is too young is not available; old ones too are then no loss, all at once."""
    daemons(space)
    space.set_tag("DaemonSet", "agent", "2", minReadySeconds=3600)
    space.until_status("DaemonSet", "agent", updatedNumberScheduled=3, numberReady=3,
                       numberAvailable=None, numberUnavailable=3)


def test_daemonset_surges(space):
    """The new pod comes beside the old one, on one node at a time."""
    daemons(space, updateStrategy=bounds(1, 0))
    space.set_tag("DaemonSet", "agent", "2")
    most = set()

    def done():
        pods = space.pods("agent").values()
        assert {p["spec"]["nodeName"] for p in pods if is_ready(p)} == {"lab-a", "lab-b", "lab-c"}
        most.add(len(pods))
        return set(space.tags("agent").values()) == {"2"}
    space.until("new pods everywhere", done, 30)
    assert most <= {3, 4} and 4 in most  # between two nodes there are three, for a moment
    space.until_status("DaemonSet", "agent", updatedNumberScheduled=3, numberAvailable=3)


def test_daemonset_on_delete(space):
    daemons(space, updateStrategy={"type": "OnDelete"})
    space.set_tag("DaemonSet", "agent", "2")
    space.until_status("DaemonSet", "agent", updatedNumberScheduled=None, numberAvailable=3)
    space.stays(lambda: set(space.tags("agent").values()) == {"1"}, 1)
    space.kube.delete("Pod", space.name, next(iter(space.pods("agent"))))
    space.until_status("DaemonSet", "agent", updatedNumberScheduled=1, numberAvailable=3)
    assert sorted(space.tags("agent").values()) == ["1", "1", "2"]


def job(space, tag, name="move", **spec):
    pod = template(name, tag, restartPolicy="Never")
    return space.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
                         "spec": {"template": pod, **spec}})


def ended(space, kind, reason, name="move", timeout=20):
    def there():
        status = space.status("Job", name)
        found = {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions", [])}
        assert found.get(kind) == ("True", reason), found
        return status
    return space.until(f"the job to be {kind}", there, timeout)


def test_job_succeeds(space):
    made = job(space, "1")
    status = ended(space, "Complete", "CompletionsReached")
    assert (status["succeeded"], status.get("failed"), status.get("active")) == (1, None, None)
    assert status["completionTime"] and status["startTime"]
    pod, = space.kube.list("Pod", space.name, "batch.kubernetes.io/job-name=move")
    assert pod["status"]["phase"] == "Succeeded"
    assert pod["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    with pytest.raises(Refused, match="spec.template: Invalid value"):
        space.set_tag("Job", "move", "2")


def test_job_completions(space):
    job(space, "1", completions=3, parallelism=2)
    space.until("two at once", lambda: space.status("Job", "move").get("active") == 2)
    assert ended(space, "Complete", "CompletionsReached")["succeeded"] == 3


@pytest.mark.parametrize("limit", [0, 1])
def test_job_fails(space, limit):
    """Another pod after ten seconds, and no more of them than backoffLimit says."""
    job(space, "1-fail", backoffLimit=limit)
    status = ended(space, "Failed", "BackoffLimitExceeded", timeout=40)
    assert (status["failed"], status.get("succeeded")) == (limit + 1, None)
    space.stays(lambda: len(space.pods("move")) == limit + 1, 0.5)


def test_job_too_long(space):
    job(space, "1", completions=20, activeDeadlineSeconds=3)
    status = ended(space, "Failed", "DeadlineExceeded")
    assert status.get("active") is None
    space.until("no pod that runs", lambda: {p["status"]["phase"] for p in space.pods(
        "move").values()} == {"Succeeded"})


def test_job_deleted(space):
    """Its pods stay unless the request says otherwise: in batch/v1 only."""
    job(space, "1")
    job(space, "1", "other")
    ended(space, "Complete", "CompletionsReached")
    ended(space, "Complete", "CompletionsReached", "other")
    space.kube.delete("Job", space.name, "move")
    space.kube.call("DELETE", space.kube.path("Job", space.name, "other"),
                    {"kind": "DeleteOptions", "apiVersion": "v1",
                     "propagationPolicy": "Background"})
    space.until("the other's pod to go", lambda: not space.pods("other"))
    assert len(space.pods("move")) == 1


def test_job_needs_restart_policy(space):
    with pytest.raises(Refused, match="restartPolicy: Required value"):
        space.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "move"},
                      "spec": {"template": template("move", "1")}})


def budget(space, name, **spec):
    space.create({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
                  "metadata": {"name": name},
                  "spec": {"selector": {"matchLabels": {"app": name}}, **spec}})


def allows(space, name, allowed, healthy, desired, expected):
    space.until_status("PodDisruptionBudget", name, disruptionsAllowed=allowed,
                       currentHealthy=healthy, desiredHealthy=desired, expectedPods=expected)


@pytest.mark.parametrize("rule", [{"minAvailable": 2}, {"maxUnavailable": 1},
                                  {"minAvailable": "50%"}, {"maxUnavailable": "25%"}])
def test_disruption_budget(space, rule):
    """A pod that is away uses it up, whoever took it."""
    budget(space, "db", **rule)
    allows(space, "db", 0, 0, 2 if rule == {"minAvailable": 2} else 0, 0)
    stateful(space)
    allows(space, "db", 1, 3, 2, 3)
    space.set_tag("StatefulSet", "db", "2-never")
    allows(space, "db", 0, 2, 2, 3)
    condition, = space.status("PodDisruptionBudget", "db")["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == \
        ("DisruptionAllowed", "False", "InsufficientPods")


def test_disruption_budget_of_deployment(space):
    """With maxUnavailable its replicas count, not the pods beside them in a rollout."""
    budget(space, "web", maxUnavailable=1)
    held(space, "web", 2, 1, replicas=4)
    allows(space, "web", 3, 6, 3, 4)
