"""What the real proxies did, compared with what airisd said."""
import calendar
import http.client
import json
import random
import re
import signal
import ssl
import subprocess
import threading
import time
import urllib.parse

from harness.kube import Kube
from harness.process import wait_for


def seconds(text):
    """RFC 3339 in UTC, with ms -> seconds since 1970."""
    whole, fraction = re.fullmatch(r"(.*?)(\.\d+)?Z", text).groups()
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + float(fraction or 0)


class Step:
    """One weight of a rollout: when it was sent, answered and known to be taken."""

    def __init__(self, weight, sent):
        self.weight, self.sent = weight, sent
        self.answered = self.taken = self.known = self.missing = None


def steps(events):
    found = []
    for event in events:
        data, at = event["data"], seconds(event["at"])
        if event["kind"] == "act" and data["act"] == "weight":
            found.append(Step(data["number"], at))
        elif not found:
            continue
        elif event["kind"] == "acted" and found[-1].answered is None:
            if data["outcome"] in ("done", "already"):
                found[-1].answered = at
            else:
                found.pop()
        elif event["kind"] == "taken" and data["subject"] == "weight" and found[-1].answered:
            found[-1].taken = data["since_ms"] / 1000
            found[-1].known, found[-1].missing = data["known"], data.get("missing", "")
    return found


def check_taken(shop, rid, events, log):
    """No step was taken before the real proxies took it: from then on every proxy splits by it."""
    found = steps(events)
    for step, after in zip(found, found[1:] + [None]):
        assert step.taken, f"{rid}: weight {step.weight} was never taken"
        end = after.sent if after else step.taken + 2
        for proxy in sorted({r.proxy for r in log}):
            then = [r for r in log if r.proxy == proxy and step.taken <= r.start < end]
            canary = sum(1 for r in then if r.workload != shop.name)
            share = canary / len(then) if then else step.weight / 100
            where = f"proxy {proxy}, weight {step.weight} taken at {step.taken}: {canary} of " \
                    f"{len(then)} went to the canary"
            if step.weight in (0, 100):
                assert share == step.weight / 100, where
            elif len(then) >= 30:
                spread = 5 * (step.weight / 100 * (1 - step.weight / 100) / len(then)) ** 0.5
                assert abs(share - step.weight / 100) <= spread + 0.02, where
    return found


def first_on(log, workload, since):
    return next((r.start for r in log if r.workload == workload and r.start >= since), None)


def last_on(log, workload):
    return max((r.start for r in log if r.workload == workload), default=None)


def saying(airisd, rid, *parts, timeout=30):
    """Until blocked_on says all of these."""
    def look():
        blocked = airisd.rollout(rid)["blocked_on"]
        text = f"{blocked['object']}: {blocked['what']}" if blocked else ""
        assert all(part in text for part in parts), text
        return blocked
    return wait_for(f"blocked_on with {parts}", look, timeout, every=0.1)


class Churn:
    """Another Service changes all the time, so that istiod's debounce waits long."""

    def __init__(self, shop, every=0.05):
        self.shop, self.every, self.stopping = shop, every, threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.changes = 0

    def __enter__(self):
        self.shop.kube.create({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": "bystander", "namespace": self.shop.namespace},
            "spec": {"selector": {"app": "bystander"}, "ports": [{"name": "http", "port": 1000}]}})
        self.began = time.monotonic()
        self.thread.start()
        return self

    def change(self, conn, headers):
        body = {"spec": {"ports": [{"name": "http", "port": 1000 + self.changes % 60000}]}}
        conn.request("PATCH", Kube.path("Service", self.shop.namespace, "bystander"),
                     json.dumps(body), headers)
        answer = conn.getresponse()
        answer.read()
        assert answer.status == 200, answer.status
        self.changes += 1

    def run(self):
        """On one connection: making a new one takes longer than istiod's debounce."""
        kube, due = self.shop.kube, time.monotonic()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        conn = http.client.HTTPSConnection(urllib.parse.urlsplit(kube.server).netloc,
                                           timeout=20, context=context)
        headers = {"Content-Type": "application/merge-patch+json",
                   "Authorization": f"Bearer {kube.token}"}
        while not self.stopping.wait(max(0, due - time.monotonic())):
            due = max(due + self.every, time.monotonic())
            self.change(conn, headers)
        conn.close()

    @property
    def mean(self):
        """Seconds from one change to the next."""
        return (time.monotonic() - self.began) / max(1, self.changes)

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


class Killer:
    """kill -9 of airisd again and again, at random moments; each time it is started at once. (Lives
    of exactly 300 ms would be too short for three tenths of a second in which a mesh is still.)"""

    def __init__(self, airisd, every=0.3, seed=1):
        self.airisd, self.every, self.kills = airisd, every, 0
        self.random = random.Random(seed)

    def until(self, check, timeout):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            time.sleep(self.random.expovariate(1 / self.every))
            self.airisd.kill()
            self.kills += 1
            self.airisd.restart()
            if check():
                return
        raise AssertionError(f"not reached within {timeout} s and {self.kills} kills")


SCOPE = {"apiVersion": "networking.istio.io/v1", "kind": "Sidecar",
         "metadata": {"name": "default", "namespace": "scoped"},
         "spec": {"egress": [{"hosts": ["istio-system/*"]}]}}


class Bystander:
    """One more Envoy, without load, beside those of the lab."""

    def __init__(self, mesh, namespace, envoy):
        self.name = f"bystander.{namespace}"
        with open(f"{mesh.folder}/envoy-0.yaml", encoding="utf-8") as f:
            text = f.read()
        text = text.replace("client-1.lab~lab.svc", f"{self.name}~{namespace}.svc") \
            .replace("10.244.0.1~", "10.244.0.99~").replace("NAMESPACE: lab", f"NAMESPACE: {namespace}") \
            .replace("15100", "15190").replace("15200", "15290")
        self.config = f"{mesh.folder}/bystander-{namespace}.yaml"
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(text)
        self.mesh, self.envoy, self.popen = mesh, envoy, None

    def start(self):
        with open(self.config + ".log", "ab") as out:
            self.popen = subprocess.Popen(
                ["nsenter", "-t", str(self.mesh.part_pid("istiod")), "-n", self.envoy, "-c",
                 self.config, "--concurrency", "1", "--base-id", "190", "--disable-hot-restart",
                 "--log-level", "error"], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        wait_for("its routes", self.has_routes, 30)
        return self

    def has_routes(self):
        """One that has none yet waits for none."""
        proxies = json.loads(self.mesh.istiod_page("/debug/syncz"))
        return any(p["proxy"] == self.name and p.get("route_sent") and
                   p.get("route_sent") == p.get("route_acked") for p in proxies)

    def freeze(self):
        self.popen.send_signal(signal.SIGSTOP)

    def stop(self):
        self.popen.send_signal(signal.SIGCONT)
        self.popen.kill()
        self.popen.wait()
        wait_for("its end", lambda: self.name not in self.mesh.istiod_page("/debug/syncz"), 30)
