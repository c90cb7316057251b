"""Long polls: a pipeline starts a rollout, waits for it, and loses nothing when anything ends."""
import json
import re

import pytest

import fm
from harness.daemon import Daemon, UnixConnection
from harness.process import wait_for

SETTLE = "400ms"


@pytest.fixture
def few(quick_lab, tmp_path):
    """Room for two streams and waits."""
    from conftest import stop_well
    daemon = Daemon(str(tmp_path), quick_lab.kubeconfig, settle=SETTLE,
                    more="limits: {connections: 4}\n").start()
    yield daemon
    stop_well(daemon)


def begin(daemon, method, path, body=None, **headers):
    """A request that is not answered yet."""
    connection = UnixConnection(daemon.socket, timeout=70)
    connection.request(method, path, None if body is None else json.dumps(body),
                       {"Content-Type": "application/json", **headers})
    return connection


def take(connection):
    answer = connection.getresponse()
    body = json.loads(answer.read())
    connection.close()
    return answer.status, answer.headers, body


def followers(daemon):
    found = re.search(r"^airis_api_streams (\d+)$", daemon.call("GET", "/metrics").text, re.M)
    return int(found[1])


def held(shop):
    return fm.quick(shop, canary={"hold": "1h"})


def stage_of(rollout):
    return (rollout["stage"] or {}).get("name")


def test_waits(few, shops):
    """A start that is waited for, change by change; as many as there may be: then 429, and nothing was
    done; who leaves makes room."""
    shop = shops().create()
    few.apply(held(shop))
    body = {"app": shop.name, "image": shop.image_of("2.0")}
    key = {"Idempotency-Key": "ci-1"}
    answer = few.call("POST", "/v1/rollouts?wait=1ms", body, key)
    assert answer.status == 201 and stage_of(answer.json) != "canary 50%"
    rid = answer.json["id"]
    assert answer.headers["Location"] == f"/v1/rollouts/{rid}"
    cursors, rollout = [answer.json["cursor"]], answer.json
    while stage_of(rollout) != "canary 50%":
        rollout = few.call("GET", f"/v1/rollouts/{rid}?wait=19s&after={cursors[-1]}").json
        assert rollout["cursor"] > cursors[-1], rollout
        cursors.append(rollout["cursor"])
    assert len(cursors) > 1
    wait, stream = f"/v1/rollouts/{rid}?wait=55s&after=999999", f"/v1/rollouts/{rid}/events"
    one, two = begin(few, "GET", wait), begin(few, "GET", stream, Accept="text/event-stream")
    wait_for("two followers", lambda: followers(few) == 2)
    before = few.call("GET", "/v1/rollouts").text
    for method, path, sent in (("POST", "/v1/rollouts?wait=1s", body), ("GET", wait, None),
                               ("POST", f"/v1/rollouts/{rid}/abort?wait=1s", {})):
        answer = few.call(method, path, sent)
        assert answer.status == 429 and answer.json["code"] == "throttled", answer.text
        assert int(answer.headers["Retry-After"]) > 0
    assert few.call("GET", "/v1/rollouts").text == before
    one.close()
    wait_for("one follower", lambda: followers(few) == 1)
    answer = few.call("POST", f"/v1/rollouts/{rid}/abort?wait=20s", {})
    assert answer.status == 200 and answer.json["phase"] == "aborted", answer.text
    two.close()
    ended = few.rollout(rid)
    assert ended["cursor"] == few.events(rid)[-1]["seq"]
    for path in (f"/v1/rollouts/{rid}?wait=55s", f"/v1/rollouts/{rid}?wait=55s&after=999999"):
        assert few.call("GET", path).json == ended
    again = few.call("POST", "/v1/rollouts?wait=55s", body, key)
    assert again.status == 200 and again.json == ended
    assert len(few.call("GET", f"/v1/rollouts?app={shop.name}").json["items"]) == 1


def test_the_end_of_the_daemon(quick, shops):
    """SIGTERM is not delayed by who waits, and each learns the state; after a kill -9 the same
    request finds the rollout."""
    shop = shops().create()
    quick.apply(held(shop))
    body, key = {"app": shop.name, "image": shop.image_of("2.0")}, {"Idempotency-Key": "ci-2"}
    begun = begin(quick, "POST", "/v1/rollouts?wait=55s", body, **key)
    [item] = wait_for("the rollout", lambda: quick.call("GET", "/v1/rollouts").json["items"])
    rid = item["id"]
    waiting = [begin(quick, "GET", f"/v1/rollouts/{rid}?wait=55s") for _ in range(20)]
    quick.wait_stage(rid, "canary 50%")
    wait_for("all of them", lambda: followers(quick) == 21)
    status, took = quick.stop()
    assert status == 0 and took < 5
    status, headers, rollout = take(begun)
    assert status == 201 and headers["Location"] == f"/v1/rollouts/{rid}"
    assert rollout["id"] == rid and stage_of(rollout) == "canary 50%"
    for connection in waiting:
        status, _, rollout = take(connection)
        assert status == 200 and rollout["id"] == rid and rollout["phase"] == "progressing"
    quick.restart()
    lost = begin(quick, "POST", "/v1/rollouts?wait=55s", body, **key)
    wait_for("it waits", lambda: followers(quick) == 1)
    quick.kill()
    with pytest.raises(OSError):
        take(lost)
    quick.restart()
    again = begin(quick, "POST", "/v1/rollouts?wait=55s", body, **key)
    wait_for("it waits", lambda: followers(quick) == 1)
    assert quick.command(rid, "pause").status == 200
    status, _, rollout = take(again)
    assert status == 200 and rollout["id"] == rid and rollout["phase"] == "paused"
    assert quick.call("POST", f"/v1/rollouts/{rid}/abort?wait=30s", {}).json["phase"] == "aborted"
