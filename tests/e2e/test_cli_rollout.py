"""airisctl rollout without waiting: start, undo, the commands, and the pages."""

import json

import pytest
import yaml

from cli_lab import FAILED, OK, REFUSED, UNREACHABLE, api, env, run  # noqa: F401
from fake_api import enter, new_rollout, problem, rollout_id, stamp


def sent(api, number=-1):
    return json.loads(api.requests[number][3])


def test_start_tells_what_happened_and_what_next(api, env):
    done = run(env, "rollout", "start", "web", "--image", "web:2", "--why", "faster «cart»",
               "--commit", "abc", "--key", "job-7")
    assert done.code == OK, done
    assert done.out == (
        f"web/41 is started as {rollout_id(1)}: web:2\n"
        f"follow it: airisctl rollout watch {rollout_id(1)}; "
        f"stop it: airisctl rollout abort {rollout_id(1)}\n")
    assert sent(api) == {"app": "web", "image": "web:2", "why": "faster «cart»", "commit": "abc"}
    assert api.requests[-1][2]["Idempotency-Key"] == "job-7"


def test_f74_same_key_same_rollout(api, env):
    args = ["rollout", "start", "web", "--image", "web:2", "--key", "job-7"]
    assert "is started" in run(env, *args).out
    done = run(env, *args)
    assert done.code == OK
    assert f"was started with this key before, as {rollout_id(1)}" in done.out
    assert len(api.rollouts) == 1
    api.fail("POST", problem(409, "key_reused", "this key was used for another request"))
    done = run(env, "rollout", "start", "web", "--image", "web:3", "--key", "job-7")
    assert done.code == REFUSED
    assert "refused (409 key_reused)" in done.err


def test_each_start_has_a_key_of_its_own(api, env):
    for _ in range(2):
        run(env, "rollout", "start", "web", "--image", "web:2")
    keys = {r[2]["Idempotency-Key"] for r in api.requests}
    assert len(keys) == 2 and all(len(key) > 20 for key in keys)


@pytest.mark.parametrize("fault", ["drop", "lose", "stopping"])
def test_start_is_repeated_with_the_same_key(fault, api, env):
    what = problem(503, "stopping", "airisd stops") if fault == "stopping" else fault
    api.fail("POST", what)
    api.fail("POST", what)
    done = run(env, "rollout", "start", "web", "--image", "web:2")
    assert done.code == OK, done
    posts = api.seen("POST")
    assert len(posts) == 3
    assert len({r[2]["Idempotency-Key"] for r in posts}) == 1
    assert len({r[3] for r in posts}) == 1
    assert len(api.rollouts) == 1
    assert "trying again with the same key" in done.err


def test_start_gives_up_and_names_the_key(api, env):
    for _ in range(20):
        api.fail("POST", "lose")
    done = run(env, "--timeout", "1s", "rollout", "start", "web", "--image", "web:2")
    assert done.code == UNREACHABLE, done
    key = api.requests[0][2]["Idempotency-Key"]
    assert f"the same command with --key {key} is safe" in done.err


def test_start_does_not_wait_for_a_server_that_is_not_there(api, env):
    api.stop()
    done = run(env, "rollout", "start", "web", "--image", "web:2", seconds=5)
    assert done.code == UNREACHABLE
    assert "it may have been started" not in done.err


def test_start_refused(api, env):
    done = run(env, "rollout", "start", "unknown", "--image", "x")
    assert done.code == REFUSED
    assert done.err == ("airisctl: refused (404 not_found): there is no app unknown; "
                        "apply it first\n")
    api.fail("POST", problem(503, "degraded", "the disk is full"))
    assert run(env, "rollout", "start", "web", "--image", "x").code == FAILED
    assert len(api.seen("POST")) == 2  # neither was tried again


