"""A real mesh to release to: istiod, Envoy and real requests, all of which are logged."""
import http.client
import os
import re
import signal
import time

from harness.kube import Kube
from harness.lab import LEASES, Lab
from harness.process import Process, wait_for

CACHE = os.environ.get("AIRIS_MESH_CACHE", os.path.expanduser("~/.cache/airis"))
MESHLAB = os.path.join(CACHE, "meshlab", "meshlab")
ENVOY = os.path.join(CACHE, "meshlab", "envoy")
KUBELAB = os.path.join(CACHE, "kubelab", "kubelab")


class Request:
    def __init__(self, line):
        field = line.split("\t")
        self.start, self.end = int(field[0]) / 1e9, int(field[1]) / 1e9
        self.proxy, self.route, self.code = int(field[2]), field[3], int(field[4])
        self.pod, self.workload, self.why = field[5], field[6], field[7]

    @property
    def lost(self):
        return not self.pod


class MeshLab(Lab):
    """One at a time: it has a network namespace and the validating webhook of its own cluster."""

    def __init__(self, folder, rps=100, proxies=2):
        self.folder = os.path.join(folder, "mesh")
        os.makedirs(self.folder, exist_ok=True)
        self.process = Process(
            [MESHLAB, "up", "-kubelab", KUBELAB, "-dir", self.folder, "-rps", str(rps),
             "-proxies", str(proxies)], os.path.join(folder, "meshlab.log"))

    def start(self):
        self.process.start()
        ready = os.path.join(self.folder, "mesh-ready")
        wait_for("the mesh", lambda: os.path.exists(ready), 180)
        with open(ready, encoding="utf-8") as f:
            values = dict(line.strip().split("=", 1) for line in f if "=" in line)
        self.kubeconfig, self.metrics = values["KUBECONFIG"], values["METRICS"]
        self.istiod_http, self.monitoring = values["ISTIOD_HTTP"], values["ISTIOD_MONITORING"]
        self.kube = Kube(self.kubeconfig)
        self.kube.ensure_namespace(LEASES)
        return self

    def stop(self):
        for name in ("istiod", "envoy-0", "envoy-1"):
            try:
                self.signal_part(name, signal.SIGCONT)
            except (OSError, ValueError):
                pass
        self.process.stop(40)

    def route_parent(self, service):
        """The Service itself: there is a mesh and no Gateway."""
        return {"group": "", "kind": "Service", "name": service}

    def istiod(self, service_account="default"):
        """The settings that let airisd ask: from elsewhere, with a token."""
        return {"urls": ["http://" + self.monitoring], "serviceAccount": service_account}

    # --- what the clients saw

    def get(self, path, timeout=30):
        conn = http.client.HTTPConnection(self.metrics, timeout=timeout)
        try:
            conn.request("GET", path)
            return conn.getresponse().read().decode()
        finally:
            conn.close()

    def lost(self, route=None):
        """Lost requests, of one route ("vs/web") or all; {} is none."""
        lost = sum(float(n) for name, n in re.findall(
            r'lab_lost_requests_total\{route="([^"]+)"\} (\S+)', self.get("/metrics"))
            if route in (None, name))
        return {"lost": lost} if lost else {}

    def log(self, route, since, until=None):
        """Every request of a route that was sent in this time, when all of them are answered."""
        until = until or time.time()
        wait_for("answers", lambda: int(self.get("/oldest")) >= int(until * 1e9), 20)
        lines = self.get(f"/log?since={int(since * 1e9)}").splitlines()
        found = [Request(line) for line in lines if line.split("\t", 4)[3] == route]
        return sorted((r for r in found if r.start < until), key=lambda r: r.start)

    # --- faults

    def hold(self, name, held=True):
        """A killed part stays down while it is held."""
        path = os.path.join(self.folder, name + ".hold")
        if held:
            with open(path, "w", encoding="utf-8"):
                pass
        elif os.path.exists(path):
            os.unlink(path)

    def kill_istiod(self):
        self.hold("istiod")
        self.signal_part("istiod", signal.SIGKILL)

    def revive_istiod(self):
        self.hold("istiod", False)

    def istiod_page(self, path):
        """As from istiod's own loopback: no token is needed."""
        conn = http.client.HTTPConnection(self.istiod_http, timeout=5)
        try:
            conn.request("GET", path)
            return conn.getresponse().read().decode()
        except http.client.HTTPException as e:
            raise OSError(str(e)) from e
        finally:
            conn.close()

    def calm(self):
        """Until istiod is there, with its proxies, and validates writes again."""
        self.revive_istiod()
        try:
            self.signal_part("istiod", signal.SIGCONT)
        except ProcessLookupError:  # it was killed
            pass
        wait_for("istiod", lambda: self.istiod_page("/debug/syncz").count('"proxy":"client-') == 2,
                 60)
