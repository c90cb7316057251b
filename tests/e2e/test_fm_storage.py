"""F71: the disk is full. No act without a durable intent, the API says degraded, an abort still
reaches the cluster, and afterwards everything goes on.

A full disk is a limit on the size of the daemon's files, set from outside while it runs."""
import resource

import pytest

import fm
from harness.process import wait_for

WRITES = ("POST", "PUT", "PATCH", "DELETE")


def disk_full(daemon):
    """No file of it may grow any more, nor be written beyond its first bytes."""
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))


def disk_free(daemon):
    resource.prlimit(daemon.process.pid, resource.RLIMIT_FSIZE,
                     (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def writes_to(lab, namespace):
    return [r for r in lab.ask_sim("GET", "/sim/requests")["last"]
            if r["method"] in WRITES and f"/{namespace}/" in r["path"]
            and r["user_agent"].startswith("airisd")]


def is_degraded(daemon):
    answer = daemon.call("GET", "/readyz")
    return answer.status == 503 and answer.json["ready"] is False and \
        "cannot" in answer.json["store"]


def is_ready(daemon):
    return daemon.call("GET", "/readyz").status == 200


def test_nothing_is_done_that_is_not_written_down(quick, quick_lab, shops):
    """F71: at the end of a hold nothing more is done to the cluster; with space it goes on."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "1500ms"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    before = len(writes_to(quick_lab, shop.namespace))
    disk_full(quick)
    wait_for("degraded", lambda: is_degraded(quick), 15)
    refused = quick.call("POST", "/v1/rollouts", {"app": shop.name, "image": "r/x:3"})
    assert refused.status == 503 and refused.json["code"] == "degraded", refused.text
    assert "disk" in refused.json["detail"] or "write" in refused.json["detail"]
    assert quick.command(rid, "pause").status == 503
    assert quick.call("GET", "/healthz").status == 200, "reading goes on"
    assert len(writes_to(quick_lab, shop.namespace)) == before, "no act without an intent"
    assert shop.weights() == (50, 50)
    disk_free(quick)
    wait_for("ready", lambda: is_ready(quick), 20)
    quick.wait_phase(rid, "succeeded")
    assert fm.stages_entered(quick, rid) == fm.STAGES
    assert fm.weights_written(quick, rid) == [50, 100, 0]


def test_abort_reaches_the_cluster(quick, shops):
    """F71: an abort is carried out although it cannot be written down, and is known afterwards."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "60s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    disk_full(quick)
    answer = quick.command(rid, "abort", reason="bad smell")
    assert answer.status in (200, 503)
    wait_for("weight 0", lambda: shop.weights() == (100, 0), 5)
    wait_for("degraded", lambda: is_degraded(quick), 15)
    disk_free(quick)
    ended = quick.wait_phase(rid, "aborted")
    assert ended["reason"] == "bad smell" and shop.leftovers() == []
    wait_for("ready", lambda: is_ready(quick), 20)
    commands = [e["data"]["name"] for e in quick.events(rid) if e["kind"] == "command"]
    assert commands == ["abort"], "written down afterwards"


def test_killed_while_the_disk_is_full(quick, shops):
    """F71: what was not written down did not happen; after a restart it goes on from there."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "1s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    disk_full(quick)
    wait_for("degraded", lambda: is_degraded(quick), 15)
    quick.kill()
    quick.restart()
    quick.wait_phase(rid, "succeeded")
    assert fm.stages_entered(quick, rid) == fm.STAGES


def test_what_is_refused_is_not_there(quick, shops):
    """F71: apps and starts that could not be written down are not there afterwards, and the
    daemon is of use again by itself, also when nothing was under way."""
    shop = shops().create()
    disk_full(quick)
    app = fm.quick(shop)
    refused = quick.call("PUT", f"/v1/apps/{shop.name}", app)
    assert refused.status == 503 and refused.json["code"] == "degraded", refused.text
    assert quick.call("GET", f"/v1/apps/{shop.name}").status == 404
    assert is_degraded(quick)
    disk_free(quick)
    wait_for("ready", lambda: is_ready(quick), 20)
    assert quick.call("PUT", f"/v1/apps/{shop.name}", app).status == 201
    disk_full(quick)
    changed = fm.quick(shop, canary={"hold": "2s"})
    assert quick.call("PUT", f"/v1/apps/{shop.name}", changed).status == 503
    kept = quick.call("GET", f"/v1/apps/{shop.name}").json
    assert kept["spec"]["strategy"]["canary"]["hold"] == "0s"
    disk_free(quick)
    wait_for("ready", lambda: is_ready(quick), 20)
    disk_full(quick)
    assert quick.call("DELETE", f"/v1/apps/{shop.name}").status == 503
    assert quick.call("GET", f"/v1/apps/{shop.name}").status == 200
    disk_free(quick)
    wait_for("ready", lambda: is_ready(quick), 20)
    disk_full(quick)
    refused = quick.call("POST", "/v1/rollouts", {"app": shop.name, "image": shop.image_of("2.0")},
                         {"Idempotency-Key": "one"})
    assert refused.status == 503
    disk_free(quick)
    wait_for("ready", lambda: is_ready(quick), 20)
    assert quick.call("GET", f"/v1/rollouts?app={shop.name}").json["items"] == []
    started = quick.call("POST", "/v1/rollouts", {"app": shop.name, "image": shop.image_of("2.0")},
                         {"Idempotency-Key": "one"})
    assert started.status == 201, started.text
    quick.wait_phase(started.json["id"], "succeeded")
    assert len(quick.call("GET", f"/v1/rollouts?app={shop.name}").json["items"]) == 1


@pytest.fixture(autouse=True)
def space_again(quick):
    yield
    if quick.process.alive():
        disk_free(quick)
