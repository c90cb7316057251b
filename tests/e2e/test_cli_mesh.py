"""airisctl mesh status, and a weight that some proxies did not confirm."""
import json

from cli_lab import OK, api, env, run  # noqa: F401
from fake_api import new_rollout

ASKED = {
    "name": "prod", "how": "istiod", "settle": "12s", "advice": "", "error": "", "token": True,
    "looking": False, "assumed": "", "istiods": [
        {"url": "http://10.0.0.1:15014", "proxies": 40, "waiting": 0, "unconfirmed": "",
         "lastPush": 86, "error": "", "answered_ms": 1},
        {"url": "http://10.0.0.2:15014", "proxies": 3, "waiting": 2,
         "unconfirmed": "web-7f.shop, web-8a.shop", "lastPush": 12, "error": "", "answered_ms": 1},
        {"url": "http://10.0.0.3:15014", "proxies": 0, "waiting": 0, "unconfirmed": "",
         "lastPush": -1, "error": "HTTP 401: it wants a token", "answered_ms": 0}]}
SEEN = {
    "name": "far", "how": "traffic", "settle": "12s", "error": "", "assumed": "", "istiods": [],
    "looking": False, "advice": "Weights are looked for in the requests that were counted",
    "traffic": {"source": "main", "looked_ms": 1, "verdict": "not taken yet",
                "seen": "shop/web: 0 of 812 requests went to the canary, 10 % expected"}}
TIMED = {
    "name": "old", "how": "time", "settle": "12s", "error": "", "assumed": "web-7f.shop",
    "looking": False, "istiods": [],
    "advice": "istiod is not asked, so a change counts as taken after mesh.settle (12s). Set it"}


def test_mesh_status(api, env):
    api.fail("GET /v1/mesh", (200, {"clusters": [{**ASKED, "looking": True}, TIMED]}))
    api.fail("GET /v1/mesh", (200, {"clusters": [ASKED, TIMED]}))
    done = run(env, "mesh", "status")
    assert done.code == OK, done.err
    assert "40 proxies" in done.out and "last push 86" in done.out
    assert "2 unconfirmed: web-7f.shop, web-8a.shop" in done.out
    assert "HTTP 401: it wants a token" in done.out
    assert "did not confirm it: web-7f.shop" in done.out
    assert "mesh.settle (12s)" in done.out.replace("\n  ", " ")
    assert len(api.seen("GET /v1/mesh")) == 2  # it asked until it knew


def test_each_thing_has_its_line(api, env):
    """What is known of one cluster stood all in one line."""
    api.fail("GET /v1/mesh", (200, {"clusters": [ASKED, TIMED]}))
    lines = run(env, "mesh", "status").out.splitlines()
    assert lines[0] == "prod  istiod is asked" and lines[1].startswith("  http://10.0.0.1:15014")
    assert lines[4] == "old  waits by time"
    assert lines[5].startswith("  the last weight is only assumed")
    assert lines[6].startswith("  istiod is not asked")


def test_mesh_status_of_traffic(api, env):
    blank = {**SEEN["traffic"], "looked_ms": 0, "verdict": "", "seen": ""}
    api.fail("GET /v1/mesh", (200, {"clusters": [SEEN, {**SEEN, "traffic": blank}]}))
    lines = run(env, "mesh", "status").out.splitlines()
    assert lines[0] == "far  traffic is looked at"
    assert lines[1].startswith("  source main, last look ")
    assert "ago, shop/web: 0 of 812 requests went to the canary, 10 % expected" in lines[1]
    assert lines[1].endswith("(not taken yet)")
    assert lines[2].startswith("  Weights are looked for")
    assert lines[4] == "  source main, not looked at yet"


def test_mesh_status_as_json(api, env):
    api.fail("GET /v1/mesh", (200, {"clusters": [TIMED]}))
    done = run(env, "-o", "json", "mesh", "status")
    assert done.code == OK and json.loads(done.out) == {"clusters": [TIMED]}


def test_explain_names_who_did_not_confirm(api, env):
    rollout = new_rollout()
    rollout["weight"].update(known="assumed", missing="web-7f.shop")
    done = run(env, "rollout", "explain", api.add(rollout))
    assert done.code == OK and "web-7f.shop" in done.out


def test_explain_says_what_traffic_showed(api, env):
    rollout = new_rollout()
    rollout["weight"].update(known="assumed", missing="0 of 812 requests went to the canary, 10 % "
                             "expected")
    done = run(env, "rollout", "explain", api.add(rollout))
    assert "only assumed; what did not confirm it: 0 of 812 requests" in \
        " ".join(done.out.split()), done.out
    rollout["weight"].update(known="observed", missing="")
    done = run(env, "rollout", "explain", api.add(rollout))
    assert "(observed)" in done.out and "only assumed" not in done.out
