"""Failure modes of the API and airisctl, with the real daemon (F74, F75)."""
import concurrent.futures
import os
import subprocess

import fm
from harness.process import BUILD, wait_for


def test_one_key_one_release(quick, shops):
    """F74: the same key gives the same rollout, also at the same moment and after a restart;
    another request with it is refused."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "60s"}))
    body = {"app": shop.name, "image": shop.image_of("2.0"), "why": "first"}

    def start(_=None, **more):
        return quick.call("POST", "/v1/rollouts", {**body, **more}, {"Idempotency-Key": "k-1"})
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(start, range(8)))
    assert sorted(a.status for a in answers) == [200] * 7 + [201]
    ids = {a.json["id"] for a in answers}
    assert len(ids) == 1
    rid = ids.pop()
    quick.kill()
    quick.restart()
    again = start()
    assert (again.status, again.json["id"]) == (200, rid)
    other = start(image=shop.image_of("3.0"))
    assert other.status == 409 and other.json["code"] == "key_reused"
    assert "Idempotency-Key" in other.json["detail"]
    assert len(quick.call("GET", f"/v1/rollouts?app={shop.name}").json["items"]) == 1
    assert len(quick.call("GET", f"/v1/apps/{shop.name}/releases").json["items"]) == 1
    assert quick.command(rid, "abort").status == 200
    quick.wait_phase(rid, "aborted")
    ended = start()
    assert (ended.status, ended.json["id"], ended.json["phase"]) == (200, rid, "aborted")


def waiting(daemon, *args):
    return subprocess.Popen(
        [os.path.join(BUILD, "airisctl"), "--server", "unix:" + daemon.socket, *args],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "NO_COLOR": "1"})


def test_wait_survives_a_restart(quick, shops):
    """F75: --wait goes on over a kill of the daemon and tells how it ended."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "500ms"}))
    wait = waiting(quick, "rollout", "start", shop.name, "--image", shop.image_of("2.0"), "--wait",
                   "--timeout", "60s")
    rid = wait_for("the rollout", lambda: quick.call(
        "GET", f"/v1/rollouts?app={shop.name}").json["items"])[0]["id"]
    quick.wait_weight(rid, 50)
    quick.kill()
    quick.restart()
    out, err = wait.communicate(timeout=120)
    assert wait.returncode == 0, (out, err)
    assert quick.rollout(rid)["phase"] == "succeeded"


def test_each_end_has_its_code(quick, shops):
    """F75: aborted 3, paused 4, timed out 5, refused 6, unreachable 7."""
    shop = shops().create()
    quick.apply(fm.quick(shop, canary={"hold": "60s"}))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: r["stage"]["name"] == "canary 50%" and r["stage"]["settled"])
    quick.ctl("rollout", "watch", rid, "--timeout", "1s", check=5)
    wait = waiting(quick, "rollout", "resume", rid, "--wait", "--timeout", "60s")
    assert "resume is taken" in wait.stdout.readline()
    quick.ctl("rollout", "pause", rid, "--reason", "lunch", check=0)
    out, err = wait.communicate(timeout=60)
    assert wait.returncode == 4 and "lunch" in out + err, (out, err)
    quick.ctl("rollout", "abort", rid, "--wait", check=0)
    quick.ctl("rollout", "watch", rid, check=3)
    quick.ctl("rollout", "pause", rid, check=6)
    quick.stop()
    quick.ctl("rollout", "status", rid, "--timeout", "2s", check=7)
    quick.start()


def test_explain_names_what_it_waits_for(quick, quick_lab, shops):
    """What an on-call engineer asks: why does it not move?"""
    shop = shops().create()
    quick_lab.fault({"quota": 2}, namespace=shop.namespace)
    quick.apply(fm.quick(shop))
    rid = quick.start_rollout(shop.name, shop.image_of("2.0"))
    quick.wait(rid, lambda r: "quota" in (r["blocked_on"] or {}).get("what", ""))
    said = quick.ctl("rollout", "explain", shop.name, check=0).stdout
    assert f"{shop.name}-canary" in said and "quota" in said and "deadline" in said, said
    assert quick.command(rid, "abort").status == 200
    quick.wait_phase(rid, "aborted")
