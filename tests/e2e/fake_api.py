"""A stand-in for airisd's REST interface: TCP or a Unix socket, Server-Sent Events, faults on demand.

It decides nothing: a test says what the rollout looks like next. It can be stopped and started again
on the same address, as a daemon that restarts; what it knows survives that.
"""

import copy
import http.server
import itertools
import json
import os
import socket
import socketserver
import sys
import threading
import time
import urllib.parse

SEQ = itertools.count(1)
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def rollout_id(number):
    return "r-" + f"{number:026d}"


def stamp(offset=0.0):
    now = time.time() + offset
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now % 1 * 1000):03d}Z"


STAGES = [
    ("preflight", 0, "0s"),
    ("canary 10%", 10, "5m"),
    ("canary 25%", 25, "5m"),
    ("canary 50%", 50, "5m"),
    ("canary 100%", 100, "5m"),
    ("promote", 100, "0s"),
    ("return", 0, "0s"),
    ("clean", 0, "0s"),
]


def new_rollout(number=1, app="web", image="registry.local/web:2.0", phase="progressing"):
    ladder = []
    for index, (name, weight, hold) in enumerate(STAGES):
        ladder.append({
            "index": index, "name": name, "weight": weight, "hold": hold,
            "approve": name == "canary 100%",
            "gates": ["success-rate"] if name.startswith("canary") else [],
            "state": "ahead", "entered": None, "left": None, "measured": []})
    return {
        "id": rollout_id(number), "app": app, "namespace": "shop", "cluster": "prod",
        "phase": phase, "reason": "",
        "release": {"number": 40 + number, "image": image, "who": "alice", "why": "faster cart",
                    "commit": "abc123", "at": stamp()},
        "stage": {"index": 0, "name": "preflight", "entered": stamp(), "settled": None,
                  "hold_until": None},
        "ladder": ladder,
        "weight": {"target": 0, "written": 0, "taken": 0, "known": "assumed", "since": stamp()},
        "stable": {"image": "registry.local/web:1.9", "size": 4, "ready": 4},
        "canary": {"image": image, "size": 0, "ready": 0},
        "gates": [{"name": "success-rate", "verdict": "pending", "value": None,
                   "condition": ">= 0.99", "text": "", "at": None, "failures": 0, "allowed": 2,
                   "passes": 0}],
        "blocked_on": None, "started": stamp(), "ended": None, "superseded_by": None,
        "cursor": 0, "stale": ""}