def test_undo(api, env):
    assert run(env, "rollout", "undo", "web", "--to", "39").code == OK
    assert sent(api) == {"app": "web", "undo": True, "to": 39}
    assert "Idempotency-Key" in api.requests[-1][2]
    assert run(env, "rollout", "undo", "web").code == OK
    assert sent(api) == {"app": "web", "undo": True}


VERBS = {
    "promote": (["--full", "--reason", "looks good"], {"full": True, "reason": "looks good"}),
    "abort": (["--reason", "errors"], {"reason": "errors"}),
    "pause": ([], {}),
    "resume": ([], {}),
    "retry": ([], {}),
    "approve": ([], {}),
}


@pytest.mark.parametrize("verb", VERBS)
def test_commands(verb, api, env):
    key = api.add(new_rollout())
    args, body = VERBS[verb]
    done = run(env, "rollout", verb, key, *args)
    assert done.code == OK, done
    assert api.requests[-1][:2] == ("POST", f"/v1/rollouts/{key}/{verb}")
    assert sent(api) == body
    first, second = done.out.splitlines()
    assert first.startswith(f"web/41: {verb} is taken; it is ")
    assert ("resume" if verb == "pause" else "watch") + " " + key in second


def test_an_app_s_name_means_its_newest_rollout(api, env):
    api.add(new_rollout(1))
    newest = api.add(new_rollout(2))
    api.add(new_rollout(3, app="other"))
    assert run(env, "rollout", "pause", "web").code == OK
    assert api.seen("GET")[0][1] == "/v1/rollouts?app=web&limit=1"
    assert api.rollouts[newest]["phase"] == "paused"


def test_unknown_rollout(api, env):
    for word, text in ((rollout_id(9), "there is no rollout r-"),
                       ("nix", 'there is no rollout of an app named "nix"')):
        for command in ("status", "watch", "history", "explain", "plan", "abort"):
            done = run(env, "rollout", command, word)
            assert done.code == REFUSED, done
            assert text in done.err


def test_refused_command(api, env):
    key = api.add(new_rollout(phase="succeeded"))
    api.rollouts[key]["ended"] = stamp()
    done = run(env, "rollout", "pause", key)
    assert done.code == REFUSED
    assert "refused (409 conflict): pause is not possible: the rollout is succeeded" in done.err


def test_only_abort_is_sent_twice(api, env):
    key = api.add(new_rollout())
    api.fail("POST", "lose")
    done = run(env, "rollout", "abort", key)
    assert done.code == OK, done
    assert len(api.seen("POST")) == 2
    api.fail("POST", "lose")
    done = run(env, "rollout", "promote", key)
    assert done.code == UNREACHABLE
    assert "it may have been taken; see airisctl rollout status" in done.err
    assert len(api.seen("POST")) == 3


def at_25(api):
    rollout = new_rollout()
    rollout["started"] = stamp(-400)
    enter(rollout, 1)
    enter(rollout, 2, settled=True)
    rollout["weight"].update(written=25, taken=10, target=50)
    rollout["ladder"][1]["measured"] = [{"gate": "success-rate", "verdict": "pass", "value": 0.9991,
                                         "at": stamp(), "count": 7, "failures": 1}]
    rollout["gates"] = [
        {"name": "success-rate", "verdict": "pass", "value": 0.9987, "condition": ">= 0.99",
         "text": "", "at": stamp(-2), "failures": 0, "allowed": 2, "passes": 3},
        {"name": "latency-p99", "verdict": "no_data", "value": None, "condition": "< 0.5",
         "text": "no series", "at": stamp(-2), "failures": 1, "allowed": 2, "passes": 0}]
    rollout["blocked_on"] = {"object": "Deployment shop/web-canary",
                             "what": "0 of 1 pods ready: ImagePullBackOff", "since": stamp(-80),
                             "until": stamp(520), "next": "aborts at the deadline"}
    return api.add(rollout)


