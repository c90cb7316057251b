"""airisd and airisctl, as users run them."""
import hashlib
import http.client
import json
import os
import socket
import subprocess

from .process import BUILD, Process, wait_for


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path, timeout=20):
        super().__init__("airisd", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, status, headers, text):
        self.status, self.headers, self.text = status, headers, text

    @property
    def json(self):
        return json.loads(self.text)


class Daemon:
    def __init__(self, folder, kubeconfig, prometheus=None, settle="800ms", more="",
                 istiod=None, observe=None, lease=None):
        self.folder = folder
        self.socket = os.path.join(folder, "airisd.sock")
        self.config = os.path.join(folder, "airisd.yaml")
        self.database = os.path.join(folder, "airis.db")
        cluster = {"name": "default", "kubeconfig": kubeconfig}
        if istiod:
            cluster["istiod"] = istiod
        if observe:
            cluster["observe"] = observe
        # Many tests share a cluster at once: each daemon has a lease of its own, if not told.
        own = "airisd-" + hashlib.sha256(folder.encode()).hexdigest()[:10]
        cluster["lease"] = {"name": own, **(lease or {})}
        sources = f'[{{name: default, url: "{prometheus}"}}]' if prometheus else "[]"
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"listen: {{socket: {self.socket}}}\n"
                    f"store: {{path: {self.database}}}\n"
                    "log: {level: info, format: text}\n"
                    f"mesh: {{settle: {settle}}}\n"
                    f"clusters: [{json.dumps(cluster)}]\n"
                    f"prometheus: {sources}\n{more}")
        self.process = Process([os.path.join(BUILD, "airisd"), "--config", self.config],
                               os.path.join(folder, "airisd.log"))

    def start(self):
        self.process.start()
        try:
            wait_for("airisd", self.answers, 30)
        except BaseException:
            self.process.kill()
            raise
        return self

    def answers(self):
        if not self.process.alive():
            raise RuntimeError("airisd ended: " + self.process.text()[-2000:])
        return self.call("GET", "/healthz").status == 200

    def kill(self):
        """kill -9"""
        self.process.kill()

    def restart(self):
        return self.start()

    def stop(self):
        return self.process.stop()

    def call(self, method, path, body=None, headers=None):
        conn = UnixConnection(self.socket)
        send = {"Content-Type": "application/json", **(headers or {})}
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        try:
            conn.request(method, path, body, send)
            answer = conn.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            conn.close()

    def ctl(self, *args, timeout=120, input=None, check=None):
        """Runs airisctl; check: the exit status it must have."""
        done = subprocess.run(
            [os.path.join(BUILD, "airisctl"), "--server", "unix:" + self.socket, *args],
            capture_output=True, text=True, timeout=timeout, input=input,
            env={**os.environ, "NO_COLOR": "1"}, check=False)
        if check is not None:
            assert done.returncode == check, \
                f"airisctl {args}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def apply(self, app):
        """PUT of an app given as a dict (JSON is YAML)."""
        answer = self.call("PUT", f"/v1/apps/{app['name']}", app)
        assert answer.status in (200, 201), answer.text
        return answer

    def start_rollout(self, app, image, **more):
        answer = self.call("POST", "/v1/rollouts", {"app": app, "image": image, **more})
        assert answer.status == 201, answer.text
        return answer.json["id"]

    def rollout(self, rid):
        return self.call("GET", f"/v1/rollouts/{rid}").json

    def command(self, rid, name, **body):
        return self.call("POST", f"/v1/rollouts/{rid}/{name}", body)

    def events(self, rid):
        items, after = [], 0
        while True:
            page = self.call("GET", f"/v1/rollouts/{rid}/events?after={after}&limit=500").json
            if not page["items"]:
                return items
            items += page["items"]
            after = items[-1]["seq"]

    def wait(self, rid, check, timeout=60.0, what="the rollout"):
        """Waits until check(rollout object) is true; a final phase that fails it ends the wait."""
        def look():
            r = self.rollout(rid)
            if check(r):
                return r
            if r["phase"] in ("succeeded", "aborted", "failed"):
                raise RuntimeError(f"{what}: {r['phase']}: {r['reason']} {r['blocked_on']}")
            raise AssertionError(f"{r['phase']} {r['stage']} {r['weight']} {r['blocked_on']}")
        return wait_for(what, look, timeout, every=0.1)

    def wait_blocked(self, rid, text, timeout=60.0):
        """Until blocked_on contains the text."""
        return self.wait(rid, lambda r: text in json.dumps(r["blocked_on"]), timeout,
                         f"blocked on {text}")

    def wait_phase(self, rid, phase, timeout=60.0):
        return self.wait(rid, lambda r: r["phase"] == phase, timeout, f"phase {phase}")

    def wait_stage(self, rid, name, timeout=60.0):
        return self.wait(rid, lambda r: (r["stage"] or {}).get("name") == name, timeout,
                         f"stage {name}")

    def wait_weight(self, rid, weight, timeout=60.0):
        return self.wait(rid, lambda r: r["weight"]["written"] == weight, timeout,
                         f"weight {weight}")


class Alone(Daemon):
    """Without a cluster, for its database."""

    def __init__(self, folder, database=None):
        super().__init__(folder, "/nowhere")
        self.database = database or self.database
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"listen: {{socket: {self.socket}}}\nstore: {{path: {self.database}}}\n")
