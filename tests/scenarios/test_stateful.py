"""Rolling releases of a StatefulSet: ordinal by ordinal, held by its partition, and back from each."""
import time

import pytest

from harness.process import wait_for
from harness.scene import abort, abort_on_entering, acts, kill_on_entering

pytestmark = pytest.mark.together
STAGES = ["preflight", "ordinal 2", "ordinal 1", "ordinal 0", "finish"]
NO_GATES = {"gates": []}
MINUTE = {"rolling": {"hold": "60s"}, **NO_GATES}


def held(scene, shop, tag="2.0", **app):
    """A rollout that has brought its first ordinal, and stays there."""
    rid = scene.begin(shop, tag, **{**MINUTE, **app})
    scene.airisd.wait_blocked(rid, "held", 60)
    return rid


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
def test_healthy(scene, policy):
    shop = scene.stateful(policy=policy)
    rid = scene.begin(shop, "2.0")
    scene.airisd.wait_phase(rid, "succeeded", 120)
    shop.assert_runs("2.0")
    events = scene.airisd.events(rid)
    assert acts(events, "roll") == [1, 2, 3]
    assert acts(events, "delete_pod") == []
    ladder = scene.airisd.rollout(rid)["ladder"]
    assert [s["name"] for s in ladder] == STAGES
    assert all(s["measured"][0]["verdict"] == "pass" for s in ladder[1:4])  # one after the other
    plan = scene.airisd.ctl("rollout", "plan", shop.name, "--image", shop.image_of("3.0")).stdout
    assert f"StatefulSet {shop.namespace}/{shop.name}: image {shop.image_of('3.0')} on 1 pods" \
        in plan, plan


def test_it_is_held_without_airisd(scene):
    shop = scene.stateful()
    rid = held(scene, shop)
    scene.airisd.kill()
    time.sleep(4)
    assert shop.tags() == ["1.0", "1.0", "2.0"]
    scene.airisd.start()
    scene.airisd.wait_blocked(rid, "held", 30)
    r = scene.airisd.rollout(rid)
    assert r["batch"] == {"allowed": 1, "ready": 1, "size": 3}
    assert scene.airisd.command(rid, "promote").status == 200
    wait_for("the next ordinal", lambda: shop.tags() == ["1.0", "2.0", "2.0"], 30)
    abort(scene, rid)
    shop.assert_runs("1.0")


def test_batches_as_the_app_says(scene):
    shop = scene.stateful()
    rid = scene.begin(shop, "2.0", rolling={"batches": [1, "100%"]}, **NO_GATES)
    scene.airisd.wait_phase(rid, "succeeded", 120)
    assert [s["name"] for s in scene.airisd.rollout(rid)["ladder"]] == [
        "preflight", "batch 1 pod", "batch 100%", "finish"]
    assert acts(scene.airisd.events(rid), "roll") == [1, 2, 3]  # never two of them away
    shop.assert_runs("2.0")


def test_a_bad_release_stops_at_the_first_ordinal(scene):
    shop = scene.stateful()
    rid = scene.begin(shop, "2.0-err60")
    ended = scene.airisd.wait_phase(rid, "aborted", 90)
    assert "gate success-rate" in ended["reason"] and '"ordinal 2"' in ended["reason"]
    assert acts(scene.airisd.events(rid), "roll") == [1]
    shop.assert_runs("1.0")


@pytest.mark.parametrize("policy", ["OrderedReady", "Parallel"])
@pytest.mark.parametrize("tag", ["nopull", "crash", "never"])
def test_F82_a_bad_pod_is_removed(scene, tag, policy):
    """kubernetes/kubernetes#67250: its controller would wait for it without end. The others, which
    are good, are not touched."""
    shop = scene.stateful(policy=policy)
    uids = {p["metadata"]["name"]: p["metadata"]["uid"]
            for p in scene.kube.list("Pod", shop.namespace)}
    rid = scene.begin(shop, f"2.0-{tag}", rolling={"deadline": "8s", "steady": "3s"}, **NO_GATES)
    scene.airisd.wait_blocked(rid, "0 of 1 pods of the batch ready", 20)
    wait_for("the pod", lambda: shop.tags() == ["1.0", "1.0", f"2.0-{tag}"], 20)
    ended = scene.airisd.wait_phase(rid, "aborted", 90)
    assert "no progress" in ended["reason"]
    shop.assert_runs("1.0")
    deleted = acts(scene.airisd.events(rid), "delete_pod", "text")
    if policy == "OrderedReady":
        assert deleted == [f"{shop.name}-2"]
    for pod in scene.kube.list("Pod", shop.namespace):
        name = pod["metadata"]["name"]
        assert name == f"{shop.name}-2" or pod["metadata"]["uid"] == uids[name], name