def test_status_is_a_whole_page(api, env):
    key = at_25(api)
    out = run(env, "rollout", "status", key).out
    for text in ("web/41 → registry.local/web:2.0\n",
                 "▶ progressing for 6m4", "shop on prod", "by alice", "why", "faster cart",
                 "  ✓  0  preflight      0%  took 0s\n",
                 "success-rate 0.9991 pass, asked 7 times, 1 failed\n",
                 "  ▶  2  canary 25%    25%  hold 5m, 4m5",
                 "  ·  4  canary 100%  100%  hold 5m, needs approval, gates success-rate\n",
                 "  weight    ████▒▒▒▒▒▒░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  10% canary, 25% written, 50% wanted · assumed",
                 "  stable    4/4 ready · registry.local/web:1.9\n",
                 "  canary    1/1 ready · registry.local/web:2.0\n",
                 "✓  success-rate  0.9987  >= 0.99  pass                      2s ago\n",
                 "?  latency-p99        –  < 0.5    no data  1 of 2 failures  2s ago\n     no series\n",
                 "waits for Deployment shop/web-canary: 0 of 1 pods ready: ImagePullBackOff\n",
                 "for 1m20s, until ", "(8m39s left); next: aborts at the deadline\n"):
        assert text in out, f"{text!r} is not in\n{out}"
    assert "\x1b" not in out


def test_status_in_ascii(api, env):
    key = at_25(api)
    out = run(dict(env, LC_ALL="C"), "rollout", "status", key).out
    assert out.isascii()
    assert "web/41 -> registry.local/web:2.0\n" in out
    assert "  >  2  canary 25%" in out
    assert "####++++++......" in out


def test_status_as_json_and_yaml(api, env):
    key = at_25(api)
    assert json.loads(run(env, "rollout", "status", key, "-ojson").out) == api.rollouts[key]
    assert yaml.safe_load(run(env, "rollout", "status", key, "-oyaml").out) == api.rollouts[key]


def test_status_of_something_strange_does_not_crash(api, env):
    key = rollout_id(1)
    for strange in ({}, {"phase": 7, "ladder": "x", "gates": [1, None], "weight": []},
                    {"id": key, "phase": "melting", "stage": None, "ladder": [{}, 3],
                     "gates": [{}], "blocked_on": {}, "weight": {"taken": 1e300},
                     "started": "yesterday", "canary": {"size": -1}}):
        api.fail("GET", (200, strange))
        api.fail("GET", (200, strange))
        assert run(env, "rollout", "status", key).code == OK
        assert run(env, "rollout", "explain", key).code in (OK, REFUSED)


def test_explain_says_why(api, env):
    key = at_25(api)
    for number in range(15):
        api.event(key, "waits", what=f"reason {number}", until_ms=0)
    out = run(env, "rollout", "explain", "web").out
    for text in (f"web/41 ({key}) is progressing, for 6m4",
                 'It is in stage 2 of 7, "canary 25%".',
                 "It waits for Deployment shop/web-canary: 0 of 1 pods ready: ImagePullBackOff. "
                 "So it has been since ", "Next: aborts at the deadline.\n",
                 "The stage: hold 5m, 4m5",
                 "The canary takes 10% of the traffic (assumed); 25% is written, 50% wanted.",
                 "  success-rate: pass; measured 0.9987, must be >= 0.99, 2s ago; passes 3, "
                 "failures 0 of 2\n",
                 "  latency-p99: no data; measured –, must be < 0.5"):
        assert text in out, f"{text!r} is not in\n{out}"
    assert "reason 14" in out and "reason 5" in out and "reason 4," not in out


def test_explain_an_end(api, env):
    key = at_25(api)
    api.change(key, phase="aborted", reason="gate success-rate failed", blocked_on=None)
    out = run(env, "rollout", "explain", key).out
    assert f"web/41 ({key}) has ended: aborted after 6m4" in out
    assert "because: gate success-rate failed." in out
    assert "It is in stage" not in out


