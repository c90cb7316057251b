"""Failure modes between the daemon and the API server (F56, F57, F59, F61 to F68)."""
import re

import fm
from harness.process import wait_for


def metric(daemon, name):
    """The sum over all labels."""
    text = daemon.call("GET", "/metrics").text
    found = re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)$", text, re.M)
    assert found, f"no metric {name}"
    return sum(float(v) for v in found)


def test_watches_begin_at_once(quick, shops):
    """Streams do not wait for each other's connection: with HTTP/1.1 each has its own."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "30s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    wait_for("watches of all kinds", lambda: metric(quick, "airis_kube_watches") >= 7, 3)
    quick.wait_weight(rid, 50, 5)
    assert quick.command(rid, "abort").status == 200
    quick.wait_phase(rid, "aborted")
