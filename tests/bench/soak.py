#!/usr/bin/python3
"""Do memory and descriptors of airisd stay flat over many rollouts (I15)?

    tests/bench/soak.py [--rollouts 100000] [--apps 60] [--bytes 100]

The real airisd against airis-sim, whose pods are ready and whose mesh is up to date at once: every
app goes from one canary to the next, with no hold and no drain. Every fifth is aborted on its way;
every seventh is watched to its end by a stream of its own; some starts are sent again with the same
key, some are refused, some requests are cut off before the answer, and apps are changed meanwhile.
So each rollout passes through API, engine, store, hands and streams, as in a life of years.

Samples are taken with no rollout live, after a warm-up (pools, caches and SQLite's pages are full
by then) and at the end. What fails it:

- anonymous memory (RssAnon: a mapped file is none of ours) that grew by more than --bytes a rollout
  and SLACK. What leaks keeps some part of each rollout; even an id in a node of a map takes about
  100 bytes with malloc's own. SLACK is for pages of malloc's heap, which count once: a healthy
  airisd was seen to gain or lose 300 kB within a thousand rollouts, and no more within 30,000;
- more descriptors than at the first sample: at rest those are fixed, but for connections to the
  cluster that are kept or not (SPARE);
- one thread more."""
import argparse
import json
import os
import re
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness.daemon import Daemon, UnixConnection  # noqa: E402
from harness.lab import Lab  # noqa: E402

NAMESPACE = "soak"
# malloc gives back what it does not need, so that what is seen is used and not the most ever used.
TIDY = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "4096", "MALLOC_TOP_PAD_": "4096",
        "MALLOC_MMAP_THRESHOLD_": "65536"}
SLACK = 400 * 1024
SPARE = 4
LIVE = "/v1/rollouts?live=true&limit=500"