def test_history_takes_every_page_in_order(api, env):
    key = api.add(new_rollout())
    api.page = 3
    for number in range(8):
        api.event(key, "phase" if number == 7 else "note", actor="alice" if number == 3 else "",
                  **({"to": "paused", "reason": "by hand"} if number == 7 else
                     {"number": number, "empty": "", "hold_ms": 300000, "until_ms": 0, "retry_ms": -1, "tree": {"a": [1] * 99}}))
    done = run(env, "rollout", "history", key)
    lines = done.out.splitlines()
    assert [line.split()[3] for line in lines[:7]] == [f"{n}," for n in range(7)]
    assert lines[3].endswith(", by alice")
    assert "number 0, hold 5m, tree …" in lines[0] and "empty" not in lines[0]
    assert len(lines[0]) < 130
    assert lines[7].endswith("phase  paused, by hand")
    items = json.loads(run(env, "-o", "json", "rollout", "history", key).out)["items"]
    assert [item["data"].get("number") for item in items] == list(range(7)) + [None]


PLAN = {"app": "web", "image": "web:2", "preflight": [], "stages": [
    {"name": "preflight", "weight": 0, "hold": "0s", "approve": False, "gates": [], "acts": []},
    {"name": "canary 10%", "weight": 10, "hold": "5m", "approve": True, "gates": ["a", "b"],
     "acts": [{"act": "create", "text": "Deployment shop/web-canary: 1 replica of web:2"},
              {"act": "weight", "text": "VirtualService shop/web: canary weight 10, stable 90"}]}]}


def test_plan_of_a_start(api, env):
    api.plans["new"] = PLAN
    done = run(env, "rollout", "plan", "web", "--image", "web:2")
    assert done.code == OK, done
    assert sent(api) == {"app": "web", "image": "web:2"}
    assert done.out == (
        "web → web:2\n\n"
        "  0  preflight  weight 0%\n"
        "       nothing is changed\n"
        "  1  canary 10%  weight 10%, hold 5m, needs approval, gates a, b\n"
        "       create         Deployment shop/web-canary: 1 replica of web:2\n"
        "       weight         VirtualService shop/web: canary weight 10, stable 90\n")


def test_plan_that_could_not_start(api, env):
    api.plans["new"] = dict(PLAN, preflight=["Deployment shop/web does not exist", "no gate"])
    done = run(env, "rollout", "plan", "web", "--image", "web:2")
    assert done.code == REFUSED
    assert "It would not be started now:\n  ✗ Deployment shop/web does not exist\n" in done.out


def test_plan_of_a_rollout(api, env):
    key = api.add(new_rollout())
    api.plans[key] = PLAN
    done = run(env, "rollout", "plan", "web")
    assert done.code == OK
    assert api.requests[-1][1] == f"/v1/rollouts/{key}/plan"
    assert json.loads(run(env, "-ojson", "rollout", "plan", key).out) == PLAN


def test_list_filters_and_limits(api, env):
    assert run(env, "rollout", "list").out == "no rollouts\n"
    for number in range(1, 8):
        api.add(new_rollout(number, app="web" if number % 2 else "cart"))
    api.change(rollout_id(1), phase="aborted", reason="gate failed")
    api.page = 2
    out = run(env, "rollout", "list").out
    assert [line.split()[0] for line in out.splitlines()] == [
        "RELEASE", "web/47", "cart/46", "web/45", "cart/44", "web/43", "cart/42", "web/41"]
    assert "gate failed" in out
    out = run(env, "rollout", "list", "--limit", "3").out
    assert len(out.splitlines()) == 5 and out.endswith("there are more; see --limit\n")
    out = run(env, "rollout", "list", "--app", "web", "--live", "--phase", "progressing").out
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["web/47", "web/45", "web/43"]
    assert "app=web&phase=progressing&live=true&limit=" in api.requests[-1][1]
    listed = json.loads(run(env, "-o", "json", "rollout", "list", "--limit", "3").out)
    assert [item["id"] for item in listed["items"]] == [rollout_id(n) for n in (7, 6, 5)]
    assert listed["next"] == rollout_id(5)
