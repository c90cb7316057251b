"""A cluster to release to: airis-sim, or kubelab's real control plane (AIRIS_LAB=kubelab). Both
have the same controllers' behaviour, image tags, late mesh and lost requests, so a scenario runs
unchanged on either."""
import json
import os
import re
import signal
import urllib.request

from .kube import Kube
from .process import BUILD, SLOW, Process, free_port, wait_for

KIND = os.environ.get("AIRIS_LAB", "sim")
LEASES = "airis"  # the namespace where airisd keeps its Lease, as config/rbac.yaml makes it


class Lab:
    def __init__(self, folder, mesh_delay="500ms", ready_after="300ms", rps=100, seed=1,
                 options=()):
        # How long a write takes to reach the mesh, and a margin for a busy machine.
        self.settle = f"{int(mesh_delay.removesuffix('ms')) + int(400 * SLOW)}ms"
        self.folder = os.path.join(folder, "lab")
        os.makedirs(self.folder, exist_ok=True)
        if KIND == "sim":
            program = [os.path.join(BUILD, "airis-sim")]
        else:
            program = [os.environ["AIRIS_KUBELAB"], "up"]
        self.process = Process(
            program + ["-dir", self.folder, "-mesh-delay", mesh_delay, "-ready-after", ready_after,
                       "-rps", str(rps), "-seed", str(seed), *options],
            os.path.join(folder, "lab.log"))

    def start(self):
        self.process.start()
        ready = os.path.join(self.folder, "ready")
        wait_for("the lab", lambda: os.path.exists(ready), 120)
        with open(ready, encoding="utf-8") as f:
            values = dict(line.strip().split("=", 1) for line in f if "=" in line)
        self.kubeconfig, self.metrics = values["KUBECONFIG"], values["METRICS"]
        self.server = values["APISERVER"]
        self.kube = Kube(self.kubeconfig)
        self.kube.ensure_namespace(LEASES)
        return self

    def stop(self):
        self.process.stop(20)

    def route_parent(self, service):
        """What an HTTPRoute hangs on: modelled controllers take any."""
        return {"name": "edge"}

    def part_pid(self, name):
        with open(os.path.join(self.folder, name + ".pid"), encoding="utf-8") as f:
            return int(f.read())

    def signal_part(self, name, number):
        """name: apiserver, or with kubelab etcd, controller-manager, world too."""
        os.kill(self.part_pid(name), number)

    def freeze_api(self):
        self.signal_part("apiserver", signal.SIGSTOP)

    def thaw_api(self):
        self.signal_part("apiserver", signal.SIGCONT)

    def ask_sim(self, method, path, body=None):
        """The simulator's own interface; kubelab has none."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.server + path, data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or "{}")

    def fault(self, effect, count=None, percent=None, **match):
        """What goes wrong from now on; tests/sim/main.c tells what there is."""
        rule = {"match": match, "effect": effect}
        rule.update({} if count is None else {"count": count})
        rule.update({} if percent is None else {"percent": percent})
        return self.ask_sim("POST", "/sim/faults", rule)["faults"][-1]

    def faults(self):
        return self.ask_sim("GET", "/sim/faults")["faults"]

    def no_faults(self):
        self.ask_sim("DELETE", "/sim/faults")

    def requests_seen(self):
        """The last requests to the API, where they are known (airis-sim)."""
        if KIND != "sim":
            return []
        return self.ask_sim("GET", "/sim/requests")["last"]

    def kill_api(self):
        """No API server any more. The simulator is one process: there its API is cut off."""
        if KIND == "sim":
            self.fault({"drop": True})
            self.fault({"cut_watches": True})
            return
        with open(os.path.join(self.folder, "apiserver.hold"), "w", encoding="utf-8"):
            pass
        self.signal_part("apiserver", signal.SIGKILL)

    def revive_api(self):
        if KIND == "sim":
            self.no_faults()
        else:
            os.remove(os.path.join(self.folder, "apiserver.hold"))

    def read_metrics(self):
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def lost(self, route=None):
        """Lost requests by reason, of one route ("vs/web") or all."""
        found = {}
        for name, reason, value in re.findall(
                r'lab_lost_requests_total\{route="([^"]+)",reason="([^"]+)"\} (\S+)',
                self.read_metrics()):
            if route is None or name == route:
                found[reason] = found.get(reason, 0) + float(value)
        return found

    def requests(self, workload, code=None):
        """How many requests a workload has answered, by the reporter that counted most."""
        totals = {}
        for labels, value in re.findall(r"istio_requests_total\{([^}]*)\} (\S+)",
                                        self.read_metrics()):
            if f'destination_workload="{workload}"' in labels and (
                    code is None or f'response_code="{code}"' in labels):
                reporter = re.search('reporter="([^"]*)"', labels)
                totals[reporter and reporter[1]] = totals.get(reporter and reporter[1], 0.0) + \
                    float(value)
        return max(totals.values(), default=0.0)


class Prometheus:
    def __init__(self, folder, targets):
        self.folder = os.path.join(folder, "prometheus")
        os.makedirs(self.folder, exist_ok=True)
        self.port = free_port()
        config = os.path.join(self.folder, "prometheus.yml")
        with open(config, "w", encoding="utf-8") as f:
            f.write("global: {scrape_interval: 1s, scrape_timeout: 900ms}\n"
                    "scrape_configs: [{job_name: mesh, static_configs: [{targets: "
                    f"[{', '.join(repr(t) for t in targets)}]}}]}}]\n")
        self.process = Process(
            ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}"],
            os.path.join(folder, "prometheus.log"))

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        self.process.start()
        wait_for("Prometheus", lambda: urllib.request.urlopen(
            self.url + "/-/ready", timeout=2).status == 200, 30)
        return self

    def stop(self):
        self.process.stop(20)
