"""The live display, on a pseudo terminal whose screen is looked at."""

import os
import re
import signal

import pytest

from cli_lab import ABORTED, INTERRUPTED, OK, PAUSED, Terminal, environment, tcp  # noqa: F401
from fake_api import enter, new_rollout, stamp


@pytest.fixture
def env(tcp, tmp_path):
    return environment(tmp_path, tcp.url)


@pytest.fixture
def key(tcp):
    return tcp.add(new_rollout())


def watch(env, *args, **size):
    return Terminal(env, "rollout", "watch", "web", *args, **size)


def test_the_display_is_painted_in_place(tcp, env, key):
    with watch(env) as terminal:
        terminal.wait_for(r"  ·  0  preflight")
        tcp.wait_seen("/events")
        tcp.change(key, do=lambda r: enter(r, 1))
        terminal.wait_for(r"✓  0  preflight .*\n  ▶  1  canary 10% .*settling, hold 5m")
        assert "██" not in terminal.screen.text()
        assert "▒▒▒▒░░░" in terminal.screen.text()

        def settle(r):
            enter(r, 1, settled=True)
            r["gates"][0].update(verdict="pass", value=0.9987, at=stamp(), passes=1)
        tcp.change(key, do=settle)
        text = terminal.wait_for(r"▶  1  canary 10% .*hold 5m, 4m5\ds left")
        assert "████░░░" in text
        assert re.search(r"✓  success-rate  0.9987  >= 0.99  pass", text)
        assert text.count("web/41 →") == 1, "painted below, not in place"
        tcp.change(key, phase="succeeded")
        text = terminal.end()
    assert terminal.code == OK
    assert "✓ succeeded after" in text
    assert text.endswith("✓ web/41: succeeded after 0s") or "✓ web/41: succeeded after" in text
    assert text.count("web/41 →") == 1


def test_time_ticks_without_news(tcp, env, key):
    tcp.rollouts[key]["started"] = stamp(-100)
    enter(tcp.rollouts[key], 1, settled=True)
    tcp.rollouts[key]["stage"]["hold_until"] = stamp(60)
    with watch(env) as terminal:
        first = terminal.wait_for(r"for 1m4\ds.*(.|\n)*hold 5m, \d\ds left")
        spent = int(re.search(r"for 1m(\d\d)s", first)[1])
        terminal.wait_for(rf"for 1m{spent + 1}s")
        text = terminal.wait_for(rf"for 1m{spent + 2}s")
        left = int(re.search(r"hold 5m, (\d\d)s left", text)[1])
        assert 55 <= left <= 58
    assert len(tcp.seen("/events")) == 1


def test_waits_and_reasons(tcp, env, key):
    with watch(env, columns=60) as terminal:
        tcp.wait_seen("/events")
        tcp.change(key, phase="paused", reason="drift: somebody edited the weights", blocked_on={
            "object": "VirtualService shop/web", "what": "the weights are 50/50, not 90/10, and "
            "kubectl-edit wrote them", "since": stamp(-30), "until": None, "next": "waits for a person"})
        text = terminal.wait_for("waits for a person")
        assert "‖ paused" in text
        assert "paused    drift: somebody edited the weights" in text
        # Long sentences go on below their beginning.
        assert re.search(r"  waits for VirtualService shop/web: .*\n {12}\S", text)
        assert re.search(r" {12}for 3\ds; next: waits for a person", text)


def test_ctrl_c_gives_the_terminal_back(tcp, env, key):
    with watch(env) as terminal:
        terminal.wait_for("preflight")
        assert not terminal.screen.cursor
        assert not terminal.echo()
        terminal.type(b"x\ny")
        terminal.type(b"\x03")
        text = terminal.end()
        assert terminal.screen.cursor
        assert terminal.echo()
        assert "interrupted; web/41 goes on." in text.replace("\n", "")
        assert "^C" not in text and "x" not in text.split("\n")[0]
    assert terminal.code == INTERRUPTED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_being_ended_gives_the_terminal_back(number, tcp, env, key):
    with watch(env) as terminal:
        terminal.wait_for("preflight")
        os.kill(terminal.pid, number)
        terminal.end()
        assert terminal.screen.cursor and terminal.echo()
    assert terminal.code == INTERRUPTED


def test_every_ending_gives_the_terminal_back(tcp, env, key):
    with watch(env, "--wait") as terminal:
        tcp.wait_seen("/events")
        tcp.change(key, phase="paused", reason="needs approval")
        text = terminal.end()
        assert terminal.screen.cursor and terminal.echo()
    assert terminal.code == PAUSED
    assert "web/41 is paused: needs approval." in text


