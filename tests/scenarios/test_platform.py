"""config/airis-mon: the platform as it is before anything is released can be set up as it is."""
import glob
import os

import pytest
import yaml

from harness.kube import KINDS, Refused
from harness.process import ROOT
from harness.space import Space

# How many pods each service has.
SIZES = {"api-gateway": 3, "data-ingestion": 2, "analytics-engine": 2, "session-replay": 2,
         "aiops": 1, "nlp-search": 2, "ui": 2}
STORES = {"clickhouse": 3, "kafka": 3, "zookeeper": 3, "redis": 1}


def documents(namespace):
    for path in sorted(glob.glob(os.path.join(ROOT, "config/airis-mon/*.yaml"))):
        with open(path, encoding="utf-8") as file:
            for body in yaml.safe_load_all(file):
                if "namespace" in body["metadata"]:
                    body["metadata"]["namespace"] = namespace
                yield body


def platform(lab):
    space = Space(lab)
    for body in documents(space.name):
        try:
            if body["kind"] != "Namespace":
                space.kube.create(body)
        except Refused as e:
            # A StorageClass is of the whole cluster.
            if e.status != 409 or KINDS[body["kind"]][2]:
                raise
    return space


@pytest.fixture
def space(lab):
    return platform(lab)


def test_platform_gets_ready(space):
    for name, replicas in SIZES.items():
        space.until_status("Deployment", name, 60, replicas=replicas, updatedReplicas=replicas,
                           availableReplicas=replicas)
    for name, replicas in STORES.items():
        space.until_status("StatefulSet", name, 90, replicas=replicas, readyReplicas=replicas,
                           updatedReplicas=replicas, availableReplicas=replicas)
        claims = {c["metadata"]["name"] for c in
                  space.kube.list("PersistentVolumeClaim", space.name, f"app={name}")}
        assert claims == {f"data-{name}-{i}" for i in range(replicas)}
    backup = space.get("CronJob", "clickhouse-backup")["spec"]["jobTemplate"]["spec"]
    space.create({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "now"},
                  "spec": backup})
    space.until("a backup", lambda: space.status("Job", "now").get("succeeded") == 1)


def test_platform_keeps_to_its_rules():
    """Of every pod, whatever makes it; and one budget for whatever has more than one pod."""
    budgets, sizes = set(), {**SIZES, **STORES}
    for body in documents("airis-mon"):
        spec, name = body.get("spec", {}), body["metadata"]["name"]
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if body["kind"] == "PodDisruptionBudget":
            budgets.add(spec["selector"]["matchLabels"]["app"])
        if "template" not in spec:
            continue
        assert spec.get("replicas") == sizes.get(name), name
        pod = spec["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["runAsUser"] == 1000, name
        for container in pod["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False, name
    assert budgets == {name for name, n in sizes.items() if n > 1}


SLOW = {"hold", "watch", "keep", "drain", "steady"}


def hasty(value):
    """The same strategy, its first and last stage, without what takes time or a person."""
    if isinstance(value, list):
        return [hasty(v) for v in (value if len(value) < 3 else [value[0], value[-1]])]
    if not isinstance(value, dict):
        return value
    return {k: "1s" if k in SLOW else hasty(v) for k, v in value.items()
            if k not in ("approve", "gates", "postGates")}


def apps_in(namespace, kind="Deployment"):
    for path in sorted(glob.glob(os.path.join(ROOT, "config/apps/*.yaml"))):
        with open(path, encoding="utf-8") as file:
            app = {**yaml.safe_load(file), "namespace": namespace}
        if app["workload"]["kind"] == kind:
            yield app


def test_each_stateless_service_is_released_by_its_own_strategy(scene):
    """All seven at once, from config/apps: as they are nothing forbids it, and they get there."""
    space, airisd, rollouts = platform(scene.lab), scene.airisd, {}
    for name, replicas in SIZES.items():
        space.until_status("Deployment", name, 60, replicas=replicas, availableReplicas=replicas)
    for app in apps_in(space.name):
        airisd.apply(app)
        airisd.ctl("app", "preflight", app["name"], check=0)
        airisd.apply(hasty(app))
        image = f"registry.local/{app['name']}:9.9"
        rollouts[app["name"]] = (airisd.start_rollout(app["name"], image), image)
    assert rollouts.keys() == SIZES.keys()
    strategies = {next(iter(app["strategy"])) for app in apps_in(space.name)}
    assert strategies == {"canary", "blueGreen", "rolling"}
    for name, (rid, image) in rollouts.items():
        airisd.wait_phase(rid, "succeeded", 180)
        serves = {d["metadata"]["name"]: d["spec"] for d in space.kube.list(
            "Deployment", space.name) if d["spec"]["replicas"] > 0}
        side = name if name in serves else f"{name}-green"
        assert serves[side]["template"]["spec"]["containers"][0]["image"] == image, name
        assert serves[side]["replicas"] >= SIZES[name], name


def test_each_store_is_released_ordinal_by_ordinal(scene):
    """All four at once, from config/apps; clickhouse is saved first."""
    space, airisd, rollouts = platform(scene.lab), scene.airisd, {}
    for name, replicas in STORES.items():
        space.until_status("StatefulSet", name, 90, replicas=replicas, readyReplicas=replicas,
                           availableReplicas=replicas)
    for app in apps_in(space.name, "StatefulSet"):
        airisd.apply(app)
        said = airisd.ctl("app", "preflight", app["name"], check=0).stdout
        assert ("none may be ready" in said) == (app["name"] == "redis"), said
        airisd.apply(hasty(app))
        image = f"registry.local/{app['name']}:9.9"
        rollouts[app["name"]] = (airisd.start_rollout(app["name"], image), image)
    assert rollouts.keys() == STORES.keys()
    for name, (rid, image) in rollouts.items():
        airisd.wait_phase(rid, "succeeded", 300)
        spec = space.get("StatefulSet", name)["spec"]
        assert spec["template"]["spec"]["containers"][0]["image"] == image, name
        assert spec["updateStrategy"]["rollingUpdate"] == {"partition": 0}, name
        stages = [s["name"] for s in airisd.rollout(rid)["ladder"]]
        assert stages[-2:] == ["ordinal 0", "finish"] and len(stages) == (
            STORES[name] + 2 + (name == "clickhouse")), stages
    job, = space.kube.list("Job", space.name)
    assert job["status"]["succeeded"] == 1
    assert job["metadata"]["ownerReferences"][0]["name"] == "clickhouse-backup"
