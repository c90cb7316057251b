"""What the failure-mode tests share: short releases, what was seen of an object, and a Prometheus
that answers whatever a test wants."""
import http.client
import http.server
import json
import threading
import time
import urllib.parse

from harness.kube import KINDS
from harness.shop import Shop

STAGES = ["preflight", "canary 50%", "canary 100%", "promote", "return", "clean"]


def quick(shop, gates=(), **more):
    """A release in few seconds: half, all, promoted; no hold and no drain."""
    canary = {"weights": [50, 100], "hold": "0s", "drain": "0s", "deadline": "30s"}
    canary.update(more.pop("canary", {}))
    return shop.app(canary=canary, gates=list(gates), **more)


def gate(name, query, condition=">= 0.95", **more):
    prometheus = {"query": query, "pass": condition}
    prometheus.update(more.pop("prometheus", {}))
    return {"name": name, "prometheus": prometheus, "every": "200ms", "window": "1s",
            "failures": 0, "deadline": "30s", **more}


def stages_entered(daemon, rid):
    """Names of the stages in the order in which they were entered."""
    ladder = [s["name"] for s in daemon.rollout(rid)["ladder"]]
    return [ladder[0]] + [ladder[e["data"]["index"]] for e in daemon.events(rid)
                          if e["kind"] == "stage"]


def weights_written(daemon, rid):
    return [e["data"]["number"] for e in daemon.events(rid)
            if e["kind"] == "act" and e["data"]["act"] == "weight"]


def acts(daemon, rid):
    return [e["data"]["act"] for e in daemon.events(rid) if e["kind"] == "act"]


def blocked_on(daemon, rid, *texts):
    """A check for Daemon.wait: blocked_on tells all of this."""
    blocked = daemon.rollout(rid)["blocked_on"]
    said = json.dumps(blocked)
    return blocked is not None and all(t in said for t in texts)


class Seen(threading.Thread):
    """Every state of the objects of a kind in a namespace, from now until done()."""

    def __init__(self, kube, kind, namespace):
        super().__init__(daemon=True)
        self.events, self.lock = [], threading.Lock()
        prefix, plural, _ = KINDS[kind]
        path = f"{prefix}/namespaces/{namespace}/{plural}"
        listed = kube.call("GET", path)
        for item in listed["items"]:
            self.events.append((time.monotonic(), "ADDED", item))
        version = listed["metadata"]["resourceVersion"]
        url = urllib.parse.urlsplit(kube.server)
        self.connection = http.client.HTTPConnection(url.netloc, timeout=600)
        headers = {"User-Agent": "tests-seen/1"}
        if kube.token:
            headers["Authorization"] = "Bearer " + kube.token
        self.connection.request("GET", f"{path}?watch=1&resourceVersion={version}", None, headers)
        self.answer = self.connection.getresponse()
        self.start()

    def run(self):
        try:
            for line in self.answer:
                event = json.loads(line)
                with self.lock:
                    self.events.append((time.monotonic(), event["type"], event["object"]))
        except (OSError, ValueError, AttributeError):
            pass

    def of(self, name=None):
        """(time, type, object) of those with this name."""
        with self.lock:
            return [e for e in self.events if name is None or e[2]["metadata"]["name"] == name]

    def done(self):
        if self.connection.sock is not None:
            self.connection.sock.shutdown(2)
        self.join(5)
        self.connection.close()
        return self.of()


def number(value, age=0.0):
    """An answer with one number; age: how old its sample is, in seconds."""
    return vector([value], age)


def vector(values, age=0.0):
    now = time.time() - age
    return {"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": {"i": str(i)}, "value": [now, str(v)]} for i, v in enumerate(values)]}}


def once_good(answer):
    """As a source that takes each query when it is tried before a start, and answers so later."""
    tried = set()

    def find(query):
        if query not in tried:
            tried.add(query)
            return number(1)
        return answer(query) if callable(answer) else answer
    return find


class FakePrometheus:
    """Answers queries by what `answers` has for the first name that occurs in the query: a dict,
    bytes or text (the body), a number (a body of so many bytes), (status, body), or a function of
    the query that gives one of these.
    No entry: HTTP 400, as Prometheus answers a query that is none."""

    def __init__(self):
        self.answers, self.asked = {}, []  # asked: (time, query)
        self.traceparents = []  # of those that had one
        self.hung = threading.Event()
        self.open = self.most_open = 0
        self.lock = threading.Lock()
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                self.answer(urllib.parse.urlsplit(self.path).query)

            def do_POST(self):
                length = int(self.headers.get("Content-Length") or 0)
                self.answer(self.rfile.read(length).decode())

            def answer(self, form):
                query = urllib.parse.parse_qs(form).get("query", [""])[0]
                if "traceparent" in self.headers:
                    fake.traceparents.append(self.headers["traceparent"])
                status, body = fake.find(query)
                if isinstance(body, dict):
                    body = json.dumps(body)
                if isinstance(body, str):
                    body = body.encode()
                huge = body if isinstance(body, int) else 0
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(huge or len(body)))
                self.end_headers()
                try:
                    self.wfile.write(b"" if huge else body)
                    for _ in range(huge >> 16):
                        self.wfile.write(b"[" * 65536)
                except OSError:
                    self.close_connection = True

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def find(self, query):
        if query == "vector(1)":
            return 200, number(1)
        with self.lock:
            self.asked.append((time.monotonic(), query))
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            for name, answer in list(self.answers.items()):
                if name in query:
                    if callable(answer):
                        answer = answer(query)
                    return answer if isinstance(answer, tuple) else (200, answer)
            return 400, {"status": "error", "errorType": "bad_data", "error": "no such query"}
        finally:
            with self.lock:
                self.open -= 1

    def hang(self, _query):
        """An answer that does not come before stop() or hung.set()."""
        self.hung.wait(60)
        return number(1)

    def queries(self, part):
        with self.lock:
            return [q for _, q in self.asked if part in q]

    def stop(self):
        self.hung.set()
        self.server.shutdown()
        self.server.server_close()


class Shops:
    """Apps of one test, removed with it."""

    def __init__(self, lab):
        self.lab, self.made = lab, []

    def __call__(self, **more):
        shop = Shop(self.lab, **{"replicas": 2, "pod_rps": 0, **more})
        self.made.append(shop)
        return shop

    def remove(self):
        for shop in self.made:
            for kind in ("VirtualService", "HTTPRoute", "DestinationRule", "HorizontalPodAutoscaler",
                         "Deployment", "Service"):
                for obj in shop.kube.list(kind, shop.namespace):
                    shop.kube.remove(kind, shop.namespace, obj["metadata"]["name"])
