"""What confirmation is worth: the same canaries, confirmed, and with fixed waits instead.

Usage: measure.py FOLDER [REPEATS [WORDS]]    (root; the labs in AIRIS_MESH_CACHE; airisd in
AIRIS_BUILD; only scenarios with one of the comma-separated WORDS in their names)
Prints tables; nothing here passes or fails."""
import os
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from harness.daemon import Daemon  # noqa: E402
from harness.lab import Prometheus  # noqa: E402
from harness.shop import GATE, Shop  # noqa: E402
from meshlab import MeshLab  # noqa: E402
from watching import Churn, first_on, last_on, steps  # noqa: E402

PLAN = {"weights": [10, 50, 100], "hold": "1s", "drain": "1s", "deadline": "90s", "steady": "0s"}
SLOW = {**PLAN, "drain": "5s"}


def healthy(run, tag="abrupt", plan=None):
    rid = run.begin(f"2.0-{tag}", plan or PLAN)
    run.airisd.wait_phase(rid, "succeeded", 240)
    return rid


def slow(run):
    return healthy(run, "lat500-abrupt", SLOW)


def bad(run):
    rid = run.begin("2.0-err20-abrupt", PLAN, [GATE])
    run.airisd.wait_phase(rid, "aborted", 240)
    return rid


def aborted(run):
    rid = run.begin("2.0-abrupt", {**PLAN, "weights": [50, 100], "hold": "120s"})
    run.airisd.wait(rid, lambda r: r["weight"]["taken"] == 50 and r["stage"]["settled"], 120)
    time.sleep(1)
    run.airisd.command(rid, "abort")
    run.airisd.wait_phase(rid, "aborted", 240)
    return rid


def churned(run, scenario):
    with Churn(run.shop):
        return scenario(run)


SCENARIOS = {
    "healthy, pods that stop abruptly": healthy,
    "healthy, abrupt, answers of 500 ms": slow,
    "20 % errors, abrupt": bad,
    "abort at 50, abrupt": aborted,
    "healthy, another Service changes every 50 ms": lambda run: churned(run, healthy),
    "abort at 50, the same churn": lambda run: churned(run, aborted),
}


class Run:
    """One canary of one shop by one daemon."""

    def __init__(self, mesh, airisd, mode, tag):
        self.mesh, self.airisd = mesh, airisd
        self.shop = Shop(mesh, mode=mode, tag=tag).create()
        self.since = time.time()

    def begin(self, tag, plan, gates=()):
        self.airisd.apply(self.shop.app(canary=plan, gates=list(gates)))
        return self.airisd.start_rollout(self.shop.name, self.shop.image_of(tag))

    def end(self, rid):
        self.until = time.time()
        self.log = self.mesh.log(self.shop.route, self.since, self.until + 1)
        self.events = self.airisd.events(rid)
        self.steps = steps(self.events)
        for kind in ("VirtualService", "Service", "Deployment"):  # its load ends
            self.mesh.kube.delete(kind, self.shop.namespace, self.shop.name)


def istiod_requests(airisd):
    text = airisd.call("GET", "/metrics").text
    return next(int(line.split()[1]) for line in text.splitlines()
                if line.startswith("airis_istiod_requests_total "))


def one(mesh, folder, prometheus, how, name, mode):
    os.makedirs(folder)
    asks = how is None
    airisd = Daemon(folder, mesh.kubeconfig, prometheus.url, settle=how or "12s",
                    istiod=mesh.istiod() if asks else None).start()
    try:
        run = Run(mesh, airisd, mode, "1.0-lat500-abrupt" if "500" in name else "1.0-abrupt")
        before = istiod_requests(airisd)
        run.end(SCENARIOS[name](run))
        run.requests = istiod_requests(airisd) - before
        return run
    finally:
        airisd.stop()


def quantiles(values):
    values = sorted(values)

    def at(f):
        return values[int(f * (len(values) - 1) + 0.5)]
    return f"{at(0.5):.0f} / {at(0.9):.0f} / {at(1):.0f}" if values else "-"


def report_confirmed(runs):
    print("\n| scenario | patch answered to confirmed, ms, p50 / p90 / max (n) | first request "
          "seen on the new side, ms | last on the old side (100 and 0), ms | after confirmed on the "
          "old side | istiod requests per canary | saved against 12 s a wait, s per canary |")
    print("|---|---|---|---|---|---|---|")
    for name, done in runs.items():
        confirmed, first, last, late, saved = [], [], [], 0, []
        for run in done:
            canary = run.shop.name + "-canary"
            waits = [e["data"]["since_ms"] - e["data"]["of_ms"] for e in run.events
                     if e["kind"] == "taken" and e["data"]["of_ms"]]
            saved.append(sum(12 - w / 1000 for w in waits))
            for step, after in zip(run.steps, run.steps[1:] + [None]):
                if not step.taken:
                    continue
                end = after.sent if after else run.until
                confirmed.append(1000 * (step.taken - step.answered))
                new = run.shop.name if step.weight == 0 else canary
                if step.weight in (0, 100) or step is run.steps[0]:
                    seen = first_on([r for r in run.log if r.start < end], new, step.sent)
                    if seen:
                        first.append(1000 * (seen - step.answered))
                if step.weight in (0, 100):
                    old = canary if step.weight == 0 else run.shop.name
                    mine = [r for r in run.log if step.sent <= r.start < end]
                    if last_on(mine, old):
                        last.append(1000 * (last_on(mine, old) - step.answered))
                    late += sum(r.workload == old and r.start > step.taken for r in mine)
        print(f"| {name} | {quantiles(confirmed)} ({len(confirmed)}) | {quantiles(first)} | "
              f"{quantiles(last)} | {late} | "
              f"{statistics.median(r.requests for r in done):.0f} | "
              f"{statistics.median(saved):.0f} |", flush=True)


def main():
    folder, repeats = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2
    words = sys.argv[3].split(",") if len(sys.argv) > 3 else [""]
    chosen = [name for name in SCENARIOS if any(word in name for word in words)]
    os.makedirs(folder, exist_ok=True)
    mesh = MeshLab(folder).start()
    prometheus = Prometheus(folder, [mesh.metrics]).start()
    ways = {"confirmed": None, "0 s": "0s", "1 s": "1s", "3 s": "3s"}
    lost, confirmed = {}, {}
    try:
        for name in chosen:
            for way, how in ways.items():
                for i in range(repeats):
                    mode = ("host", "subset")[i % 2]
                    where = os.path.join(folder, f"{len(lost)}-{way[0]}-{i}-{time.time():.0f}")
                    try:
                        run = one(mesh, where, prometheus, how, name, mode)
                    except (AssertionError, RuntimeError) as e:
                        print(f"{name}, {way}, {mode}: {str(e)[:200]}", flush=True)
                        continue
                    gone = sum(r.lost for r in run.log)
                    lost.setdefault((name, way), []).append((gone, len(run.log)))
                    if how is None:
                        confirmed.setdefault(name, []).append(run)
                    print(f"{name}, {way}, {mode}: lost {gone} of {len(run.log)}, "
                          f"{run.until - run.since:.0f} s, {run.requests} requests", flush=True)
        print("\n| lost of sent, each repetition | " + " | ".join(ways) + " |")
        print("|---|" + "---|" * len(ways))
        for name in chosen:
            print(f"| {name} | " + " | ".join(
                ", ".join(f"{n} of {of}" for n, of in lost.get((name, way), [])) or "-"
                for way in ways) + " |", flush=True)
        report_confirmed(confirmed)
    finally:
        prometheus.stop()
        mesh.stop()


main()
