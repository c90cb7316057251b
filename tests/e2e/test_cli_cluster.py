"""airisctl cluster status: who may write in each cluster."""
import json

from cli_lab import OK, api, env, run  # noqa: F401

LEASE = {"name": "airis/airisd", "holder": "ops-1 4f1c.7b21", "held": True, "wanted": True,
         "renewed_s": 2, "text": ""}
BASE = {"server": "https://10.0.0.1:6443", "fresh": True, "text": ""}
CLUSTERS = [
    {**BASE, "name": "ours", "lease": LEASE},
    {**BASE, "name": "theirs", "lease": {
        **LEASE, "held": False, "renewed_s": 3,
        "text": "another airisd (ops-2 9a) holds lease airis/airisd"}},
    {**BASE, "name": "idle", "lease": {**LEASE, "held": False, "wanted": False, "holder": "",
                                       "renewed_s": None}},
    {**BASE, "name": "forbidden", "lease": {
        **LEASE, "held": False, "holder": "", "renewed_s": None,
        "text": "lease airis/airisd: HTTP 403 no; apply config/rbac.yaml"}},
    {**BASE, "name": "alone", "fresh": False, "text": "not every watch is open", "lease": None}]


def test_cluster_status(api, env):
    api.fail("GET /v1/clusters", (200, {"clusters": CLUSTERS}))
    done = run(env, "cluster", "status")
    assert done.code == OK, done.err
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert "holds lease airis/airisd" in lines["ours"] and "fresh" in lines["ours"]
    assert "writes nothing: another airisd (ops-2 9a)" in lines["theirs"]
    assert "renewed 3 s ago" in lines["theirs"]
    assert "nothing to do there" in lines["idle"]
    assert "apply config/rbac.yaml" in lines["forbidden"] and "ago" not in lines["forbidden"]
    assert "not every watch is open" in lines["alone"]
    assert "writes without a lease" in lines["alone"]


def test_cluster_status_as_json(api, env):
    api.fail("GET /v1/clusters", (200, {"clusters": CLUSTERS}))
    done = run(env, "-o", "json", "cluster", "status")
    assert done.code == OK and json.loads(done.out) == {"clusters": CLUSTERS}


def test_no_clusters(api, env):
    api.fail("GET /v1/clusters", (200, {"clusters": []}))
    done = run(env, "cluster", "status")
    assert done.code == OK and "no clusters" in done.out