def test_F41_the_release_mends_a_pod_that_is_stuck(scene):
    """The old version's last pod does not get ready; the release is the way out."""
    shop = scene.stateful()
    scene.kube.patch("StatefulSet", shop.namespace, shop.name, {"spec": {"template": {"spec": {
        "containers": [{"name": "app", "image": shop.image_of("1.1-never")}]}}}}, "somebody")
    wait_for("a broken pod", lambda: shop.tags() == ["1.0", "1.0", "1.1-never"], 30)
    rid = scene.begin(shop, "2.0", **NO_GATES)
    scene.airisd.wait_phase(rid, "succeeded", 90)
    assert acts(scene.airisd.events(rid), "delete_pod", "text") == [f"{shop.name}-2"]
    assert shop.tags() == ["2.0"] * 3
    assert shop.lost() == {}


@pytest.mark.parametrize("stage", STAGES)
def test_abort_on_entering(scene, stage):
    abort_on_entering(scene, scene.stateful(), STAGES, stage)


@pytest.mark.parametrize("stage", STAGES[1:])
def test_kill_9(scene, stage):
    kill_on_entering(scene, scene.stateful(), STAGES, stage)


def test_a_foreign_partition_is_held(scene):
    """Somebody lets all of it go: what is left is stopped, and said."""
    shop = scene.stateful()
    rid = held(scene, shop)
    scene.kube.patch("StatefulSet", shop.namespace, shop.name, {"spec": {"updateStrategy": {
        "rollingUpdate": {"partition": 3}}}}, "somebody")
    blocked = scene.airisd.wait_blocked(rid, "pace is partition 3", 20)["blocked_on"]
    assert shop.name in blocked["object"]
    assert scene.airisd.command(rid, "retry").status == 200
    scene.airisd.wait_blocked(rid, "held", 20)
    abort(scene, rid)
    shop.assert_runs("1.0")


def test_F34_an_hpa_scales_up_between_ordinals(scene):
    """Its floor is held at the size. What it adds comes above the partition, so it has the release;
    the others follow one by one, and no stage begins anew."""
    shop = scene.stateful()
    shop.create_hpa()
    rid = held(scene, shop)
    assert shop.hpa_floor() == 3
    scene.kube.patch("StatefulSet", shop.namespace, shop.name, {"spec": {"replicas": 5}}, "hpa")
    shop.replicas, shop.before["spec"]["replicas"] = 5, 5
    wait_for("more pods", lambda: shop.tags() == ["1.0", "1.0", "2.0", "2.0", "2.0"], 30)
    time.sleep(2)
    assert scene.airisd.rollout(rid)["stage"]["name"] == "ordinal 2"
    assert scene.airisd.command(rid, "promote", full=True).status == 200
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_runs("2.0")
    assert shop.hpa_floor() == 2


def test_F83_a_size_below_the_partition_is_no_endless_wait(scene):
    """Scaled down to below the partition that holds it: the rest is released all the same."""
    shop = scene.stateful(pod_rps=110)
    rid = held(scene, shop)
    scene.kube.patch("StatefulSet", shop.namespace, shop.name, {"spec": {"replicas": 2}}, "hpa")
    wait_for("fewer pods", lambda: shop.tags() == ["1.0", "1.0", None], 30)
    shop.replicas, shop.before["spec"]["replicas"] = 2, 2
    assert scene.airisd.command(rid, "promote", full=True).status == 200
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_runs("2.0")


def test_F83_missing_pods_are_not_ready(scene):
    """One that is not there is waited for before the next goes: never two away."""
    shop = scene.stateful(policy="Parallel")
    rid = held(scene, shop)
    scene.kube.create({"apiVersion": "v1", "kind": "ResourceQuota",
                       "metadata": {"name": "none", "namespace": shop.namespace},
                       "spec": {"hard": {"pods": "0"}}})
    scene.kube.delete("Pod", shop.namespace, f"{shop.name}-0")
    wait_for("two pods", lambda: shop.tags() == [None, "1.0", "2.0"], 30)
    assert scene.airisd.command(rid, "promote").status == 200
    scene.airisd.wait_blocked(rid, "2 of 3 pods ready; 1 may be missing", 30)
    assert shop.tags() == [None, "1.0", "2.0"]
    scene.kube.delete("ResourceQuota", shop.namespace, "none")
    wait_for("the next ordinal", lambda: shop.tags() == ["1.0", "2.0", "2.0"], 60)
    abort(scene, rid)
    shop.assert_runs("1.0")


