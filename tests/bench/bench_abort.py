#!/usr/bin/python3
"""How soon an abort works, and what one canary costs the API server, on either lab (AIRIS_LAB).

    tests/bench/bench_abort.py [--aborts 200] [--apps 4]

Aborts at 50 %: from the command to the weight patch sent (airisd's own clock), and to the
VirtualService changed (a watch beside it). One abort at a time; nothing else is in progress but
the next rollouts being got ready. Then one whole canary, 10/25/50/100 with a gate: requests by
verb, with those of the start (lists, watches, discovery)."""
import argparse
import http.client
import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness.daemon import Daemon  # noqa: E402
from harness.lab import KIND, Lab, Prometheus  # noqa: E402
from harness.process import wait_for  # noqa: E402
from harness.shop import GATE, Shop  # noqa: E402

PLAN = {"canary": {"weights": [50, 100], "hold": "10m", "drain": "0s", "steady": "0s",
                   "deadline": "60s"}, "gates": []}
one_at_a_time = threading.Lock()


def watch_zero(shop, seen):
    """Notes when the VirtualService's canary weight became 0."""
    version = shop.vs()["metadata"]["resourceVersion"]
    conn = shop.kube.connect()
    conn.request("GET", f"{shop.kube.path('VirtualService', shop.namespace)}"
                 f"?watch=1&resourceVersion={version}&timeoutSeconds=60", headers={
                     "Authorization": f"Bearer {shop.kube.token}"} if shop.kube.token else {})
    answer = conn.getresponse()

    def read():
        try:
            for line in answer:
                if not line.strip():
                    continue
                at, event = time.monotonic(), json.loads(line)
                http_route = event["object"]["spec"]["http"][-1]["route"]
                canary = [to.get("weight", 0) for to in http_route
                          if to["destination"]["host"].endswith("-canary")]
                if sum(canary) == 0:
                    seen.append(at)
                    return
        except (OSError, ValueError, http.client.HTTPException):
            pass
        finally:
            conn.close()
    thread = threading.Thread(target=read)
    thread.start()
    return thread


def abort_often(daemon, shop, count, took):
    for i in range(count):
        rid = daemon.start_rollout(shop.name, shop.image_of(f"2.{i}"))
        daemon.wait(rid, lambda r: r["weight"]["taken"] == 50, 60)
        with one_at_a_time:
            seen = []
            thread = watch_zero(shop, seen)
            begin = time.monotonic()
            assert daemon.command(rid, "abort").status == 200
            thread.join(10)
            took.append((seen[0] - begin) * 1000 if seen else float("inf"))
        daemon.wait_phase(rid, "aborted", 60)


def line(name, values):
    values = sorted(values)
    print(f"{name}: p50 {statistics.median(values):.1f} ms, "
          f"p99 {values[int(len(values) * 0.99) - 1]:.1f} ms, max {values[-1]:.1f} ms, "
          f"n {len(values)}", flush=True)


def aborts(folder, lab, count, apps):
    daemon = Daemon(folder, lab.kubeconfig, settle="300ms").start()
    shops, took = [Shop(lab, replicas=2).create() for _ in range(apps)], []
    for shop in shops:
        daemon.apply(shop.app(**PLAN))
    threads = [threading.Thread(target=abort_often, args=(daemon, shop, count // apps, took))
               for shop in shops]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sent = [int(n) for n in re.findall(r"weight was sent (\d+) ms", daemon.process.text())]
    line("abort command -> weight patch sent", sent)
    line("abort command -> VirtualService changed", took)
    daemon.stop()
    for shop in shops:
        shop.delete()


def count_requests(daemon):
    found = {}
    for labels, value in re.findall(r"airis_kube_requests_total\{([^}]*)\} (\d+)",
                                    daemon.call("GET", "/metrics").text):
        verb = re.search(r'verb="(\w+)"', labels).group(1)
        found[verb] = found.get(verb, 0) + int(value)
    return found


def one_canary(folder, lab, prometheus, mode):
    daemon = Daemon(folder, lab.kubeconfig, prometheus.url, settle=lab.settle).start()
    shop = Shop(lab, mode=mode).create()
    daemon.apply(shop.app(gates=[GATE]))
    before = count_requests(daemon)
    rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
    daemon.wait_phase(rid, "succeeded", 120)
    after = count_requests(daemon)
    verbs = {verb: n - before.get(verb, 0) for verb, n in sorted(after.items())}
    verbs = {verb: n for verb, n in verbs.items() if n}
    print(f"one canary, {mode}: {sum(verbs.values())} requests: "
          + ", ".join(f"{verb} {n}" for verb, n in verbs.items()), flush=True)
    daemon.stop()
    shop.delete()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--aborts", type=int, default=200)
    parser.add_argument("--apps", type=int, default=4)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        def inside(name):
            os.makedirs(os.path.join(folder, name))
            return os.path.join(folder, name)
        lab = Lab(inside("l"), mesh_delay="200ms", ready_after="50ms").start()
        prometheus = Prometheus(inside("p"), [lab.metrics]).start()
        try:
            print(f"on {KIND}:")
            wait_for("the API", lambda: lab.kube.list("Namespace", None) is not None, 30)
            aborts(inside("a"), lab, chosen.aborts, chosen.apps)
            for mode in ("host", "subset"):
                one_canary(inside(mode), lab, prometheus, mode)
        finally:
            prometheus.stop()
            lab.stop()


main()
