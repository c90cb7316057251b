"""Kills airisd at each of its failpoints, in each scenario that comes to it, and looks at what is
true afterwards. AIRIS_BUILD has the programs; in its folder crash (or in AIRIS_CRASH_BUILD) is an
airisd built with CRASH=1. AIRIS_LAB=kubelab: a real control plane instead of the simulator.

    crash.py short     every point once, in one of the scenarios that come to it
    crash.py long      every point in every scenario that comes to it, also later than at first
    crash.py cluster   a selection of a tenth, for two minutes on a real control plane
    crash.py NAME...   these points alone (a part of the name will do), in every scenario

First each scenario runs without a crash and notes what it comes to; a point that none comes to is
a failure, and so is a run that did not die. The last line sums up."""
import collections
import concurrent.futures
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), os.path.join(os.path.dirname(HERE), "e2e")]

import scenarios  # noqa: E402
from fm import FakePrometheus, number, vector  # noqa: E402
from harness.lab import KIND, Lab  # noqa: E402
from run import CRASH_BUILD, Run  # noqa: E402

AT_ONCE = int(os.environ.get("AIRIS_TOGETHER", "12" if KIND == "sim" else "6"))
LABS = AT_ONCE if KIND == "sim" else 1
PLAYS = [("healthy", "host"), ("bad", "host"), ("abort", "host"), ("mishaps", "host"),
         ("upgrade", "host"), ("copied", "host"), ("colours", "service"), ("batches", "batches"),
         ("saved", "batches"), ("ordinals", "ordinals"), ("nodes", "nodes"),
         ("healthy", "subset"), ("bad", "subset"), ("abort", "subset")]
PLAYS += [("healthy", "gateway"), ("bad", "gateway"), ("abort", "gateway")] if KIND == "sim" else []
TRIES = 3  # to die at a point
LIVES = 3  # at most, in a run without a crash
# Come to at every start: the last one is of more interest.
AT_START = re.compile("start:")
# Come to once for each statement, each of which is a point of its own.
EACH = {"migrate:statement"}
# Nothing comes to these, for the reason given.
NEVER = {} if KIND == "sim" else {
    f"commit:{place}:accepted": "kubelab has no controller that accepts an HTTPRoute"
    for place in ("before", "inside", "after")}
FEWEST = 25  # requests before a verdict


class Place:
    """A cluster, and a Prometheus that measures it as it is: the share of the canary's requests
    that were answered well, from the lab's own counters."""

    def __init__(self, folder):
        os.makedirs(folder)
        self.is_sim = KIND == "sim"
        self.lab = Lab(folder, mesh_delay="100ms", ready_after="100ms", rps=150).start()
        self.prometheus = FakePrometheus()
        self.prometheus.answers["good{"] = self.good

    def good(self, query):
        workload = re.search(r'good{workload="([^"]*)"}', query).group(1)
        total, well = self.lab.requests(workload), self.lab.requests(workload, "200")
        return vector([]) if total < FEWEST else number(well / total)

    def stop(self):
        self.prometheus.stop()
        self.lab.stop()


