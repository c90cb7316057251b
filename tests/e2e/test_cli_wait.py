"""Waiting: how each ending is told, and what the connection may do meanwhile (F75)."""

import json
import re
import signal
import time

import pytest
import yaml

from cli_lab import (ABORTED, FAILED, INTERRUPTED, OK, PAUSED, REFUSED, TIMED_OUT, UNREACHABLE, api,
                     env, environment, finish, run, start, tcp)  # noqa: F401
from fake_api import enter, new_rollout, problem, rollout_id

START = ["rollout", "start", "web", "--image", "web:2"]


def waiting(api, env, *args):
    """airisctl that follows a rollout, once it hears the events."""
    process = start(env, *(args or [*START, "--wait"]))
    api.wait_seen("/events")
    return process, next(iter(api.rollouts), None)


def until(process, text):
    """The lines that it prints up to the one with this text."""
    said = []
    while not said or text not in said[-1]:
        said.append(process.stdout.readline())
        assert said[-1], said
    return said


ENDINGS = {
    "succeeded": (["--wait"], {"phase": "succeeded"}, OK, "web/41: succeeded after"),
    "aborted": (["--wait"], {"phase": "aborted", "reason": "gate success-rate: 0.9"}, ABORTED,
                "web/41 was aborted: gate success-rate: 0.9"),
    "superseded": (["--wait"], {"phase": "aborted", "superseded_by": rollout_id(9)}, ABORTED,
                   f"web/41 was superseded by {rollout_id(9)}"),
    "failed": (["--wait"], {"phase": "failed", "reason": "403"}, FAILED,
               "web/41 has failed and needs a person: 403"),
    "paused": (["--wait=succeeded"], {"phase": "paused", "reason": "needs approval"}, PAUSED,
               "web/41 is paused: needs approval. Go on: airisctl rollout resume"),
    "paused as wanted": (["--wait=paused"], {"phase": "paused"}, OK, "web/41: paused after"),
    "succeeded, not paused": (["--wait=paused"], {"phase": "succeeded"}, OK, "succeeded after"),
    "aborted, not paused": (["--wait=paused"], {"phase": "aborted"}, ABORTED, "was aborted"),
    "aborted as wanted": (["--wait=aborted"], {"phase": "aborted"}, OK, "web/41: aborted after"),
    "succeeded, not aborted": (["--wait=aborted"], {"phase": "succeeded"}, FAILED, "succeeded"),
    "before the stage": (["--wait=stage:2"], {"phase": "paused"}, PAUSED, "web/41 is paused"),
    "past the stage": (["--wait=stage:2"], {"phase": "succeeded"}, OK, "succeeded after"),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_f75_each_ending_has_its_exit_code(name, api, env):
    args, change, code, text = ENDINGS[name]
    process, key = waiting(api, env, *START, *args)
    api.change(key, "phase", **change)
    done = finish(process)
    assert done.code == code, done
    assert text in (done.out if code == OK else done.err), done
    if code in (ABORTED, FAILED):
        assert f"  why: airisctl rollout explain {key}\n" in done.err


def test_a_stage_is_reached(api, env):
    process, key = waiting(api, env, *START, "--wait=stage:2")
    api.change(key, do=lambda r: enter(r, 1, settled=True))
    api.change(key, do=lambda r: enter(r, 2))
    done = finish(process)
    assert done.code == OK
    assert "in stage 2, canary 25%" in done.out


def test_aborting_is_not_the_end_and_reaches_no_stage(api, env):
    process, key = waiting(api, env, *START, "--wait=stage:2")
    api.change(key, do=lambda r: enter(r, 3), phase="aborting")
    api.change(key, phase="aborted")
    assert finish(process).code == ABORTED


def test_abort_waits_for_home_and_pause_for_the_pause(api, env):
    for verb, phase in (("abort", "aborted"), ("pause", "paused")):
        key = api.add(new_rollout(len(api.rollouts) + 1))
        process = start(env, "rollout", verb, key, "--wait")
        api.wait_seen(f"{key}/{verb}")
        api.change(key, phase=phase)
        done = finish(process)
        assert done.code == OK, done
        assert f": {phase} after" in done.out


def test_watch_goes_on_through_a_pause_and_ends_with_the_rollout(api, env):
    key = api.add(new_rollout())
    process, _ = waiting(api, env, "rollout", "watch", "web")
    # One after the other: of what comes at once only the last state may be seen.
    api.change(key, phase="paused", reason="by hand")
    until(process, "paused: by hand\n")
    api.change(key, phase="progressing", reason="")
    until(process, "progressing\n")
    api.change(key, phase="failed", reason="home cannot be reached")
    done = finish(process)
    assert done.code == FAILED and "failed: home cannot" in done.out, done


def test_watch_of_what_has_ended_tells_how(api, env):
    for number, (phase, code) in enumerate([("succeeded", OK), ("aborted", ABORTED),
                                            ("failed", FAILED)], 1):
        key = api.add(new_rollout(number))
        api.change(key, phase=phase)
        assert run(env, "rollout", "watch", key).code == code
        assert run(env, "rollout", "watch", key, "--wait=paused").code == code
    assert api.seen("/events") == []


def test_changes_are_plain_lines_with_times(api, env):
    process, key = waiting(api, env)
    out = until(process, "canary 0/0")
    # Each is told before the next: of two at once it may see the second only.
    api.change(key, do=lambda r: enter(r, 2))
    out += until(process, "canary 1/1")
    api.change(key, do=lambda r: r["canary"].update(size=2, ready=1))
    out += until(process, "canary 1/2")

    def measure(r):
        enter(r, 2, settled=True)
        r["gates"][0].update(verdict="fail", value=0.9, failures=1, text="too many 503")
        r["blocked_on"] = {"object": "gate success-rate", "what": "fails", "since": None,
                           "until": None, "next": "aborts"}
    api.change(key, do=measure)
    api.change(key)  # nothing new: no line
    api.change(key, phase="succeeded")
    done = finish(process)
    lines = "".join(out).splitlines() + done.out.splitlines()
    assert lines[0] == f"web/41 is started as {key}: web:2"
    assert all(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ  \S", line) for line in lines[1:-1])
    said = [line.split("  ", 1)[1] for line in lines[1:-1]]
    holds = said.pop(said.index(next(s for s in said if s.startswith("settled"))))
    assert re.fullmatch(r"settled, holds until \d\d:\d\d:\d\dZ", holds)
    assert said == [
        f"web/41 ({key}) → web:2", "progressing",
        "stage 0 of 7: preflight, hold 0s", "ready: stable 4/4, canary 0/0",
        "stage 2 of 7: canary 25%, hold 5m, gates success-rate", "canary weight 25% written",
        "ready: stable 4/4, canary 1/1", "ready: stable 4/4, canary 1/2",
        "canary weight 25% taken (assumed)", "ready: stable 4/4, canary 1/1",
        "gate success-rate: fail, value 0.9, condition >= 0.99, failures 1 of 2: too many 503",
        "waits for gate success-rate: fails; next: aborts", "succeeded"]
    assert done.err == ""


def test_json_with_wait_is_one_document(api, env):
    for form, load in (("json", json.loads), ("yaml", yaml.safe_load)):
        api.rollouts.clear()
        api.requests.clear()
        process, key = waiting(api, env, "-o", form, *START, "--wait")
        api.change(key, phase="succeeded")
        done = finish(process)
        assert done.code == OK
        assert load(done.out) == api.rollouts[key]
        assert "Z  succeeded\n" in done.err


def test_watch_as_json_is_a_line_each_message(api, env):
    key = api.add(new_rollout())
    process, _ = waiting(api, env, "rollout", "watch", key, "-o", "json")
    api.event(key, "act", text="scale")
    api.change(key, "phase", phase="aborted", reason="x")
    done = finish(process)
    assert done.code == ABORTED
    messages = [json.loads(line) for line in done.out.splitlines()]
    assert [m.get("kind", m.get("phase")) for m in messages] == [
        "progressing", "act", "phase", "aborted"]
    documents = list(yaml.safe_load_all(run(env, "rollout", "watch", key, "-o", "yaml").out))
    assert documents == [messages[-1] | {"cursor": documents[0]["cursor"]}]


def test_f75_a_restart_of_the_daemon_does_not_end_the_wait(api, env):
    process, key = waiting(api, env)
    api.change(key, do=lambda r: enter(r, 1))
    said = []
    for step in (2, 3):
        api.stop()
        said += until(process, "no connection, trying again: ")
        count = len(api.seen("/events"))
        api.start()
        api.wait_seen("/events", count + 1)
        api.change(key, do=lambda r, s=step: enter(r, s))
    api.change(key, phase="succeeded")
    done = finish(process)
    assert done.code == OK, done
    assert "Z  connected again\n" in "".join(said) + done.out
    stages = re.findall(r"stage (\d) of", "".join(said) + done.out)
    assert stages == ["0", "1", "2", "3"]


def test_what_happens_during_the_restart_is_not_missed(api, env):
    key = api.add(new_rollout())
    process, _ = waiting(api, env, "rollout", "watch", key, "-o", "json")
    api.event(key, "first")
    said = until(process, '"first"')
    api.stop()
    api.event(key, "second")
    api.change(key, "third", phase="paused")
    api.start()
    api.wait_seen("/events", 2)
    again = api.seen("/events")[1]
    api.change(key, "fourth", phase="succeeded")
    done = finish(process)
    lines = said + done.out.splitlines()
    kinds = [m["kind"] for m in map(json.loads, lines) if "kind" in m]
    assert kinds == ["first", "second", "third", "fourth"]
    assert int(again[2]["Last-Event-ID"]) > 0


def test_ended_during_the_restart(api, env):
    process, key = waiting(api, env)
    api.stop()
    api.change(key, phase="aborted", reason="gate")
    api.start()
    assert finish(process).code == ABORTED


def test_errors_while_waiting_are_tried_again(api, env):
    api.fail("/events", "drop")
    api.fail("/events", problem(503, "stopping", "airisd stops"))
    api.fail("/events", (200, b"{}"))
    process = start(env, *START, "--wait")
    api.wait_seen("/events", 4)
    for fault in ("drop", problem(500, "internal", "x"), problem(429, "throttled", "slowly")):
        api.fail(f"GET /v1/rollouts/{rollout_id(1)}", fault)
    api.stop()
    api.start()
    api.wait_seen("/events", 5)
    api.change(rollout_id(1), phase="succeeded")
    assert finish(process).code == OK


def test_a_refusal_while_waiting_ends_it(api, env):
    process, key = waiting(api, env)
    api.stop()
    del api.rollouts[key]
    api.start()
    done = finish(process)
    assert done.code == REFUSED
    assert "there is no rollout" in done.err


def test_a_silent_connection_is_opened_again(api, env):
    api.silent = True
    key = api.add(new_rollout())
    process = start(dict(env, AIRIS_SILENCE="300ms"), "rollout", "watch", key)
    api.wait_seen("/events", 3)
    api.change(key, phase="succeeded")
    assert finish(process).code == OK


def test_heartbeats_keep_a_connection(api, env):
    key = api.add(new_rollout())
    process = start(dict(env, AIRIS_SILENCE="2s"), "rollout", "watch", key)
    api.wait_seen("/events")
    time.sleep(3)
    assert len(api.seen("/events")) == 1
    api.change(key, phase="succeeded")
    assert finish(process).code == OK


def test_resync_reads_the_state_again(api, env):
    process, key = waiting(api, env)
    api.rollouts[key].update(phase="paused")
    api.message(key, None, "resync", {})
    assert finish(process).code == PAUSED


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("step", [0, 1, 7])
def test_events_in_any_shape(newline, step, tcp, tmp_path):
    env = environment(tmp_path, tcp.url)
    tcp.sse_newline, tcp.sse_bytes, tcp.sse_many_lines = newline, step, True
    key = tcp.add(new_rollout())
    process, _ = waiting(tcp, env, "rollout", "watch", key, "-o", "json")
    tcp.event(key, "note", text="a: b\n\nä→ \r x")
    tcp.message(key, None, "state", "no object")
    tcp.message(key, None, "state", {"no": "phase"})
    tcp.message(key, None, "unheard-of", {"x": 1})
    tcp.change(key, phase="succeeded")
    done = finish(process)
    assert done.code == OK, done
    messages = [json.loads(line) for line in done.out.splitlines()]
    assert messages[1]["data"]["text"] == "a: b\n\nä→ \r x"
    assert messages[-1] == tcp.rollouts[key]
    assert len(messages) == 4


def test_a_message_told_twice_is_shown_once(api, env):
    key = api.add(new_rollout())
    process, _ = waiting(api, env, "rollout", "watch", key, "-o", "json")
    api.event(key, "note")
    for message in list(api.log[key]):
        api.message(key, *message)
    api.change(key, "end", phase="succeeded")
    kinds = [json.loads(line).get("kind") for line in finish(process).out.splitlines()]
    assert kinds == [None, "note", "end", None]


def test_timeout(api, env):
    process, key = waiting(api, env, *START, "--wait", "--timeout", "1s")
    api.change(key, do=lambda r: r.update(blocked_on={"object": "Deployment shop/web-canary",
                                                      "what": "0 of 1 pods ready"}))
    done = finish(process)
    assert done.code == TIMED_OUT
    assert (f'timed out after 1s: web/41 is progressing in stage "preflight" and waits for '
            f"Deployment shop/web-canary: 0 of 1 pods ready; web/41 goes on. Follow it: airisctl "
            f"rollout watch {key}; stop it: airisctl rollout abort {key}\n") in done.err


def test_timeout_without_a_connection_says_both(api, env):
    process, _ = waiting(api, env, *START, "--wait", "--timeout", "1s")
    api.stop()
    done = finish(process)
    assert done.code == TIMED_OUT
    assert "timed out after 1s" in done.err and "; there is no connection: " in done.err


def test_nobody_there_at_the_beginning(api, env):
    api.stop()
    assert run(env, "rollout", "watch", "web", seconds=5).code == UNREACHABLE
    done = run(env, *START, "--wait", seconds=5)
    assert done.code == UNREACHABLE, done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_the_rollout_alone(number, api, env):
    process, key = waiting(api, env)
    process.send_signal(number)
    done = finish(process, 5)
    assert done.code == INTERRUPTED
    assert (f"interrupted; web/41 goes on. Follow it: airisctl rollout watch {key}; stop it: "
            f"airisctl rollout abort {key}\n") in done.err
    assert api.rollouts[key]["phase"] == "progressing"


def test_ctrl_c_while_an_answer_is_missing(api, env):
    api.fail("POST", "hang")
    process = start(env, *START)
    api.wait_seen("POST")
    process.send_signal(signal.SIGINT)
    done = finish(process, 5)
    assert done.code == INTERRUPTED
    assert "the same command with --key" in done.err


def test_ctrl_c_while_there_is_no_connection(api, env):
    process, _ = waiting(api, env)
    api.stop()
    until(process, "no connection")
    process.send_signal(signal.SIGINT)
    assert finish(process, 5).code == INTERRUPTED
