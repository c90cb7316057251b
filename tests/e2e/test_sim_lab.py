"""airis-sim as a program: its options, its files, its end. And the lab that the other
test_sim_*.py files use: Sim starts one simulator and talks to it."""

import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.parse

import pytest

BUILD = os.environ.get("AIRIS_BUILD", os.path.join(os.path.dirname(__file__), "..", "..", "build"))
PROGRAM = os.path.join(BUILD, "airis-sim")
MERGE = "application/merge-patch+json"
JSONPATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
API = {
    "pods": "/api/v1", "services": "/api/v1", "configmaps": "/api/v1", "events": "/api/v1",
    "resourcequotas": "/api/v1", "deployments": "/apis/apps/v1", "replicasets": "/apis/apps/v1",
    "horizontalpodautoscalers": "/apis/autoscaling/v2",
    "scaledobjects": "/apis/keda.sh/v1alpha1",
    "endpointslices": "/apis/discovery.k8s.io/v1", "leases": "/apis/coordination.k8s.io/v1",
    "virtualservices": "/apis/networking.istio.io/v1",
    "destinationrules": "/apis/networking.istio.io/v1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1",
}


class Stream:
    """A watch: events one by one."""

    def __init__(self, sim, path, timeout):
        self.connection = sim.connect(timeout)
        self.connection.request("GET", path, headers=sim.headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200, self.response.read()

    def __iter__(self):
        return self

    def __next__(self):
        line = self.response.readline()
        if not line:
            raise StopIteration
        return json.loads(line)

    def close(self):
        self.response.close()
        self.connection.close()


class Sim:
    def __init__(self, *options):
        self.folder = tempfile.TemporaryDirectory(prefix="airis-sim-")
        self.dir = self.folder.name
        self.headers = {"User-Agent": "tester/1.0"}
        self.process = subprocess.Popen([PROGRAM, "-dir", self.dir, *options],
                                        stdout=subprocess.PIPE, text=True)
        self.env = {}
        for line in self.process.stdout:  # the last line comes when it is ready
            key, _, value = line.strip().partition("=")
            self.env[key] = value
            if key == "APISERVER":
                break
        assert "APISERVER" in self.env, "airis-sim did not start"
        self.url = urllib.parse.urlparse(self.env["APISERVER"])
        with open(self.env["KUBECONFIG"], encoding="utf-8") as config:
            token = re.search(r"token: (\w+)", config.read())[1]
        self.headers["Authorization"] = f"Bearer {token}"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(10)
        self.process.stdout.close()
        self.folder.cleanup()
        return code

    def connect(self, timeout=10):
        if self.url.scheme == "https":
            return http.client.HTTPSConnection(self.url.netloc, timeout=timeout,
                                               context=ssl._create_unverified_context())
        return http.client.HTTPConnection(self.url.netloc, timeout=timeout)

    def call(self, method, path, body=None, ctype="application/json", agent=None, auth=None):
        headers = dict(self.headers)
        if auth is not None:
            headers["Authorization"] = auth
        if agent:
            headers["User-Agent"] = agent
        if body is not None:
            headers["Content-Type"] = ctype
            body = body if isinstance(body, (str, bytes)) else json.dumps(body)
        connection = self.connect()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read()
            self.last_headers = response.headers
            return response.status, json.loads(text) if text[:1] in b"{[" else text.decode()
        finally:
            connection.close()

    def path(self, plural, name=None, ns="default", sub=None):
        path = f"{API[plural]}/namespaces/{ns}/{plural}"
        return path + (f"/{name}" if name else "") + (f"/{sub}" if sub else "")

    def namespace(self, name):
        status, got = self.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        assert status == 201, got

    def create(self, plural, obj, ns="default"):
        status, got = self.call("POST", self.path(plural, ns=ns), obj)
        assert status == 201, got
        return got

    def get(self, plural, name, ns="default"):
        status, got = self.call("GET", self.path(plural, name, ns))
        assert status == 200, got
        return got

    def items(self, plural, ns="default", query=""):
        status, got = self.call("GET", self.path(plural, ns=ns) + query)
        assert status == 200, got
        return got["items"]

    def merge(self, plural, name, patch, ns="default", want=200):
        status, got = self.call("PATCH", self.path(plural, name, ns), patch, MERGE)
        assert status == want, got
        return got

    def delete(self, plural, name, ns="default", body=None):
        return self.call("DELETE", self.path(plural, name, ns), body)

    def watch(self, plural, query="", ns="default", timeout=15):
        return Stream(self, f"{self.path(plural, ns=ns)}?watch=1{query}", timeout)

    def wait(self, plural, name, good, ns="default", timeout=15):
        """Waits on a watch until an object is as it should be; good(None) once it is gone."""
        end = time.monotonic() + timeout
        only = f"fieldSelector=metadata.name={name}"
        listed = self.call("GET", f"{self.path(plural, ns=ns)}?{only}")[1]
        now = listed["items"][0] if listed["items"] else None
        if good(now):
            return now
        start = listed["metadata"]["resourceVersion"]
        stream = self.watch(plural, f"&{only}&resourceVersion={start}", ns, timeout)
        try:
            for event in stream:
                now = None if event["type"] == "DELETED" else event["object"]
                if good(now):
                    return now
                assert time.monotonic() < end, f"{plural}/{name} did not get there: {now}"
        finally:
            stream.close()
        raise AssertionError(f"the watch ended before {plural}/{name} got there: {now}")

    def metrics(self):
        connection = http.client.HTTPConnection(self.env["METRICS"], timeout=5)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        found = {}
        for line in text.splitlines():
            m = re.match(r"(\w+)\{(.*)\} (\S+)$", line)
            if m:
                found.setdefault(m[1], []).append(
                    (dict(re.findall(r'(\w+)="([^"]*)"', m[2])), float(m[3])))
        return found

    def sum(self, name, **labels):
        return sum(v for ls, v in self.metrics().get(name, [])
                   if all(ls.get(k) == w for k, w in labels.items()))

    def until(self, good, timeout=15):
        """For what only /metrics shows."""
        end = time.monotonic() + timeout
        while not good():
            assert time.monotonic() < end, "it did not happen in time"
            time.sleep(0.05)

    def fault(self, rule):
        status, got = self.call("POST", "/sim/faults", rule)
        assert status == 200, got
        return got

    def clear(self):
        assert self.call("DELETE", "/sim/faults")[0] == 200


def deployment(name, image="app:v1", replicas=2, labels=None, annotations=None, **spec):
    labels = labels or {"app": name}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                     "template": {"metadata": {"labels": labels, "annotations": annotations or {}},
                                  "spec": {"containers": [{"name": "c", "image": image}]}}, **spec}}


