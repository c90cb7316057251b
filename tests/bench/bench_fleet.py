#!/usr/bin/python3
"""What airisd costs with many apps: memory, CPU and API requests, idle and with rollouts in
progress; how soon weights move after one trigger; how soon an abort reaches the VirtualService.

    tests/bench/bench_fleet.py [--idle 0,100] [--live 100] [--abort 40] [--qps 20] [--seconds 20]

The real airisd against airis-sim, whose traffic is off. Wall times are those of this machine with
both on it, so upper bounds. Nothing is asserted: what is printed is for people to compare."""
import argparse
import concurrent.futures
import http.client
import json
import os
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness.daemon import Daemon, UnixConnection  # noqa: E402
from harness.kube import KINDS  # noqa: E402
from harness.lab import Lab  # noqa: E402
from harness.process import Process, wait_for  # noqa: E402

NAMESPACE = "fleet"
REPLICAS = 2


def name_of(i):
    return f"app-{i:04}"


def image_of(i, tag):
    return f"registry.local/{name_of(i)}:{tag}"


def objects(i):
    name = name_of(i)
    meta = {"name": name, "namespace": NAMESPACE, "labels": {"app": name}}
    yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": {
        "replicas": REPLICAS, "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name, "track": "stable"}}, "spec": {
            "containers": [{"name": "app", "image": image_of(i, "1.0")}]}}}}
    yield {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": {
        "selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]}}
    yield {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
           "metadata": {**meta, "annotations": {"lab/rps": "0"}},
           "spec": {"hosts": [name], "http": [{"route": [{"destination": {"host": name}}]}]}}


def app(i):
    name = name_of(i)
    return {"kind": "App", "name": name, "namespace": NAMESPACE,
            "workload": {"kind": "Deployment", "name": name},
            "traffic": {"istio": {"virtualService": name}},
            "strategy": {"canary": {"weights": [10, 25, 50, 100], "hold": "60s",
                                    "drain": "1s"}}}


class Routes(threading.Thread):
    """Follows all VirtualServices: when which canary weight was there first."""

    def __init__(self, lab):
        super().__init__(daemon=True)
        url = lab.server.split("//")[1]
        self.connection = http.client.HTTPConnection(url, timeout=600)
        self.seen = {}  # (name, weight) -> monotonic time
        self.news = threading.Condition()
        group, plural, _ = KINDS["VirtualService"]
        self.connection.request(
            "GET", f"{group}/namespaces/{NAMESPACE}/{plural}?watch=true&resourceVersion=0")
        self.answer = self.connection.getresponse()

    def run(self):
        try:
            for line in self.answer:
                self.note(json.loads(line)["object"], time.monotonic())
        except (OSError, ValueError, AttributeError, http.client.HTTPException):
            pass  # it was closed

    def note(self, route, now):
        weight = 0
        for to in route.get("spec", {}).get("http", [{}])[0].get("route", []):
            if to["destination"]["host"].endswith("-canary"):
                weight = to.get("weight", 0)
        with self.news:
            self.seen.setdefault((route["metadata"]["name"], weight), now)
            self.news.notify_all()

    def wait(self, name, weight, timeout=60):
        with self.news:
            if not self.news.wait_for(lambda: (name, weight) in self.seen, timeout):
                raise TimeoutError(f"{name} did not get weight {weight}")
            return self.seen[(name, weight)]

    def forget(self, name, weight):
        with self.news:
            self.seen.pop((name, weight), None)


class Fleet:
    def __init__(self, count, qps, program=None):
        self.folder = tempfile.TemporaryDirectory(prefix="airis-bench-")
        self.count, self.qps, self.program = count, qps, program
        self.lab = Lab(self.folder.name, rps=0)

    def __enter__(self):
        self.lab.start()
        self.create()
        self.routes = Routes(self.lab)
        self.routes.start()
        self.daemon = Daemon(self.folder.name, self.lab.kubeconfig)
        with open(self.daemon.config, encoding="utf-8") as f:
            text = f.read().replace(
                "clusters: [{", f"clusters: [{{qps: {self.qps}, burst: {2 * self.qps}, ")
        with open(self.daemon.config, "w", encoding="utf-8") as f:
            f.write(text)
        if self.program:
            self.daemon.process = Process(
                [*self.program.split(), "--config", self.daemon.config],
                os.path.join(self.folder.name, "airisd.log"))
        self.daemon.start()
        self.connection = UnixConnection(self.daemon.socket, 60)
        for i in range(self.count):
            self.ask("PUT", f"/v1/apps/{name_of(i)}", app(i))
        return self

    def __exit__(self, *failed):
        if failed[0]:
            sys.stderr.write(self.daemon.process.text()[-3000:])
        self.daemon.process.stop(60)
        self.lab.stop()
        self.folder.cleanup()

    def create(self):
        self.lab.kube.ensure_namespace(NAMESPACE)
        connection = http.client.HTTPConnection(self.lab.server.split("//")[1], timeout=60)
        for i in range(self.count):
            for obj in objects(i):
                path = self.lab.kube.path(obj["kind"], NAMESPACE)
                connection.request("POST", path, json.dumps(obj),
                                   {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 201:
                    raise RuntimeError(f"{path}: HTTP {answer.status}")
        connection.close()
        wait_for("the pods", self.all_ready, 120, every=0.5)

    def all_ready(self):
        found = self.lab.kube.list("Deployment", NAMESPACE) if self.count else []
        return all(d.get("status", {}).get("readyReplicas") == REPLICAS for d in found)

    def ask(self, method, path, body=None, connection=None):
        connection = connection or self.connection
        connection.request(method, path, None if body is None else json.dumps(body),
                           {"Content-Type": "application/json"})
        answer = connection.getresponse()
        text = answer.read().decode()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: HTTP {answer.status} {text}")
        return json.loads(text)

    def restart(self):
        self.connection.close()
        self.daemon.stop()
        self.daemon.start()
        self.connection = UnixConnection(self.daemon.socket, 60)

    def start_all(self):
        """One trigger: every app at once, over a few connections."""
        def some(first):
            connection, ids = UnixConnection(self.daemon.socket, 60), {}
            for i in range(first, self.count, 8):
                body = {"app": name_of(i), "image": image_of(i, "2.0")}
                ids[i] = self.ask("POST", "/v1/rollouts", body, connection)["id"]
            connection.close()
            return ids
        self.ids = {}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for ids in pool.map(some, range(8)):
                self.ids.update(ids)

    # --- what it costs ---

    def memory(self):
        """MB: now, most ever."""
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="utf-8") as f:
            lines = dict(line.split(":", 1) for line in f)
        return (int(lines["VmRSS"].split()[0]) / 1024, int(lines["VmHWM"].split()[0]) / 1024)

    def cpu(self):
        with open(f"/proc/{self.daemon.process.pid}/stat", encoding="utf-8") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def requests(self):
        """{"get pods": 12, …}; watches and leases apart, as at the peers."""
        counts = {}
        for row in self.lab.ask_sim("GET", "/sim/requests")["counts"]:
            if row["user_agent"].startswith("airisd") and row["verb"] != "watch":
                counts[f"{row['verb']} {row['kind']}"] = row["count"]
        return counts

    def over(self, seconds):
        """(CPU-seconds, requests) per minute, over so long."""
        cpu, asked = self.cpu(), sum(self.requests().values())
        begin = time.monotonic()
        time.sleep(seconds)
        minutes = (time.monotonic() - begin) / 60
        return ((self.cpu() - cpu) / minutes, (sum(self.requests().values()) - asked) / minutes)


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


def row(cells, widths):
    print("  ".join(str(c).rjust(w) for c, w in zip(cells, widths)), flush=True)


def idle(counts, args):
    print("idle:")
    widths = (6, 8, 8, 10, 8)
    row(("apps", "RSS MB", "peak MB", "CPU-s/min", "req/min"), widths)
    for count in counts:
        with Fleet(count, args.qps, args.program) as fleet:
            fleet.restart()
            cpu, asked = fleet.over(args.seconds)
            rss, peak = fleet.memory()
            row((count, f"{rss:.1f}", f"{peak:.1f}", f"{cpu:.2f}", f"{asked:.0f}"), widths)


def live(counts, args):
    print("in progress (weights 10/25/50/100, holds of 60 s):")
    widths = (6, 7, 8, 8, 10, 8, 20, 10, 10)
    row(("apps", "qps", "RSS MB", "peak MB", "CPU-s/min", "req/min", "first/median/last s",
         "CPU-s wave", "req wave"), widths)
    for count in counts:
        with Fleet(count, args.qps, args.program) as fleet:
            begin, cpu = time.monotonic(), fleet.cpu()
            fleet.start_all()
            moved = [fleet.routes.wait(name_of(i), 10, 900) - begin for i in range(count)]
            wave = fleet.cpu() - cpu
            asked_wave = fleet.requests()
            per_minute, asked = fleet.over(args.seconds)
            rss, peak = fleet.memory()
            row((count, args.qps, f"{rss:.1f}", f"{peak:.1f}", f"{per_minute:.2f}",
                 f"{asked:.0f}",
                 f"{min(moved):.1f}/{statistics.median(moved):.1f}/{max(moved):.1f}",
                 f"{wave:.2f}", sum(asked_wave.values())), widths)
            if args.verbose:
                print("   wave:", asked_wave, "\n   all:", fleet.requests())


def aborts(count, args):
    trials = min(count, args.trials)
    print(f"abort of {trials} one by one, the others of {count} in progress: command -> weight 0"
          " in the VirtualService:")
    with Fleet(count, args.qps, args.program) as fleet:
        fleet.start_all()
        for i in range(count):
            fleet.routes.wait(name_of(i), 10, 900)
        took = []
        for i in range(trials):
            fleet.routes.forget(name_of(i), 0)
            begin = time.monotonic()
            fleet.ask("POST", f"/v1/rollouts/{fleet.ids[i]}/abort", {"reason": "measured"})
            took.append((fleet.routes.wait(name_of(i), 0) - begin) * 1000)
        rss, peak = fleet.memory()
        print(f"  p50 {quantile(took, .5):.0f} ms, p90 {quantile(took, .9):.0f} ms, "
              f"p99 {quantile(took, .99):.0f} ms, most {max(took):.0f} ms; "
              f"RSS {rss:.1f} MB, peak {peak:.1f} MB")


def numbers(text):
    return [int(n) for n in text.split(",") if n]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    full = os.environ.get("BENCH") == "full"
    parser.add_argument("--idle", type=numbers, default=[0, 100, 1000] if full else [0, 100])
    parser.add_argument("--live", type=numbers, default=[100, 1000] if full else [100])
    parser.add_argument("--abort", type=int, default=201 if full else 41, metavar="COUNT")
    parser.add_argument("--trials", type=int, default=100 if full else 20)
    parser.add_argument("--qps", type=int, default=20, help="the cluster's request budget")
    parser.add_argument("--seconds", type=float, default=60 if full else 10)
    parser.add_argument("--program", help="airisd, with a wrapper before it")
    parser.add_argument("--verbose", action="store_true", help="requests by verb and kind")
    args = parser.parse_args()
    if args.idle:
        idle(args.idle, args)
    if args.live:
        live(args.live, args)
    if args.abort:
        aborts(args.abort, args)


if __name__ == "__main__":
    main()
