"""make demo: a simulated cluster with AIRIS-MON's analytics-engine, a real Prometheus and airisd, all
on free loopback ports and in one temporary folder; then two releases, a good one and a bad one.

It stays until Ctrl-C and then takes everything away again. Without a terminal, or with DEMO_ONCE=1,
it ends by itself; its exit status says whether both releases went as they should.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.abspath(os.path.join(ROOT, os.environ.get("O", "build")))
TERMINAL = sys.stdin.isatty() and sys.stdout.isatty()
COLOURS = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
NAME, NAMESPACE, PODS = "analytics-engine", "airis-mon", 4
IMAGE = "registry.local/analytics-engine"

# What takes minutes in earnest takes seconds here: the App of config/apps, hurried.
HURRY = [("hold: 5m", "hold: 3s"), ("drain: 1m", "drain: 2s\n    deadline: 20s"), ("every: 30s", "every: 1s"),
         ("window: 1m", "window: 4s"), ("warmup: 30s", "warmup: 1s"), ("min: 50", "min: 5")]


class Failed(Exception):
    """Something of the demo itself did not work."""


def say(text=""):
    for paragraph in text.split("\n"):
        print(textwrap.fill(paragraph, 96, break_on_hyphens=False), flush=True)


def title(text):
    print("\n" + (f"\033[1m{text}\033[0m" if COLOURS else f"== {text}") + "\n", flush=True)


def show(command):
    """A command as the user would type it."""
    print(f"\033[36m  $ {command}\033[0m" if COLOURS else f"  $ {command}", flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url, seconds=2):
    with urllib.request.urlopen(url, timeout=seconds) as answer:
        return answer.read().decode()


def wait_for(what, check, seconds, process=None):
    """Until check() gives something; what it cannot do yet is not an error."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process is not None and process.poll() is not None:
            raise Failed(f"{what} ended with {process.returncode}")
        try:
            found = check()
            if found:
                return found
        except (OSError, ValueError, KeyError):
            pass
        time.sleep(0.1)
    raise Failed(f"{what} took longer than {seconds} s")