def service(name, selector=None, annotations=None):
    return {"apiVersion": "v1", "kind": "Service",
            "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"selector": selector or {"app": name},
                     "ports": [{"port": 80, "targetPort": 8080}]}}


def to(host, weight=100, subset=None):
    destination = {"host": host, **({"subset": subset} if subset else {})}
    return {"destination": destination, "weight": weight}


def routes(name, *destinations, annotations=None):
    return {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService",
            "metadata": {"name": name, "annotations": annotations or {}},
            "spec": {"hosts": [name], "http": [{"route": list(destinations)}]}}


def available(n):
    return lambda d: d is not None and d["status"].get("availableReplicas", 0) == n and \
        d["status"].get("observedGeneration") == d["metadata"]["generation"]


def rolled(n):
    return lambda d: available(n)(d) and d["status"].get("updatedReplicas") == n and \
        d["status"].get("replicas") == n


@pytest.fixture
def sim():
    lab = Sim("-ready-after", "100ms", "-mesh-delay", "200ms")
    yield lab
    assert lab.stop() == 0


def test_files_and_end():
    lab = Sim()
    names = os.listdir(lab.dir)
    assert {"kubeconfig", "ready", "apiserver.pid"} <= set(names)
    ready = open(os.path.join(lab.dir, "ready")).read()
    assert ready == "".join(f"{k}={v}\n" for k, v in lab.env.items())
    assert int(open(os.path.join(lab.dir, "apiserver.pid")).read()) == lab.process.pid
    assert lab.env["APISERVER"] in open(os.path.join(lab.dir, "kubeconfig")).read()
    assert lab.call("GET", "/readyz") == (200, "ok")
    lab.process.send_signal(signal.SIGTERM)
    assert lab.process.wait(10) == 0
    assert not os.path.exists(os.path.join(lab.dir, "ready"))
    lab.process.stdout.close()
    lab.folder.cleanup()


def test_two_at_once(sim):
    other = Sim()
    try:
        assert other.env["APISERVER"] != sim.env["APISERVER"]
        sim.create("configmaps", {"metadata": {"name": "a"}})
        assert other.call("GET", other.path("configmaps", "a"))[0] == 404
    finally:
        assert other.stop() == 0


@pytest.mark.parametrize("options, said", [
    ([], "-dir is required"), (["-dir", "D", "-rps", "many"], "-rps"),
    (["-dir", "D", "-ready-after", "5 parsecs"], "a duration"), (["-dir", "D", "-hat", "1"], "-hat"),
])
def test_bad_options(options, said, tmp_path):
    options = [str(tmp_path) if o == "D" else o for o in options]
    done = subprocess.run([PROGRAM, *options], capture_output=True, text=True, timeout=10)
    assert done.returncode == 2 and said in done.stderr


def test_help():
    done = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, timeout=10)
    assert done.returncode == 0 and "-mesh-delay" in done.stdout and "drop_after" in done.stdout


def test_tls_and_token():
    lab = Sim("-tls", "-token", "secret")
    try:
        assert lab.call("GET", "/api/v1/namespaces")[0] == 200
        for wrong in ("Bearer secre", "Basic secret", ""):
            status, body = lab.call("GET", "/api/v1/namespaces", auth=wrong)
            assert (status, body["reason"], body["message"]) == (
                401, "Unauthorized", "Unauthorized")
        context = ssl.create_default_context(cafile=os.path.join(lab.dir, "apiserver.crt"))
        connection = http.client.HTTPSConnection(lab.url.netloc, context=context, timeout=5)
        connection.request("GET", "/version", headers=lab.headers)
        assert connection.getresponse().status == 200
        connection.close()
    finally:
        assert lab.stop() == 0