def test_ctrl_z(tcp, env, key):
    with watch(env) as terminal:
        terminal.wait_for("preflight")
        os.kill(terminal.pid, signal.SIGTSTP)
        pid, status = os.waitpid(terminal.pid, os.WUNTRACED)
        assert pid and os.WIFSTOPPED(status)
        while terminal._read(0.1) and not terminal.screen.cursor:
            pass
        assert terminal.echo()
        os.kill(terminal.pid, signal.SIGCONT)
        tcp.change(key, phase="aborted")
        terminal.end()
        assert terminal.screen.cursor and terminal.echo()
    assert terminal.code == ABORTED


def test_lost_connection_is_shown_and_goes(tcp, env, key):
    with watch(env) as terminal:
        tcp.wait_seen("/events")
        tcp.stop()
        terminal.wait_for(r"✗ no connection for 0s, trying again: cannot connect")
        terminal.wait_for(r"no connection for [1-9][0-9]*s")
        tcp.start()
        tcp.wait_seen("/events", 2)
        tcp.change(key, phase="aborted", reason="gate")
        text = terminal.end()
    assert terminal.code == ABORTED
    assert "no connection" not in text
    assert "✗ aborted after" in text


def test_a_small_window_shows_the_current_stage(tcp, env, key):
    enter(tcp.rollouts[key], 4)
    tcp.rollouts[key]["release"]["why"] = "x" * 300
    with watch(env, columns=50, rows=18) as terminal:
        text = terminal.wait_for("▶  4  canary 100%")
        assert "success-rate" in text
        assert "  0  preflight" not in text
        tcp.wait_seen("/events")
        tcp.change(key, do=lambda r: enter(r, 5))
        text = terminal.wait_for("▶  5  promote")
        assert text.count("web/41 →") == 1
        terminal.resize(100, 40)
        text = terminal.wait_for("0  preflight")
        assert text.count("5  promote") == 1
        tcp.change(key, phase="succeeded")
        terminal.end()
    assert terminal.code == OK


def test_a_tiny_window(tcp, env, key):
    with watch(env, columns=20, rows=5) as terminal:
        terminal.wait_for("progressing")
        tcp.wait_seen("/events")
        tcp.change(key, do=lambda r: enter(r, 5))
        tcp.change(key, phase="succeeded")
        terminal.end()
    assert terminal.code == OK


COLORLESS = {"NO_COLOR": ({"NO_COLOR": "1"}, []), "--no-color": ({}, ["--no-color"])}


@pytest.mark.parametrize("name", COLORLESS)
def test_no_color(name, tcp, env, key):
    extra, args = COLORLESS[name]
    with watch(dict(env, **extra), *args) as terminal:
        terminal.wait_for("preflight")
        terminal.type(b"\x03")
        terminal.end()
        assert not terminal.screen.colors
    with watch(dict(env, NO_COLOR="")) as terminal:
        terminal.wait_for("preflight")
        terminal.type(b"\x03")
        terminal.end()
        assert terminal.screen.colors


def test_a_locale_without_utf_8_gets_ascii(tcp, env, key):
    tcp.rollouts[key]["release"]["why"] = "schöner"
    enter(tcp.rollouts[key], 1)
    with watch(dict(env, LC_ALL="C")) as terminal:
        text = terminal.wait_for(r"  >  1  canary 10%")
        assert text.isascii()
        assert "why       sch?ner" in text
        assert "+  0  preflight" in text
        terminal.type(b"\x03")
        terminal.end()


def test_a_dumb_terminal_gets_lines(tcp, env, key):
    tcp.change(key, phase="succeeded")
    with watch(dict(env, TERM="dumb")) as terminal:
        terminal.end()
    assert "\x1b" not in terminal.raw
    assert re.search(r"Z  succeeded\r\n", terminal.raw)


def test_texts_of_others_cannot_control_the_terminal(tcp, env, key):
    evil = "\x1b[2J\x1b]0;x\x07\u009b31m\r\n\x08up"
    rollout = tcp.rollouts[key]
    rollout["release"].update(image=evil, who=evil, why=evil)
    rollout["gates"][0].update(text=evil, name=evil)
    rollout["blocked_on"] = {"object": evil, "what": evil, "next": evil}
    rollout["ladder"][1]["name"] = evil
    with watch(env) as terminal:  # the screen fails on any escape that is not ours
        terminal.wait_for(r"up")
        terminal.type(b"\x03")
        terminal.end()


def test_lists_are_cut_to_the_window(tcp, env, key):
    tcp.rollouts[key]["reason"] = "long " * 50
    with Terminal(env, "rollout", "list", columns=80) as terminal:
        text = terminal.end()
    assert max(len(line) for line in text.splitlines()) == 80
    assert "…" in text
    assert terminal.code == OK
