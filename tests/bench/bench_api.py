#!/usr/bin/python3
"""What the REST API takes: reads and durable writes, requests per second and how long one takes, by
so many clients at once, each on a connection of its own that it keeps.

    tests/bench/bench_api.py [--clients 16] [--seconds 5]

The real airisd by its Unix socket, without a cluster. The clients are Python on the same machine, so
the rates are lower bounds; "a core" is by the CPU that airisd itself used. Nothing is asserted."""
import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness.daemon import UnixConnection  # noqa: E402
from harness.process import BUILD, Process, wait_for  # noqa: E402

APPS = 50


def app(i, weights):
    return {"kind": "App", "name": f"app-{i}", "namespace": "shop", "cluster": "default",
            "workload": {"kind": "Deployment", "name": f"app-{i}"},
            "traffic": {"istio": {"virtualService": f"app-{i}"}},
            "strategy": {"canary": {"weights": weights}}}


def ask(conn, method, path, body=None):
    conn.request(method, path, None if body is None else json.dumps(body),
                 {"Content-Type": "application/json"})
    answer = conn.getresponse()
    text = answer.read()
    if answer.status not in (200, 201):
        raise RuntimeError(f"{method} {path}: HTTP {answer.status} {text.decode()}")


def read(number, count):
    return "GET", f"/v1/apps/app-{(number * 7 + count) % APPS}", None


def write(number, count):
    """Each its own app, never as it was, so that every answer waits for the disk."""
    return "PUT", f"/v1/apps/app-{number}", app(number, [1 + count % 98, 100])


def client(socket, number, make, until, results):
    conn, took = UnixConnection(socket), []
    while time.monotonic() < until:
        began = time.perf_counter()
        ask(conn, *make(number, len(took)))
        took.append((time.perf_counter() - began) * 1000)
    results.put(took)


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(name, process, socket, make, args):
    results, until = multiprocessing.Queue(), time.monotonic() + args.seconds
    clients = [multiprocessing.Process(target=client, args=(socket, i, make, until, results))
               for i in range(args.clients)]
    before = cpu_of(process.pid)
    for one in clients:
        one.start()
    took = sorted(ms for _ in clients for ms in results.get())
    for one in clients:
        one.join()
    used = cpu_of(process.pid) - before
    print(f"{name}: {len(took) / args.seconds:,.0f} a second by {args.clients} clients, "
          f"p50 {statistics.median(took):.1f} ms, p99 {took[len(took) * 99 // 100]:.1f} ms; "
          f"{len(took) / max(used, 0.01):,.0f} for a second of airisd's CPU")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        socket, config = os.path.join(folder, "s"), os.path.join(folder, "airisd.yaml")
        with open(config, "w", encoding="utf-8") as f:
            f.write(f"listen: {{socket: {socket}}}\nstore: {{path: {folder}/db}}\n"
                    "log: {level: warn}\nclusters: [{name: default, kubeconfig: " + folder + "/k}]\n")
        with open(os.path.join(folder, "k"), "w", encoding="utf-8") as f:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "x",
                       "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
                       "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}],
                       "users": [{"name": "x", "user": {}}]}, f)
        process = Process([os.path.join(BUILD, "airisd"), "--config", config],
                          os.path.join(folder, "log"))
        process.start()
        try:
            wait_for("airisd", lambda: os.path.exists(socket))
            conn = UnixConnection(socket)
            for i in range(APPS):
                ask(conn, "PUT", f"/v1/apps/app-{i}", app(i, [50, 100]))
            measure("reads (GET an app)", process, socket, read, args)
            measure("durable writes (PUT an app)", process, socket, write, args)
        finally:
            process.stop()


if __name__ == "__main__":
    main()