def objects(name):
    meta = {"name": name, "namespace": NAMESPACE, "labels": {"app": name}}
    labels = {"app": name, "track": "stable"}
    containers = [{"name": "app", "image": f"registry.local/{name}:0"}]
    yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}}}}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {
        "selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}
    yield {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
           "metadata": {**meta, "annotations": {"lab/rps": "0"}},
           "spec": {"hosts": [name], "http": [{"route": [{"destination": {"host": name}}]}]}}


def app(name, deadline="60s"):
    plan = {"weights": [100], "hold": "0s", "steady": "0s", "drain": "0s", "deadline": deadline}
    return {"kind": "App", "name": name, "namespace": NAMESPACE,
            "workload": {"kind": "Deployment", "name": name},
            "traffic": {"istio": {"virtualService": name}}, "strategy": {"canary": plan}}


class Sample:
    def __init__(self, pid):
        with open(f"/proc/{pid}/status", encoding="utf-8") as f:
            said = dict(line.split(":", 1) for line in f)
        self.anon, self.rss = (int(said[key].split()[0]) * 1024 for key in ("RssAnon", "VmRSS"))
        self.threads = int(said["Threads"])
        self.files = len(os.listdir(f"/proc/{pid}/fd"))

    def __str__(self):
        return (f"RSS {self.rss / 2**20:.2f} MB, anonymous {self.anon / 2**20:.2f} MB, "
                f"{self.files} descriptors, {self.threads} threads")


class Soak:
    def __init__(self, folder, apps):
        self.lab = Lab(folder, mesh_delay="1ms", ready_after="1ms", rps=0)
        self.names = [f"app-{i:03}" for i in range(apps)]
        self.folder, self.started, self.streams = folder, 0, []
        self.daemon = None

    def start(self):
        self.lab.start()
        self.lab.kube.ensure_namespace(NAMESPACE)
        for name in self.names:
            for obj in objects(name):
                self.lab.kube.create(obj)
        self.daemon = Daemon(self.folder, self.lab.kubeconfig, settle="0s")
        with open(self.daemon.config, encoding="utf-8") as f:
            text = f.read().replace("clusters: [{", "clusters: [{qps: 10000, burst: 10000, ")
        with open(self.daemon.config, "w", encoding="utf-8") as f:
            f.write(text.replace("level: info", "level: warn"))
        self.daemon.process.env = TIDY
        self.daemon.start()
        self.connection = UnixConnection(self.daemon.socket, 60)
        for name in self.names:
            self.ask("PUT", f"/v1/apps/{name}", app(name))

    def stop(self):
        if self.daemon:
            self.daemon.stop()
        self.lab.stop()

    def ask(self, method, path, body=None, headers=None):
        """Status and JSON of one request on the connection that is kept."""
        self.connection.request(method, path, None if body is None else json.dumps(body),
                                {"Content-Type": "application/json", **(headers or {})})
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    # --- what befalls a rollout ---

    def begin(self, name):
        self.started += 1
        number = self.started
        body = {"app": name, "image": f"registry.local/{name}:{number}", "why": "soak"}
        key = {"Idempotency-Key": f"soak-{number}"}
        status, made = self.ask("POST", "/v1/rollouts", body, key)
        if status != 201:
            raise RuntimeError(f"start of {name}: HTTP {status} {made}")
        if number % 7 == 0:
            self.watch(made["id"])
        if number % 5 == 0:
            self.ask("POST", f"/v1/rollouts/{made['id']}/abort", {"reason": "soak"})
        if number % 11 == 0:
            self.disturb(number, name, body, key)

    def disturb(self, number, name, body, key):
        """Again with its key, with another request under it, an app that is not there, a change of
        the app, and one who asks and goes."""
        self.ask("POST", "/v1/rollouts", body, key)
        self.ask("POST", "/v1/rollouts", {**body, "image": "registry.local/other:1"}, key)
        self.ask("POST", "/v1/rollouts", {**body, "app": "nobody"})
        self.ask("PUT", f"/v1/apps/{name}", app(name, f"{60 + number % 100}s"))
        self.ask("GET", f"/v1/apps/{name}/releases?limit=5")
        with socket.socket(socket.AF_UNIX) as gone:
            gone.connect(self.daemon.socket)
            gone.send(b"GET /v1/apps HTTP/1.1\r\nHost: airisd\r\n\r\n")

    def watch(self, rid):
        connection = UnixConnection(self.daemon.socket, 60)
        connection.request("GET", f"/v1/rollouts/{rid}/events", None,
                           {"Accept": "text/event-stream"})
        self.streams.append(connection)

    def read_streams(self):
        """Each ends with its rollout."""
        for connection in self.streams:
            text = connection.getresponse().read()
            if b"event: phase" not in text:
                raise RuntimeError(f"a stream without an end: {text[-300:]}")
            connection.close()
        self.streams = []

    # --- all of them ---

    def run(self, count):
        """So many rollouts, as many at once as there are apps; then none is live."""
        end, busy = self.started + count, {}
        while self.started < end or busy:
            busy = {row["app"]: row["id"] for row in self.ask("GET", LIVE)[1]["items"]}
            free = [name for name in self.names if name not in busy]
            for name in free[:end - self.started]:
                self.begin(name)
            if len(self.streams) > 100:
                self.read_streams()
            time.sleep(0.02)
        self.read_streams()

    def sample(self):
        """At rest: what the last rollouts had open is closed."""
        self.connection.close()
        time.sleep(1)
        return Sample(self.daemon.process.pid)

    def phases(self):
        found = {}
        for line in self.daemon.call("GET", "/metrics").text.split("\n"):
            if line.startswith("airis_rollouts_ended_total"):
                phase = re.search('phase="([a-z]+)"', line).group(1)
                found[phase] = found.get(phase, 0) + int(float(line.split()[-1]))
        return found


def judge(before, after, count, limit):
    """What grew too much."""
    grown = (after.anon - before.anon) / count
    print(f"memory: {after.anon - before.anon:+} bytes over {count} rollouts, "
          f"{grown:+.1f} each; descriptors: {after.files - before.files:+}", flush=True)
    if after.anon - before.anon > limit * count + SLACK:
        yield f"memory grew by {grown:.0f} bytes a rollout"
    if after.files > before.files + SPARE:
        yield f"{after.files - before.files} descriptors more than before"
    if after.threads > before.threads:
        yield f"{after.threads - before.threads} threads more than before"


def soak(folder, args):
    run = Soak(folder, args.apps)
    try:
        run.start()
        begin = time.monotonic()
        run.run(args.warm)
        before = after = run.sample()
        print(f"after {run.started}: {before}", flush=True)
        for part in range(args.parts):
            run.run(args.rollouts * (part + 1) // args.parts + args.warm - run.started)
            after = run.sample()
            seconds = time.monotonic() - begin
            print(f"after {run.started}: {after}, {seconds:.0f} s", flush=True)
            if seconds > args.minutes * 60:
                break
        print(f"ended: {run.phases()}")
        return list(judge(before, after, run.started - args.warm, args.bytes))
    finally:
        run.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rollouts", type=int, default=100000)
    parser.add_argument("--warm", type=int, default=1000)
    parser.add_argument("--apps", type=int, default=60)
    parser.add_argument("--parts", type=int, default=10, help="samples on the way")
    parser.add_argument("--minutes", type=float, default=600, help="no part begins after them")
    parser.add_argument("--bytes", type=int, default=100)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left running
    with tempfile.TemporaryDirectory(prefix="airis-soak-") as folder:
        found = soak(folder, parser.parse_args())
    for what in found:
        print(f"soak: {what}")
    print(f"soak: {'FAILED' if found else 'ok'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
