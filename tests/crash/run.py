"""One run: an airisd that dies at one point, a client that goes on as a client would, and what must
be true afterwards."""
import collections
import contextlib
import glob
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
import uuid

from harness.audit import chained, rows_of
from harness.colours import ColourShop
from harness.daemon import Daemon
from harness.kube import without_noise
from harness.process import BUILD, SLOW
from harness.rolling import DaemonShop, RollingShop, StatefulShop
from harness.shop import Shop
from watching import Watching

ENDED = ("succeeded", "aborted", "failed")
# The shops that are not steered by a route, by the mode of a run. A lab has three nodes.
SHOPS = {"service": (ColourShop, {"colour": True}), "batches": (RollingShop, {}),
         "ordinals": (StatefulShop, {"replicas": 3}), "nodes": (DaemonShop, {"replicas": 3})}
# What a cluster's controllers write on a user's object.
NOISE = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
# Where the airisd is that was built with CRASH=1; everything else is in BUILD.
CRASH_BUILD = os.path.abspath(os.environ.get("AIRIS_CRASH_BUILD", os.path.join(BUILD, "crash")))


class Violation(AssertionError):
    pass


def must(true, what):
    if not true:
        raise Violation(what)


class Run:
    """place: where it is (a lab, a Prometheus). point: NAME[:N] where airisd dies, or None;
    at: in which of its lives. log: gets the points that each of them comes to, LOG.1 and so on."""

    def __init__(self, place, folder, mode, point=None, at=1, log=None):
        self.place, self.folder, self.mode, self.point = place, folder, mode, point
        self.at, self.lives = at, 0
        self.lab, self.kube, self.log = place.lab, place.lab.kube, log
        os.makedirs(folder)
        self.lease = "airisd-" + uuid.uuid4().hex[:8]
        self.daemon = Daemon(folder, place.lab.kubeconfig, prometheus=place.prometheus.url,
                             settle=place.lab.settle, lease={"name": self.lease, "duration": "3s"})
        self.kills, self.seen = 0, collections.defaultdict(list)
        self.promises, self.gone = [], False
        self.ended = {}  # rollout: the final phase that was shown
        self.late = False

    # --- the shop ---

    def __enter__(self):
        kind, more = SHOPS.get(self.mode, (Shop, {"mode": self.mode}))
        self.shop = kind(self.lab, **{"replicas": 4, "pod_rps": 200, **more})
        self.shop.create()
        if self.mode != "nodes":
            self.create_hpa()
        if self.mode == "service":  # on the way to blue there is one of ours, too
            self.shop.budget({"matchLabels": {"app": self.shop.name, "colour": "green"}})
        self.before = self.objects()
        self.watching = Watching(self.shop)
        return self

    def create_hpa(self):
        self.kube.create({
            "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": self.shop.name, "namespace": self.shop.namespace,
                         "annotations": {"lab/hpa-desired": str(self.shop.replicas)}},
            "spec": {"minReplicas": 2, "maxReplicas": 10,
                     "scaleTargetRef": {"apiVersion": "apps/v1", "kind": self.shop.WORKLOAD,
                                        "name": self.shop.name}}})

    def create_backup(self):
        """A CronJob of the user's own; what an App says of it."""
        backup = self.shop.create_backup()
        self.before = self.objects()
        return backup

    def change_backup(self, tag):
        """Its owner gives it another image."""
        containers = [{"name": "backup", "image": f"registry.local/{self.shop.name}-backup:{tag}"}]
        self.kube.patch("CronJob", self.shop.namespace, "save", {"spec": {"jobTemplate": {"spec": {
            "template": {"spec": {"containers": containers}}}}}}, manager="somebody")
        self.before["CronJob/save"] = self.objects()["CronJob/save"]

    def __exit__(self, *_):
        self.daemon.kill() if self.daemon.process.popen else None
        self.watching.done()
        with contextlib.suppress(Exception):
            self.shop.delete()

    def objects(self):
        """What is the user's own, without what only the API server keeps."""
        found = {}
        for kind in ("Service", "DestinationRule", "HorizontalPodAutoscaler", "CronJob",
                     "Deployment", self.shop.WORKLOAD, self.shop.kind):
            for obj in self.kube.list(kind, self.shop.namespace):
                name, obj = obj["metadata"]["name"], without_noise(obj)
                noise = obj["metadata"].get("annotations") or {}
                for key in NOISE:
                    noise.pop(key, None)
                if not noise:
                    obj["metadata"].pop("annotations", None)
                found[f"{kind}/{name}"] = obj
        return found

    # --- airisd: started, killed by its point, started again ---

    def start(self, released=False):
        process = self.daemon.process
        self.lives += 1
        process.args[0] = os.path.join(BUILD if released else CRASH_BUILD, "airisd")
        process.env = {} if released else self.environment()
        if self.point and self.point.startswith("act:sent") and self.kills == 0:
            self.be_late()
        process.start()
        self.wait_up()

    def environment(self):
        env = {}
        if self.point and self.kills == 0 and self.lives == self.at:
            env["AIRIS_FAILPOINT"] = self.point
        if self.log:
            env["AIRIS_FAILPOINT_LOG"] = f"{self.log}.{self.lives}"
        return env

    def be_late(self):
        """What is sent arrives when its sender is dead and the next one has looked."""
        if self.place.is_sim and not self.late:
            self.late = True
            for verb in ("create", "patch", "update", "delete"):
                self.lab.fault({"latency_ms": 400}, verb=verb, namespace=self.shop.namespace,
                               user_agent="airisd")

    def wait_up(self):
        end = time.monotonic() + 30 * SLOW
        while time.monotonic() < end:
            if not self.daemon.process.alive():
                self.revive()
                return
            try:
                if self.daemon.call("GET", "/healthz").status == 200:
                    return
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
        raise Violation("airisd does not answer: " + self.daemon.process.text()[-2000:])

    def revive(self):
        """It does not answer: it must have died at its point. Starts it without one."""
        process = self.daemon.process
        with contextlib.suppress(Exception):
            process.popen.wait(5)
        status = process.popen.poll()
        must(status == -signal.SIGKILL and self.point and self.kills == 0,
             f"airisd ended with {status}: {process.text()[-2000:]}")
        self.kills += 1
        self.check_intents()
        if self.late:
            self.late = False
            self.lab.no_faults()
        self.start()
        self.check_promises()

    def check_intents(self):
        """Nothing was asked of the cluster whose intent is not durable, where the lab knows what it
        was asked; and it was told of nothing that has not happened. The database is looked at as a
        copy, it is airisd's to mend."""
        copy = os.path.join(self.folder, "dead")
        os.makedirs(copy)
        for name in glob.glob(self.daemon.database + "*"):
            shutil.copy(name, copy)
        sent = [r for r in self.lab.requests_seen() if r["user_agent"].startswith("airisd")
                and r["method"] != "GET" and f"/{self.shop.namespace}/" in r["path"]
                and not r["path"].partition("?")[0].endswith("/events")]
        with contextlib.closing(sqlite3.connect(os.path.join(copy, "airis.db"))) as db:
            if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'events'").fetchone():
                meant = db.execute("SELECT count(*) FROM events WHERE kind = 'act'").fetchone()[0]
                must(len(sent) <= meant, f"{len(sent)} writes were sent, {meant} are durable")
                durable = set(db.execute("SELECT rollout, seq FROM events"))
                told = set(self.told())
                must(told <= durable, f"{told - durable} was told and is not durable")

    def told(self):
        """Of which events Kubernetes has an Event: (rollout, sequence number)."""
        for event in self.kube.list("Event", self.shop.namespace):
            if event.get("reportingComponent") == "airis.io/airisd":
                rollout, _, seq = event["metadata"]["name"].rpartition(".")[2].rpartition("-")
                yield rollout, int(seq)

    def airisd(self, *args, env=None):
        return subprocess.run([os.path.join(CRASH_BUILD, "airisd"), "--config", self.daemon.config,
                               *args], capture_output=True, text=True, check=False, timeout=60 * SLOW,
                              env={**os.environ, **(env or {})})

    def copy(self):
        """airisd --backup beside the daemon. Where that dies: no copy, or a whole one, and the next
        one to the same name is as if nothing had been."""
        to = os.path.join(self.folder, "copy.db")
        done = self.airisd("--backup", to, env=self.environment())
        if done.returncode == -signal.SIGKILL:
            must(self.point and self.kills == 0, "--backup was killed")
            self.kills += 1
            must(os.path.exists(to) == self.point.startswith("backup:named"), "a copy too early")
            if os.path.exists(to):
                self.verify(to)
            done = self.airisd("--backup", to)
        must(done.returncode == 0, f"--backup: {done.stderr}")
        self.verify(to)
        must(not glob.glob(to + ".*"), f"left over: {glob.glob(to + '.*')}")

    def verify(self, database):
        done = self.airisd("--verify-db", database)
        must(done.returncode == 0, f"--verify-db: {done.stdout}{done.stderr}")

    def call(self, method, path, body=None, headers=None):
        """An answer; None when airisd died instead (then it runs again)."""
        try:
            return self.daemon.call(method, path, body, headers)
        except (OSError, http.client.HTTPException):
            self.revive()
            return None

    def ask(self, *request):
        """The same again when airisd died; for what may be asked twice."""
        return self.call(*request) or self.ask(*request)

    def events(self, rid):
        items, page = [], True
        while page:
            after = items[-1]["seq"] if items else 0
            page = self.ask(
                "GET", f"/v1/rollouts/{rid}/events?after={after}&limit=500").json["items"]
            items += page
        return items

    def stop(self):
        """SIGTERM, as at an upgrade of the host."""
        process = self.daemon.process
        process.popen.send_signal(signal.SIGTERM)
        process.popen.wait(10 * SLOW)
        if process.popen.returncode != 0:
            self.revive()
            return False
        return True

    def reload(self):
        process = self.daemon.process
        said = process.text().count("the settings were read again")
        process.popen.send_signal(signal.SIGHUP)
        end = time.monotonic() + 10 * SLOW
        while process.text().count("the settings were read again") == said:
            if not process.alive():
                self.revive()
                return
            must(time.monotonic() < end, "SIGHUP was not heard")
            time.sleep(0.02)
        self.call("GET", "/healthz")

    # --- a client: what it was told is true from then on ---

    def promise(self, what, check):
        self.promises.append((what, check))

    def check_promises(self):
        for what, check in self.promises:
            must(check(), f"not true after the restart: {what}")
        for rid, phase in self.ended.items():
            now = self.ask("GET", f"/v1/rollouts/{rid}").json["phase"]
            must(now == phase, f"{rid} was shown as {phase}, then it was {now} again")
        for rid, seen in self.seen.items():
            now = self.events(rid)
            must(now[:len(seen)] == seen, f"events of {rid} that were shown are others now")

    def apply(self, app):
        answer = self.ask("PUT", f"/v1/apps/{app['name']}", app)
        must(answer.status in (200, 201), answer.text)
        spec = answer.json["spec"]
        self.promise("the app", lambda: self.gone or self.ask(
            "GET", f"/v1/apps/{app['name']}").json["spec"] == spec)

    def begin(self, image, key):
        """Starts a rollout; again with the same key, as a pipeline does that heard nothing."""
        body = {"app": self.shop.name, "image": image, "why": "crash"}
        headers = {"Idempotency-Key": key}
        answer = self.ask("POST", "/v1/rollouts", body, headers)
        must(answer.status in (200, 201), answer.text)
        rid = answer.json["id"]

        def same():
            again = self.ask("POST", "/v1/rollouts", body, headers)
            return again.status == 200 and again.json["id"] == rid
        self.promise(f"Idempotency-Key {key}", same)
        return rid

    def commands(self, rid, name):
        return [e for e in self.events(rid)
                if e["kind"] == "command" and e["data"]["name"] == name]

    def command(self, rid, name):
        """A client that lost the answer looks whether it was done before it asks again."""
        answer = self.call("POST", f"/v1/rollouts/{rid}/{name}", {})
        while answer is None and not self.commands(rid, name):
            answer = self.call("POST", f"/v1/rollouts/{rid}/{name}", {})
        must(answer is None or answer.status == 200, answer and answer.text)
        self.promise(f"{name} was taken, once", lambda: len(self.commands(rid, name)) == 1)

    def forget(self):
        """Deletes the app."""
        lost, self.gone = False, True
        answer = self.call("DELETE", f"/v1/apps/{self.shop.name}")
        while answer is None:
            lost, answer = True, self.call("DELETE", f"/v1/apps/{self.shop.name}")
        must(answer.status == 204 or (lost and answer.status == 404), answer.text)
        self.promise("the app is deleted", lambda: self.ask(
            "GET", f"/v1/apps/{self.shop.name}").status == 404)

    def look(self, rid):
        """The rollout as it is, and everything of its history kept."""
        r = self.ask("GET", f"/v1/rollouts/{rid}").json
        if r["phase"] in ENDED[:2]:
            self.ended[rid] = r["phase"]
        after = self.seen[rid][-1]["seq"] if self.seen[rid] else 0
        page = self.ask("GET", f"/v1/rollouts/{rid}/events?after={after}&limit=500")
        self.seen[rid] += page.json["items"]
        return r

    def wait(self, rid, what, check, seconds=60):
        end = time.monotonic() + seconds * SLOW
        while True:
            r = self.look(rid)
            if check(r):
                return r
            must(r["phase"] not in ENDED or what.startswith("event"),
                 f"{what}: {r['phase']}: {r['reason']}")
            must(time.monotonic() < end, f"{what}: {json.dumps(r['blocked_on'])} {r['stage']}")
            time.sleep(0.03)

    def wait_event(self, rid, kind, **data):
        self.wait(rid, f"event {kind}", lambda r: any(
            e["kind"] == kind and data.items() <= e["data"].items() for e in self.seen[rid]))

    def wait_phase(self, rid, phase):
        self.wait(rid, phase, lambda r: r["phase"] == phase)

    def wait_blocked(self, rid, text):
        self.wait(rid, text, lambda r: text in json.dumps(r["blocked_on"]))

    # --- the end ---

    def check_history(self, rid, phase, stages):
        """Every stage was entered once and in order, and nothing was shown that is not so."""
        self.wait_event(rid, "phase", to=phase)
        r, events = self.look(rid), self.events(rid)
        must(r["phase"] == phase, f"ended {r['phase']}: {r['reason']}")
        must(events == self.seen[rid], "the history is another one than was shown")
        entered = [e["data"]["index"] for e in events if e["kind"] == "stage"]
        must(entered == list(range(1, stages)), f"stages entered: {entered} of {stages}")
        released = [e for e in events if e["kind"] == "act" and e["data"]["act"] == "set_image"
                    and e["data"]["text"] == r["release"]["image"]]
        must(phase == "succeeded" or not released, "it was released on the way home")

    def check_home(self, image, lost_allowed=False):
        """Only the release is another one, nothing is left, no request was lost."""
        expected = json.loads(json.dumps(self.before))
        workload = expected[f"{self.shop.WORKLOAD}/{self.shop.name}"]
        workload["spec"]["template"]["spec"]["containers"][0]["image"] = image
        now = self.objects()
        must(now == expected, "not home: " + "; ".join(
            f"{k}: {json.dumps(expected.get(k))} -> {json.dumps(now.get(k))}"
            for k in sorted({*now, *expected}) if now.get(k) != expected.get(k)))
        self.check_nothing_left()
        lost = self.shop.lost()
        must(lost == {} or lost_allowed, f"lost requests: {lost}")

    def check_turned(self, sizes):
        """Two colours, of these sizes: what follows the traffic has followed it, once each."""
        shop, seen = self.shop, self.watching
        seen.catch_up()
        weights = seen.weights()
        must(weights == [0, 100, 0, 100][:len(weights)] and len(weights) % 2 == 0,
             f"the Service selected {weights}")
        found = {"blue": shop.size(shop.name), "green": shop.size(shop.green)}
        must(found == sizes, f"sizes {found}, not {sizes}")
        hpa = self.kube.get("HorizontalPodAutoscaler", shop.namespace, shop.name)["spec"]
        must((hpa["scaleTargetRef"]["name"], hpa["minReplicas"]) == (shop.green, 2), f"{hpa}")
        must(list(shop.budgets()) == ["guard"], f"budgets {shop.budgets()}")
        preview = self.kube.get("Service", shop.namespace, shop.preview)["spec"]["selector"]
        must(preview["colour"] == "blue", f"the preview shows {preview}")
        must(seen.made("Deployment", shop.green) == 1, "green was made again")
        must(shop.image_in(shop.green) == shop.image_of("2.0") and
             shop.image_in(shop.name) == shop.image, "another image")
        must(shop.lost() == {}, f"lost requests: {shop.lost()}")

    def check_batches(self, batches):
        """It was held at each of them once, and rolled by itself before and after."""
        self.watching.catch_up()
        found = self.watching.batches()
        must(found == batches, f"batches {found}, not {batches}")

    def check_pods(self, lives):
        """What each ordinal, or each node, ran one after the other: no pod was taken for nothing."""
        found = self.watching.lives()
        must(found == lives, f"the pods ran {found}, not {lives}")

    def check_backups(self, cronjob, rids):
        """Each of these rollouts made one Job, once."""
        found = self.watching.jobs()
        must(found == sorted(f"{cronjob}-{rid[-10:]}" for rid in rids),
             f"Jobs {found}, rollouts {rids}")

    def check_nothing_left(self):
        """At once, but for pods that a controller made as their Deployment went: the garbage
        collector comes to those when it does."""
        left, end = self.shop.leftovers(), time.monotonic() + 20 * SLOW
        while left and all(what.startswith("Pod ") for what in left) and time.monotonic() < end:
            time.sleep(0.2)
            left = self.shop.leftovers()
        must(left == [], f"left over: {left}")

    def check_effects(self, weights, images, canaries=1):
        """Each change of the cluster happened once."""
        name, seen = self.shop.name, self.watching
        seen.catch_up()
        must(seen.weights() == weights, f"weights {seen.weights()}, not {weights}")
        must(seen.images() == images, f"images {seen.images()}, not {images}")
        must(seen.floors() in ([2], [2, 4, 2]), f"floors of the HPA: {seen.floors()}")
        made = seen.made("Deployment", f"{name}-canary")
        must(made == canaries, f"{made} canaries were made, not {canaries}")
        services = seen.made("Service", f"{name}-canary")
        must(services == (0 if self.mode == "subset" else canaries), f"{services} services")

    def check_database(self):
        """After a clean stop, with nothing but SQLite."""
        with contextlib.closing(sqlite3.connect(self.daemon.database)) as db:
            must(db.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "damaged")
            must(db.execute("PRAGMA foreign_key_check").fetchall() == [], "foreign keys")
            for rid, phase, final in db.execute(
                    "SELECT rollout, phase, final FROM rollouts").fetchall():
                rows = db.execute("SELECT seq, at_ms, kind, data FROM events WHERE rollout = ?"
                                  " ORDER BY seq", (rid,)).fetchall()
                times = [at for _, at, _, _ in rows]
                must(times == sorted(times), f"the times of {rid} go backwards")
                phases = [json.loads(d)["to"] for _, _, kind, d in rows if kind == "phase"]
                must(phases[-1] == phase and final == (phase in ("succeeded", "aborted")),
                     f"the row of {rid} says {phase}, its events {phases}")
                must(sum(kind == "created" for _, _, kind, _ in rows) == 1, f"{rid}: created")
                self.check_attempts(rid, rows)
            self.check_audit(db)

    @staticmethod
    def check_audit(db):
        """The chain holds, and each outcome, command and start has its row, once."""
        identity, rows = rows_of(db)
        must([row["seq"] for row in rows] == list(range(1, len(rows) + 1)), "a gap in the audit")
        must([row["hash"] for row in rows] == list(chained(identity, rows)), "a broken audit")
        events = collections.Counter(db.execute("SELECT rollout, kind FROM events").fetchall())
        found = collections.Counter()
        for row in rows:
            if row["what"].startswith(("act ", "seen ")):
                found[row["rollout"], "acted"] += 1
            elif row["rollout"] and row["outcome"] in ("done", "created"):
                found[row["rollout"], "command" if row["outcome"] == "done" else "created"] += 1
        expected = {key: count for key, count in events.items()
                    if key[1] in ("acted", "command", "created")}
        must(found == expected, f"the audit has {found}, the events {expected}")

    @staticmethod
    def check_attempts(rid, rows):
        """Every intent has a number of its own, and one outcome after it; before that it may have
        been unknown, when airisd died in between."""
        open_numbers, numbers = set(), []
        for _, _, kind, data in rows:
            number = json.loads(data).get("attempt")
            if kind == "act":
                numbers.append(number)
                open_numbers.add(number)
            elif kind == "acted":
                must(number in open_numbers, f"{rid}: outcome of {number} without its intent")
                if json.loads(data)["outcome"] != "unknown":
                    open_numbers.remove(number)
        must(numbers == list(range(1, len(numbers) + 1)), f"{rid}: attempts {numbers}")

    def finish(self, rids):
        """Everything that was promised still holds, then the last stop."""
        self.check_promises()
        page = self.ask("GET", f"/v1/rollouts?app={self.shop.name}&limit=10")
        listed = [item["id"] for item in page.json["items"]]
        must(sorted(listed) == sorted(rids), f"rollouts {listed}, started {rids}")
        self.forget()
        self.check_promises()
        if not self.stop():
            self.check_promises()
            must(self.stop(), "no clean stop")
        self.check_database()

    def report(self):
        lines = [f"{self.daemon.folder}: {self.point}"]
        with contextlib.suppress(Exception):
            with contextlib.closing(sqlite3.connect(self.daemon.database)) as db:
                lines += [str(row) for row in db.execute("SELECT * FROM events ORDER BY seq")]
        lines.append(self.daemon.process.text()[-6000:])
        for request in self.lab.requests_seen():
            if self.shop.namespace in request["path"] and request["method"] != "GET":
                lines.append(json.dumps(request)[:600])
        lines.append(json.dumps(self.watching.weights()))
        return "\n".join(lines)
