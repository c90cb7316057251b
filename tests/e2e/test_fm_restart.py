"""Failure modes of restarts, clocks and second starts (F52 to F55, F58, F59)."""
import os
import subprocess
import time

import pytest

import fm
from fm import gate, number
from harness.process import BUILD, SLOW, wait_for

SKEW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long offset(void)
{
	FILE *f = fopen(getenv("SKEW_FILE"), "r");
	long s = 0;
	if (f) { if (fscanf(f, "%ld", &s) != 1) s = 0; fclose(f); }
	return s;
}
int clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
	int r = real(id, t);
	if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE) t->tv_sec += offset();
	return r;
}
int gettimeofday(struct timeval *t, void *z)
{
	struct timespec now;
	(void)z;
	clock_gettime(CLOCK_REALTIME, &now);
	t->tv_sec = now.tv_sec; t->tv_usec = now.tv_nsec / 1000;
	return 0;
}
time_t time(time_t *to)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	if (to) *to = now.tv_sec;
	return now.tv_sec;
}
"""


def settled_at_half(daemon, shop, tag="2.0", gates=(), **more):
    daemon.apply(fm.quick(shop, gates, **more))
    rid = daemon.start_rollout(shop.name, shop.image_of(tag))
    daemon.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    return rid


@pytest.mark.parametrize("mode", ["host", "subset"])
def test_killed_after_every_act(mode, quick, shops):
    """F52: killed as soon as an act, or a stage, or a settled stage is seen: nothing is skipped or
    done twice, and every stage is entered once."""
    shop = shops(mode=mode).create()
    seen = fm.Seen(shop.kube, "VirtualService", shop.namespace)
    quick.apply(fm.quick(shop))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    kills, known = 0, 0
    while quick.rollout(rid)["phase"] == "progressing" and kills < 60:
        fresh = [e for e in quick.events(rid) if e["seq"] > known]
        known = fresh[-1]["seq"] if fresh else known
        if any(e["kind"] in ("act", "acted", "stage", "settled", "taken") for e in fresh):
            quick.kill()
            quick.restart()
            kills += 1
        time.sleep(0.01)
    quick.wait_phase(rid, "succeeded")
    assert kills >= 8
    assert fm.stages_entered(quick, rid) == fm.STAGES
    states = [o["spec"] for t, kind, o in seen.done()]
    assert all(a != b for a, b in zip(states, states[1:])), "nothing was written twice"
    created = [e for e in quick.events(rid) if e["kind"] == "created"]
    assert len(created) == 1 and shop.lost() == {} and shop.leftovers() == []
    assert shop.stable_image() == shop.image_of("2.0")


def test_hold_goes_on_and_gates_are_asked_again(asking, shops, fake_prometheus):
    """F53, F52: a hold that ended while the daemon was away is not waited for anew, but nothing
    advances on what was measured before: the gate is asked again first."""
    fake_prometheus.answers["f53"] = lambda q: number(1)
    shop = shops().create()
    rid = settled_at_half(asking, shop, gates=[gate("f53", 'f53{w="{{canary}}"}')],
                          canary={"hold": "2s"})
    asking.wait(rid, lambda r: r["gates"][0]["verdict"] == "pass")
    asking.kill()
    fake_prometheus.answers["f53"] = lambda q: number(0)
    time.sleep(6)  # a pass is good for two intervals and five seconds
    asking.restart()
    ended = asking.wait_phase(rid, "aborted")
    assert "gate f53 failed" in ended["reason"] and '"canary 50%"' in ended["reason"]
    assert shop.stable_image() == shop.image


def test_paused_while_away(quick, shops):
    """F53: paused stays paused over a restart, whatever time went by."""
    shop = shops().create()
    rid = settled_at_half(quick, shop, canary={"hold": "1s"})
    assert quick.command(rid, "pause", reason="lunch").status == 200
    quick.kill()
    time.sleep(1.2)
    quick.restart()
    wait_for("the cluster", lambda: quick.call("GET", "/readyz").json["clusters"][0]["fresh"])
    paused = quick.rollout(rid)
    assert (paused["phase"], paused["reason"]) == ("paused", "lunch")
    assert shop.weights() == (50, 50)
    assert quick.command(rid, "resume").status == 200
    quick.wait_phase(rid, "succeeded")


@pytest.fixture(scope="module")
def skew(tmp_path_factory):
    """A library that moves the wall clock of who loads it."""
    folder = tmp_path_factory.mktemp("skew")
    (folder / "skew.c").write_text(SKEW)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", folder / "skew.so", folder / "skew.c",
                    "-ldl"], check=True)
    return folder


@pytest.mark.parametrize("hours", [1, -1])
def test_the_clock_jumps(hours, skew, make_daemon, shops, tmp_path):
    """F54: the wall clock jumps by an hour while a hold runs, and over a restart: the hold is
    neither over at once nor an hour longer."""
    offset = tmp_path / "offset"
    offset.write_text("0")
    daemon = make_daemon()
    daemon.process.env = {"LD_PRELOAD": str(skew / "skew.so"), "SKEW_FILE": str(offset),
                          "ASAN_OPTIONS": "verify_asan_link_order=0:" +
                          os.environ.get("ASAN_OPTIONS", "")}
    daemon.start()
    shop = shops().create()
    rid = settled_at_half(daemon, shop, canary={"hold": "3s"})
    begin = time.monotonic()
    offset.write_text(str(hours * 3600))
    time.sleep(1)
    held = daemon.rollout(rid)
    assert held["stage"]["name"] == "canary 50%" and held["phase"] == "progressing"
    daemon.wait(rid, lambda r: r["stage"]["name"] == "canary 100%", 15)
    assert 2.5 < time.monotonic() - begin < 10 * SLOW
    daemon.wait_phase(rid, "succeeded")


def test_second_daemon(quick, quick_lab, shops, tmp_path):
    """F55: a second daemon on one database is refused, and says who has it; the first goes on."""
    second = subprocess.run([os.path.join(BUILD, "airisd"), "--config", quick.config],
                            capture_output=True, text=True, timeout=20, check=False)
    assert second.returncode == 1 and "airis.db" in second.stderr, second.stderr
    assert quick.call("GET", "/readyz").status == 200, "its socket was not taken away"
    shop = shops().create()
    quick.apply(fm.quick(shop))
    quick.wait_phase(quick.start_rollout(shop.name, shop.image_of("2.0")), "succeeded")


def test_second_start_is_queued(quick, shops):
    """F58: queue: one after the other, each to its end."""
    shop = shops().create()
    quick.apply(fm.quick(shop))
    first, second = [quick.start_rollout(shop.name, shop.image_of(t)) for t in ("2.0", "3.0")]
    assert quick.rollout(second)["phase"] == "queued"
    quick.wait_phase(second, "succeeded")
    assert quick.rollout(first)["phase"] == "succeeded"
    assert quick.rollout(second)["ladder"][0]["entered"] >= quick.rollout(first)["ended"]
    assert shop.stable_image() == shop.image_of("3.0")
    releases = quick.call("GET", f"/v1/apps/{shop.name}/releases").json["items"]
    assert [r["number"] for r in releases] == [2, 1]


def test_second_start_is_refused(quick, shops):
    """F58: refuse: 409, which names the one under way, and nothing of it is left."""
    shop = shops().create()
    rid = settled_at_half(quick, shop, onStart="refuse", canary={"hold": "60s"})
    refused = quick.call("POST", "/v1/rollouts", {"app": shop.name, "image": "r/x:3"})
    assert refused.status == 409 and rid in refused.json["detail"]
    assert len(quick.call("GET", f"/v1/rollouts?app={shop.name}").json["items"]) == 1
    assert len(quick.call("GET", f"/v1/apps/{shop.name}/releases").json["items"]) == 1
    assert quick.command(rid, "abort").status == 200
    quick.wait_phase(rid, "aborted")


@pytest.mark.parametrize("killed", [False, True])
def test_second_start_supersedes(killed, quick, shops):
    """F58: supersede: the first goes home, then the second begins at its first stage; also when
    the daemon is killed in between."""
    shop = shops().create()
    first = settled_at_half(quick, shop, onStart="supersede", canary={"hold": "1s"})
    second = quick.start_rollout(shop.name, shop.image_of("3.0"))
    if killed:
        quick.kill()
        quick.restart()
    quick.wait_phase(second, "succeeded")
    ended = quick.rollout(first)
    assert ended["phase"] == "aborted" and ended["superseded_by"] == second
    assert quick.rollout(second)["ladder"][0]["entered"] >= ended["ended"]
    assert fm.stages_entered(quick, second) == fm.STAGES and shop.lost() == {}


def cpu(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_waiting_is_idle(quick, quick_lab, shops):
    """F59: what waits for a person, for a cluster that is gone, or is past a deadline, costs
    nothing: no look without something new."""
    shop = shops().create()
    rid = settled_at_half(quick, shop, canary={"hold": "500ms"})
    assert quick.command(rid, "pause").status == 200
    blocked = shops().create()
    quick.apply(fm.quick(blocked, canary={"deadline": "10m"}))
    other = quick.start_rollout(blocked.name, blocked.image_of("2.0-never"))
    quick.wait(other, lambda r: "canary" in (r["blocked_on"] or {}).get("object", ""))
    time.sleep(1)
    begin, before = cpu(quick.process.pid), quick.call("GET", "/metrics").text
    time.sleep(2)
    spent = cpu(quick.process.pid) - begin
    after = quick.call("GET", "/metrics").text
    looks = [float(next(line for line in text.splitlines()
                        if line.startswith("airis_decisions_total")).split()[1])
             for text in (before, after)]
    assert spent < 0.2 * SLOW and looks[1] - looks[0] < 20, (spent, looks)
    for one in (rid, other):
        assert quick.command(one, "abort").status == 200
        quick.wait_phase(one, "aborted")