class Crash:
    def __init__(self, folder):
        self.folder, self.lock = folder, threading.Lock()
        self.places = queue.Queue()
        with concurrent.futures.ThreadPoolExecutor(LABS) as pool:
            made = list(pool.map(lambda i: Place(os.path.join(folder, f"lab{i}")), range(LABS)))
        self.made = made
        for i in range(AT_ONCE):
            self.places.put(made[i % LABS])
        self.pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)
        self.runs = self.kills = self.violations = 0

    def stop(self):
        self.pool.shutdown(cancel_futures=True)
        for place in self.made:
            place.stop()

    def play(self, scenario, mode, point=None, at=1):
        """Runs it; returns how often each of its lives came to which point (without a crash)."""
        name = f"{scenario} {mode}" + (f" {point} life {at}" if point else "")
        folder = os.path.join(self.folder, re.sub(r"[ :]", "-", name))
        log = None if point else folder + ".points"
        # Some are come to only if two things meet: the run is good, and says nothing of the point.
        if not any(self.once(name, f"{folder}-{i}", scenario, mode, point, at, log)
                   for i in range(TRIES)):
            self.fail(name, AssertionError("airisd did not come to it"), None)
        with self.lock:
            self.runs += 1
        return self.points_of(log)

    def once(self, name, folder, scenario, mode, point, at, log):
        """False: all was well, but it did not die at the point."""
        place = self.places.get()
        begin, run = time.monotonic(), None
        came = True
        try:
            with Run(place, folder, mode, point, at, log) as run:
                try:
                    getattr(scenarios, scenario)(run)
                    came = point is None or run.kills == 1
                except BaseException as e:
                    self.fail(name, e, run)
        except Exception as e:  # pylint: disable=broad-except
            self.fail(name, e, None)
        finally:
            self.places.put(place)
        with self.lock:
            self.kills += run.kills if run else 0
        if os.environ.get("AIRIS_VERBOSE") or not came:
            print(f"  {name}: {time.monotonic() - begin:.1f} s"
                  + ("" if came else ", and did not come to it; once more"), flush=True)
        return came

    def fail(self, name, error, run):
        text = run.report() if run else ""
        with self.lock:
            self.violations += 1
            print(f"--- {name}\n{text}\n"
                  f"{''.join(traceback.format_exception(error)[-3:])}{name} FAILED: {error}",
                  flush=True)

    @staticmethod
    def points_of(log):
        """{point: [hits in the first life, in the second …]}"""
        found = collections.defaultdict(lambda: [0] * LIVES)
        for life in range(LIVES):
            if log and os.path.exists(f"{log}.{life + 1}"):
                with open(f"{log}.{life + 1}", encoding="utf-8") as f:
                    for point in f.read().split():
                        found[point][life] += 1
        return found

    def discover(self):
        return dict(zip(PLAYS, self.pool.map(lambda play: self.play(*play), PLAYS)))

    def miss(self, points, found):
        """Of the table, what nothing came to, is a failure."""
        for point in points:
            if any(point in hits for hits in found.values()) == (point in NEVER):
                self.violations += 1
                print(f"{point} FAILED: " + ("a scenario comes to it" if point in NEVER else
                                             "no scenario comes to it"))


def nths(point, hits, long):
    """At which of its hits to die."""
    if point in EACH:
        return range(1, hits + 1) if long else sorted({1, (hits + 1) // 2, hits})
    return [1, 2] if long and hits > 3 else [1]


def jobs_at(play, point, lives, long):
    """(scenario, mode, point:n, life) of the runs of one scenario."""
    came = [life for life in range(LIVES) if lives[life] > 0]
    life = came[-1] if AT_START.match(point) else came[0]
    return [(*play, f"{point}:{n}", life + 1) for n in nths(point, lives[life], long)]


def choose(points, found, form):
    """All runs."""
    jobs, turn = [], 0
    for point in points:
        where = [play for play, hits in found.items() if point in hits]
        if form == "short" and where:
            where = [where[turn % len(where)]]
            turn += 1
        for play in where:
            jobs += jobs_at(play, point, found[play][point], form != "short")
    return jobs


def table():
    done = subprocess.run([os.path.join(CRASH_BUILD, "airisd"), "--failpoints"], capture_output=True,
                          text=True, check=True)
    return done.stdout.split()


def main(args):
    form = args[0] if args and args[0] in ("short", "long", "cluster") else "long"
    points = table()
    if form == "cluster":
        form, points = "short", points[::10]
    named = [a for a in args if a not in ("short", "long", "cluster")]
    if named:
        points = [p for p in points if any(n in p for n in named)]
    with tempfile.TemporaryDirectory(prefix="crash") as folder:
        crash = Crash(folder)
        try:
            found = crash.discover()
            crash.miss(points, found)
            jobs = choose(points, found, form)
            list(crash.pool.map(lambda job: crash.play(*job), jobs))
        finally:
            crash.stop()
    print(f"crash: {len(points)} points, {crash.runs} runs, {crash.kills} kills, "
          f"{crash.violations} violations", flush=True)
    return 1 if crash.violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