@pytest.mark.parametrize("update, says", [
    ({"type": "OnDelete", "rollingUpdate": None}, "has updateStrategy OnDelete"),
    ({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}, "has partition 1")])
def test_what_cannot_be_released_is_refused(scene, update, says):
    shop = scene.stateful()
    scene.kube.patch("StatefulSet", shop.namespace, shop.name,
                     {"spec": {"updateStrategy": update}}, "somebody")
    scene.airisd.apply(shop.app(**NO_GATES))
    wait_for("it to be seen", lambda: says in scene.airisd.ctl(
        "app", "preflight", shop.name).stdout, 20)
    rid = scene.airisd.start_rollout(shop.name, shop.image_of("2.0"))
    scene.rollouts.append(rid)
    ended = scene.airisd.wait_phase(rid, "aborted", 30)
    assert says in ended["reason"], ended
    assert shop.tags() == ["1.0"] * 3


def jobs(shop):
    return {j["metadata"]["name"]: j for j in shop.kube.list("Job", shop.namespace)}


def test_the_backup_comes_first(scene):
    shop = scene.stateful()
    rid = scene.begin(shop, "2.0", rolling=shop.create_backup(), **NO_GATES)
    scene.airisd.wait(rid, lambda r: r["stage"] and r["stage"]["name"] == "backup", 30, "backup")
    assert shop.tags() == ["1.0"] * 3
    scene.airisd.wait_phase(rid, "succeeded", 90)
    shop.assert_runs("2.0")
    (name, job), = jobs(shop).items()
    assert name == f"save-{rid[-10:]}"
    assert job["metadata"]["ownerReferences"][0]["name"] == "save"
    assert job["status"]["succeeded"] == 1
    events = scene.airisd.events(rid)
    done = [e["data"]["act"] for e in events if e["kind"] == "act"]
    assert done == ["backup", "roll", "roll", "roll"]
    rid = scene.airisd.start_rollout(shop.name, shop.image_of("3.0"))
    scene.rollouts.append(rid)
    scene.airisd.wait_phase(rid, "succeeded", 90)
    assert len(jobs(shop)) == 2  # each rollout has its own


def test_without_a_backup_nothing_is_released(scene):
    shop = scene.stateful()
    rid = scene.begin(shop, "2.0", rolling=shop.create_backup("1-fail"), **NO_GATES)
    ended = scene.airisd.wait_phase(rid, "aborted", 60)
    assert "the backup failed: BackoffLimitExceeded" in ended["reason"], ended
    assert acts(scene.airisd.events(rid), "roll") == []
    shop.assert_runs("1.0")


def test_a_backup_that_hangs(scene):
    shop = scene.stateful()
    backup = shop.create_backup(suspend=True)
    backup["backup"]["deadline"] = "3s"
    rid = scene.begin(shop, "2.0", rolling=backup, **NO_GATES)
    scene.airisd.wait_blocked(rid, "the backup runs", 10)
    ended = scene.airisd.wait_phase(rid, "aborted", 60)
    assert "not succeeded within its deadline" in ended["reason"], ended
    shop.assert_runs("1.0")


def test_kill_9_in_the_backup(scene):
    shop = scene.stateful()
    rid = scene.begin(shop, "2.0", rolling=shop.create_backup(), **NO_GATES)
    scene.airisd.wait(rid, lambda r: r["stage"] and r["stage"]["name"] == "backup", 30, "backup")
    scene.airisd.kill()
    scene.airisd.start()
    scene.airisd.wait_phase(rid, "succeeded", 90)
    assert len(jobs(shop)) == 1
    shop.assert_runs("2.0")


def test_a_backup_that_nobody_can_make(scene):
    shop = scene.stateful()
    scene.airisd.apply(shop.app(rolling={"backup": {"cronJob": "none"}}, **NO_GATES))
    said = scene.airisd.ctl("app", "preflight", shop.name).stdout
    assert f"CronJob {shop.namespace}/none does not exist" in said, said