def enter(rollout, index, settled=False):
    """The rollout stands in this stage now."""
    for step in rollout["ladder"]:
        if step["index"] < index and step["state"] != "done":
            step.update(state="done", left=stamp(), entered=step["entered"] or stamp())
        elif step["index"] == index:
            step.update(state="current", entered=stamp())
    name, weight, _ = STAGES[index]
    rollout["stage"] = {"index": index, "name": name, "entered": stamp(),
                        "settled": stamp() if settled else None,
                        "hold_until": stamp(300) if settled and weight else None}
    rollout["weight"].update(target=weight, written=weight, taken=weight if settled else
                             rollout["weight"]["taken"])
    rollout["canary"].update(size=max(1, weight * 4 // 100), ready=max(1, weight * 4 // 100))


def problem(status, code, detail, errors=None):
    body = {"type": "about:blank", "title": code, "status": status, "detail": detail, "code": code}
    if errors:
        body["errors"] = errors
    return status, body


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def address_string(self):
        return "fake"

    def _answer(self, status, body, kind=None):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        if status == 204:
            raw = b""
        self.send_response(status)
        if raw:
            self.send_header("Content-Type", kind or (
                "application/problem+json" if status >= 400 else "application/json"))
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def _serve(self):
        api = self.server.api
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        url = urllib.parse.urlsplit(self.path)
        query = {k: v[-1] for k, v in urllib.parse.parse_qs(url.query).items()}
        with api.lock:
            api.requests.append((self.command, self.path, dict(self.headers), body))
            fault = next((f for f in api.faults if f[0] in f"{self.command} {url.path}"), None)
            if fault:
                api.faults.remove(fault)
        if fault and fault[1] == "drop":
            self.close_connection = True
            return
        if fault and fault[1] == "hang":
            api.stopping.wait(60)
            self.close_connection = True
            return
        if fault and isinstance(fault[1], tuple):
            self._answer(*fault[1])
            return
        if api.token and self.headers.get("Authorization") != "Bearer " + api.token:
            self._answer(*problem(401, "unauthorized", "no valid token; send Authorization: Bearer"))
            return
        parts = [urllib.parse.unquote(p) for p in url.path.split("/")[2:]]
        if len(parts) == 3 and parts[2] == "events" and \
                "text/event-stream" in self.headers.get("Accept", ""):
            self._stream(parts[1], int(self.headers.get("Last-Event-ID") or query.get("after", 0)))
            return
        with api.lock:
            answer = api.route(self.command, parts, query, body, self.headers)
        if fault and fault[1] == "lose":  # done, but the answer never arrives
            self.close_connection = True
            return
        self._answer(*answer)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _stream(self, key, after):
        api, generation = self.server.api, self.server.api.generation
        newline = api.sse_newline
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        at = None
        try:
            while True:
                with api.changed:
                    messages = api.log.get(key, [])
                    if at is None:  # what came after the cursor, then the state as it is
                        at = len(messages)
                        todo = [m for m in messages if m[0] is not None and m[0] > after]
                        todo.append((None, "state", copy.deepcopy(api.rollouts.get(key, {}))))
                    else:
                        todo, at = messages[at:], len(messages)
                    if not todo:
                        if api.generation != generation:
                            return
                        if not api.alive(key):
                            return
                        api.changed.wait(api.heartbeat)
                        todo = [] if api.silent else [("", "", "")]
                        if len(api.log.get(key, [])) > at:
                            continue
                for seq, event, data in todo:
                    self._send(seq, event, data, newline)
                if api.generation != generation:
                    return
        except OSError:
            return

    def _send(self, seq, event, data, newline):
        if event == "":
            raw = ": heartbeat" + newline + newline
        else:
            lines = [f"id: {seq}"] if seq is not None else []
            lines.append(f"event: {event}")
            # The same JSON in several data: lines, where it has line feeds.
            text = json.dumps(data, indent=1) if self.server.api.sse_many_lines else json.dumps(data)
            lines += ["data: " + part for part in text.split("\n")]
            raw = newline.join(lines) + newline + newline
        raw = raw.encode()
        step = self.server.api.sse_bytes or len(raw)
        for i in range(0, len(raw), step):
            self.wfile.write(raw[i:i + step])
            self.wfile.flush()


class _Tcp(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request, client_address):
        pass


class _Unix(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class FakeApi:
    def __init__(self, path=None, token=None):
        self.path, self.token, self.port = path, token, 0
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.stopping = threading.Event()
        self.requests, self.faults, self.keys = [], [], {}
        self.apps, self.rollouts, self.log, self.plans = {}, {}, {}, {}
        self.generation = 0
        self.heartbeat, self.silent = 0.2, False
        self.sse_newline, self.sse_bytes, self.sse_many_lines = "\n", 0, False
        self.page = 1000
        self.server = None
        self.on_start = None

    # -- life

    def start(self):
        self.stopping.clear()
        if self.path:
            if os.path.exists(self.path):
                os.unlink(self.path)
            self.server = _Unix(self.path, _Handler)
        else:
            self.server = _Tcp(("127.0.0.1", self.port), _Handler)
            self.port = self.server.server_address[1]
        self.server.api = self
        thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        return self

    def stop(self):
        if self.server is None:
            return
        with self.changed:
            self.generation += 1
            self.changed.notify_all()
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()
        self.server = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *args):
        self.stop()

    @property
    def url(self):
        return "unix:" + self.path if self.path else f"http://127.0.0.1:{self.port}"

    # -- what tests do

    def add(self, rollout):
        with self.lock:
            self.rollouts[rollout["id"]] = rollout
            self.log.setdefault(rollout["id"], [])
        return rollout["id"]

    def event(self, key, kind, actor="", **data):
        with self.changed:
            item = {"seq": next(SEQ), "at": stamp(), "kind": kind, "actor": actor, "data": data}
            self.log[key].append((item["seq"], kind, item))
            self.rollouts[key]["cursor"] = item["seq"]
            self.changed.notify_all()

    def change(self, key, kind="note", do=None, **fields):
        """An event, and the state after it."""
        with self.changed:
            rollout = self.rollouts[key]
            if do:
                do(rollout)
            rollout.update(fields)
            if rollout["phase"] in ("succeeded", "aborted", "failed") and not rollout["ended"]:
                rollout["ended"] = stamp()
            self.event(key, kind)
            self.log[key].append((None, "state", copy.deepcopy(rollout)))
            self.changed.notify_all()

    def message(self, key, seq, event, data):
        with self.changed:
            self.log[key].append((seq, event, data))
            self.changed.notify_all()

    def fail(self, where, what):
        """The next request that matches: "drop", "lose", "hang", or (status, body[, type])."""
        with self.lock:
            self.faults.append((where, what))

    def alive(self, key):
        return self.rollouts.get(key, {}).get("ended") is None

    def seen(self, part):
        with self.lock:
            return [r for r in self.requests if part in f"{r[0]} {r[1]}"]

    def wait_seen(self, part, count=1, seconds=10):
        end = time.monotonic() + seconds
        while len(self.seen(part)) < count:
            assert time.monotonic() < end, f"no {count} requests {part}: {self.requests}"
            time.sleep(0.01)

    # -- what the daemon does

    def route(self, method, parts, query, body, headers):
        if parts == ["version"]:
            return 200, {"version": "9.9.9"}
        if parts[0] == "apps":
            return self._apps(method, parts[1:], query, body, headers)
        if parts == ["plan"]:
            return 200, dict(self.plans["new"], **json.loads(body))
        if parts[0] == "rollouts":
            return self._rollouts(method, parts[1:], query, body, headers)
        return problem(404, "not_found", "there is no such path")

    def _apps(self, method, parts, query, body, headers):
        if not parts:
            names = sorted(n for n in self.apps if n > query.get("after", ""))
            size = min(self.page, int(query.get("limit", 100)))
            more = len(names) > size
            return 200, {"items": [self.apps[n] for n in names[:size]],
                         "next": names[size - 1] if more else None}
        name = parts[0]
        if method == "PUT":
            known = name in self.apps
            self.apps[name] = {"name": name, "namespace": "shop", "cluster": "prod",
                               "strategy": "canary", "workload": "Deployment " + name,
                               "active": None, "spec": {"kind": "App", "name": name}}
            return (200 if known else 201), dict(self.apps[name], changed=not known)
        if name not in self.apps:
            return problem(404, "not_found", f"there is no app {name}")
        if parts[1:] == ["releases"]:
            return 200, {"items": [{"app": name, "number": 41, "image": "registry.local/web:1.9",
                                    "who": "bob", "why": "", "commit": "", "at": stamp(-3600)}],
                         "next": None}
        if parts[1:] == ["preflight"]:
            return 200, dict(self.plans["preflight"], app=name)
        if method == "DELETE":
            del self.apps[name]
            return 204, b""
        return 200, self.apps[name]

    def _rollouts(self, method, parts, query, body, headers):
        if not parts and method == "POST":
            return self._start(body, headers)
        if not parts:
            return self._list(query)
        if parts[0] not in self.rollouts:
            return problem(404, "not_found", f"there is no rollout {parts[0]}")
        key = parts[0]
        if len(parts) == 1:
            return 200, self.rollouts[key]
        if parts[1] == "events":
            after, size = int(query.get("after", 0)), min(self.page, int(query.get("limit", 100)))
            items = [m[2] for m in self.log[key] if m[0] is not None and m[0] > after][:size]
            return 200, {"items": items, "next": items[-1]["seq"] if items else after}
        if parts[1] == "plan":
            return 200, self.plans[key]
        return self._command(key, parts[1])

    def _command(self, key, verb):
        phases = {"pause": "paused", "abort": "aborting"}
        rollout = self.rollouts[key]
        if rollout["ended"] and verb != "abort":
            return problem(409, "conflict",
                           f"{verb} is not possible: the rollout is {rollout['phase']}")
        self.change(key, verb, phase=phases.get(verb, "progressing"))
        return 200, rollout

    def _start(self, body, headers):
        key = headers.get("Idempotency-Key")
        if key in self.keys:
            return 200, self.rollouts[self.keys[key]]
        request = json.loads(body)
        if request["app"] == "unknown":
            return problem(404, "not_found", "there is no app unknown; apply it first")
        rollout = new_rollout(len(self.rollouts) + 1, request["app"], request.get("image", "old:1"))
        self.add(rollout)
        self.keys[key] = rollout["id"]
        if self.on_start:
            self.on_start(rollout["id"])
        return 201, rollout

    def _list(self, query):
        keys = sorted(self.rollouts, reverse=True)
        if "before" in query:
            keys = [k for k in keys if k < query["before"]]
        found = [self.rollouts[k] for k in keys]
        for name in ("app", "phase", "cluster"):
            if name in query:
                found = [r for r in found if r[name] == query[name]]
        if query.get("live") == "true":
            found = [r for r in found if not r["ended"]]
        size = min(self.page, int(query.get("limit", 100)))
        items = [{"id": r["id"], "app": r["app"], "namespace": r["namespace"],
                  "cluster": r["cluster"], "release": r["release"]["number"],
                  "image": r["release"]["image"], "phase": r["phase"], "stage": r["stage"]["name"],
                  "weight": r["weight"]["taken"], "started": r["started"], "ended": r["ended"],
                  "reason": r["reason"]} for r in found[:size]]
        return 200, {"items": items, "next": items[-1]["id"] if len(found) > size else None}


def play(api, key, pace):
    """A rollout that goes well, for looking at the display: fake_api.py SOCKET [SECONDS]."""
    for index in range(1, len(STAGES)):
        time.sleep(pace)
        api.change(key, "stage_entered", lambda r, i=index: enter(r, i))

        def wait(r):
            r["blocked_on"] = {
                "object": f"Deployment shop/{r['app']}-canary",
                "what": "0 of 1 pods ready: ContainerCreating for pod web-canary-7d9c", "since":
                stamp(-3), "until": stamp(500), "next": "aborts at the deadline"}
        time.sleep(pace)
        api.change(key, "blocked", wait)
        time.sleep(pace)

        def settle(r, i=index):
            enter(r, i, settled=True)
            r["blocked_on"] = None
            r["gates"][0].update(verdict="pass", value=0.9987, at=stamp(), passes=i)
        api.change(key, "stage_settled", settle)
    time.sleep(pace)
    api.change(key, "succeeded", lambda r: r["ladder"][-1].update(state="done"), phase="succeeded")


if __name__ == "__main__":
    demo = FakeApi(sys.argv[1]).start()
    demo_key = demo.add(new_rollout())
    print(demo.url, demo_key, flush=True)
    demo.wait_seen("/events", seconds=3600)
    play(demo, demo_key, float(sys.argv[2]) if len(sys.argv) > 2 else 1.0)
    time.sleep(2)
    demo.stop()
