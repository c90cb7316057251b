"""What the cluster's own controllers do, as strategies rely on it: the same on airis-sim and on a
real control plane."""
import pytest

from harness.kube import Refused
from harness.space import Space, workload

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
    """Another maxUnavailable is another fixed point; a smaller one than before takes nothing back."""
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