class Demo:
    def __init__(self, folder):
        self.folder = folder
        self.started = []  # (name, process), in order
        self.env = dict(os.environ, AIRIS_SERVER=f"unix:{folder}/airisd.sock")
        for name in ("AIRIS_TOKEN", "AIRIS_TOKEN_FILE"):
            self.env.pop(name, None)

    # --- programs ------------------------------------------------------------------------------

    def start(self, name, *command):
        """Apart from the terminal's Ctrl-C, so that it can be taken down in order."""
        with open(self.path(name + ".log"), "wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True)
        self.started.append((name, process))
        return process

    def stop(self):
        for _, process in reversed(self.started):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.started = []

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o644):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT, mode), "w",
                  encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def logs(self):
        """The ends of all logs, for when something went wrong."""
        for name, _ in self.started:
            with open(self.path(name + ".log"), encoding="utf-8", errors="replace") as file:
                end = "".join(file.readlines()[-15:])
            if end:
                print(f"--- the end of {name}.log\n{end}", file=sys.stderr)

    # --- the cluster ---------------------------------------------------------------------------

    def start_cluster(self):
        folder = self.path("cluster")
        process = self.start("airis-sim", os.path.join(BUILD, "airis-sim"), "-dir", folder,
                             "-mesh-delay", "500ms", "-ready-after", "1s")
        ready = os.path.join(folder, "ready")
        wait_for("the simulated cluster", lambda: os.path.exists(ready), 20, process)
        with open(ready, encoding="utf-8") as file:
            values = dict(line.strip().split("=", 1) for line in file if "=" in line)
        self.kubeconfig, self.metrics = values["KUBECONFIG"], f"http://{values['METRICS']}/metrics"
        self.api, self.target = values["APISERVER"], values["METRICS"]
        with open(self.kubeconfig, encoding="utf-8") as file:
            token = re.search(r"token: *\"?([^\",}\s]+)", file.read())
        self.token = token[1] if token else ""

    def kube(self, path, body=None):
        request = urllib.request.Request(self.api + path, json.dumps(body).encode() if body else None,
                                         {"Authorization": f"Bearer {self.token}",
                                          "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def create(self, group, kind, spec):
        plural = kind.lower() + "s"
        self.kube(f"/{'api' if group == 'v1' else 'apis'}/{group}/namespaces/{NAMESPACE}/{plural}",
                  {"apiVersion": group, "kind": kind,
                   "metadata": {"name": NAME, "namespace": NAMESPACE}, "spec": spec})

    def create_namespaces(self):
        """The one of the service, and the one where airisd keeps its Lease."""
        for name in (NAMESPACE, "airis"):
            self.kube("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace",
                                             "metadata": {"name": name}})

    def create_service(self):
        """As AIRIS-MON has it: four pods that can take 30 requests a second each, of 100."""
        labels = {"app": NAME}
        self.create("apps/v1", "Deployment", {
            "replicas": PODS, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels, "annotations": {"lab/rps": "30"}},
                         "spec": {"containers": [{"name": "engine", "image": f"{IMAGE}:1.4.0"}]}}})
        self.create("v1", "Service", {"selector": labels,
                                      "ports": [{"name": "http", "port": 80, "targetPort": 8080}]})
        path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}"
        wait_for("the pods", lambda: self.kube(path)["status"].get("readyReplicas") == PODS, 30)
        self.create("networking.istio.io/v1", "VirtualService", {
            "hosts": [NAME], "http": [{"name": "primary",
                                       "route": [{"destination": {"host": NAME}}]}]})
        self.wait_calm()

    def count(self, metric):
        """The sum of a metric of the simulator over the service's route."""
        return sum(float(value) for value in re.findall(
            rf'^{metric}{{route="vs/{NAME}"[^}}]*}} (\S+)$', get(self.metrics), re.M))

    def wait_calm(self):
        """Until requests flow and none is lost; what comes from now on counts."""
        seen = {"sent": 0.0, "lost": -1.0}

        def calm():
            sent, lost = self.count("lab_requests_total"), self.count("lab_lost_requests_total")
            if lost != seen["lost"]:
                seen.update(sent=sent, lost=lost)
            return lost == seen["lost"] and sent > seen["sent"] + 50
        wait_for("traffic", calm, 30)
        self.sent, self.lost = seen["sent"], seen["lost"]

    # --- Prometheus and airisd -----------------------------------------------------------------

    def start_prometheus(self):
        program = shutil.which("prometheus", path=os.environ.get("PATH", "") + ":/usr/bin")
        if program is None:
            raise Failed("there is no prometheus: run tools/deps.sh as root, it installs it")
        port = free_port()
        config = self.write("prometheus.yml", textwrap.dedent(f"""\
            global: {{scrape_interval: 1s, scrape_timeout: 900ms}}
            scrape_configs:
              - job_name: mesh
                static_configs: [{{targets: ["{self.target}"]}}]
            """))
        process = self.start("prometheus", program, f"--config.file={config}",
                             f"--storage.tsdb.path={self.path('prometheus')}",
                             f"--web.listen-address=127.0.0.1:{port}")
        self.prometheus = f"http://127.0.0.1:{port}"
        wait_for("Prometheus", lambda: get(self.prometheus + "/-/ready"), 30, process)

    def start_airisd(self):
        self.tcp = f"127.0.0.1:{free_port()}"
        token = self.write("token", os.urandom(24).hex() + "\n", 0o600)
        config = self.write("airisd.yaml", textwrap.dedent(f"""\
            listen:
              socket: {self.path('airisd.sock')}
              tcp: {self.tcp}
              tokenFile: {token}
            store:
              path: {self.path('airis.db')}
            mesh:
              settle: 1s
            clusters:
              - name: default
                kubeconfig: {self.kubeconfig}
            prometheus:
              - url: {self.prometheus}
            """))
        process = self.start("airisd", os.path.join(BUILD, "airisd"), "--config", config)
        wait_for("airisd", lambda: get(f"http://{self.tcp}/healthz"), 20, process)

    def app(self):
        """The App of config/apps with short times."""
        with open(os.path.join(ROOT, "config", "apps", NAME + ".yaml"), encoding="utf-8") as file:
            text = file.read()
        for long, short in HURRY:
            if long not in text:
                raise Failed(f"config/apps/{NAME}.yaml has no \"{long}\" any more: change HURRY")
            text = text.replace(long, short)
        return self.write(NAME + ".yaml", text)

    def ctl(self, *words):
        """airisctl, with the terminal if there is one; its exit status."""
        sys.stdout.flush()
        return subprocess.run([os.path.join(BUILD, "airisctl"), *words], env=self.env,
                              check=False).returncode

    # --- what is shown -------------------------------------------------------------------------

    def release(self, tag, why, expected):
        image = f"{IMAGE}:{tag}"
        show(f"airisctl rollout start {NAME} --image {image} --why '{why}' --wait")
        print(flush=True)
        status = self.ctl("rollout", "start", NAME, "--image", image, "--why", why, "--wait",
                          "--timeout", "3m")
        if status == 130:
            raise KeyboardInterrupt
        print(flush=True)
        if status != expected:
            raise Failed(f"airisctl ended with {status}; {expected} was expected")

    def lost_requests(self):
        sent = self.count("lab_requests_total") - self.sent
        lost = self.count("lab_lost_requests_total") - self.lost
        say(f"Requests since the beginning: {sent:.0f}. Lost by moving traffic: {lost:.0f}.")
        if lost:
            raise Failed(f"{lost:.0f} requests were lost")

    def image(self):
        spec = self.kube(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}")["spec"]
        return spec["template"]["spec"]["containers"][0]["image"]

    def run(self):
        title("airis demo: two releases of one service")
        say("Starting a simulated cluster with a service mesh and its clients, a real Prometheus "
            "that measures them, and airisd. All of it is on loopback and in\n"
            f"{self.folder}, and goes away with Ctrl-C.")
        self.start_cluster()
        self.start_prometheus()
        self.start_airisd()
        self.create_namespaces()
        self.create_service()
        say(f"\nThe service {NAME} of AIRIS-MON runs: {PODS} pods of {IMAGE}:1.4.0, 100 requests "
            "a second. airisd is told how it is to be released, by the file in config/apps with "
            "seconds in place of minutes:\n")
        app = self.app()
        show(f"airisctl app apply -f {app}")
        if self.ctl("app", "apply", "-f", app) != 0:
            raise Failed("the App was not taken")

        title("1. A good release")
        say("1.5.0 gets 10 % of the requests, then 25, 50 and 100. Each step waits until enough "
            "pods are ready, the mesh has taken the weight, and Prometheus says that the new pods "
            "answer well. In the end the Deployment has the new image and the canary is gone.\n")
        self.release("1.5.0", "faster queries", 0)
        say(f"The Deployment's image is now {self.image()}.")
        self.lost_requests()

        title("2. A bad release")
        say("In 1.6.0-err30 three answers of ten are errors. Nobody looks on; the gate does.\n")
        self.release("1.6.0-err30", "a new parser", 3)
        say(f"Aborted at the first step, and all is as it was: the image is still {self.image()}.")
        self.lost_requests()

    def look_further(self):
        title("Look further")
        ctl = os.path.relpath(os.path.join(BUILD, "airisctl"))
        ctl = ctl if "/" in ctl else "./" + ctl
        print(textwrap.dedent(f"""\
            In another terminal, in the folder {os.getcwd()}:

              export AIRIS_SERVER=unix:{self.path('airisd.sock')}
              {ctl} rollout status {NAME}     # all about the last rollout, on one page
              {ctl} rollout explain {NAME}    # why it is where it is
              {ctl} rollout history {NAME}    # all that has happened
              {ctl} rollout plan {NAME} --image {IMAGE}:1.7.0
              {ctl} rollout start {NAME} --image {IMAGE}:1.7.0 --wait
              {ctl} rollout abort {NAME} --wait   # in the middle of it: home at once
              {ctl} rollout start {NAME} --image {IMAGE}:1.8.0-nopull --wait

            The cluster, as kubectl sees it (any kubectl), and the REST interface:

              kubectl --kubeconfig {self.kubeconfig} -n {NAMESPACE} get deployments,pods
              kubectl --kubeconfig {self.kubeconfig} -n {NAMESPACE} get virtualservices -o yaml
              curl --unix-socket {self.path('airisd.sock')} http://airisd/v1/rollouts
              curl http://{self.tcp}/metrics

            Prometheus: {self.prometheus}   Logs: {self.folder}/*.log"""), flush=True)

    def stay(self):
        title("Ctrl-C ends the demo and takes everything away.")
        while True:
            for name, process in self.started:
                if process.poll() is not None:
                    raise Failed(f"{name} ended with {process.returncode}")
            time.sleep(1)


def on_signal(number, _frame):
    raise SystemExit(128 + number)


def main():
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, on_signal)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    folder = tempfile.mkdtemp(prefix="airis-demo-")
    demo, status, done = Demo(folder), 1, False
    try:
        demo.run()
        done, status = True, 0
        if TERMINAL and os.environ.get("DEMO_ONCE") != "1":
            demo.look_further()
            demo.stay()
    except KeyboardInterrupt:
        status = 0 if done else 130
        print(flush=True)
    except (Failed, OSError, urllib.error.URLError) as e:
        print(f"demo: {e}", file=sys.stderr)
        demo.logs()
        status = 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        demo.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if status in (0, 130):
        say("\nEverything the demo had started is gone.")
    return status


sys.exit(main())
