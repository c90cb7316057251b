"""airisctl without a server: usage, suggestions, help, the page of the manual, completions."""

import os
import re
import shutil
import subprocess

import pytest

from cli_lab import AIRISCTL, OK, ROOT, UNREACHABLE, USAGE, environment, run

COMMANDS = ["app apply", "app get", "app list", "app delete", "rollout start", "rollout status",
            "rollout watch", "rollout list", "rollout explain", "rollout history", "rollout plan",
            "rollout promote", "rollout approve", "rollout pause", "rollout resume",
            "rollout retry", "rollout abort", "rollout undo", "mesh status", "db verify",
            "version", "completion", "help"]


@pytest.fixture
def alone(tmp_path):
    return environment(tmp_path, f"unix:{tmp_path}/nobody.sock")


WRONG = {
    "nothing": ([], "no command is given"),
    "unknown": (["frobnicate"], "there is no command \"frobnicate\"; `airisctl --help`"),
    "near": (["rolout"], 'did you mean "rollout"?'),
    "near in group": (["rollout", "strat", "web"], 'did you mean "rollout start"?'),
    "swapped": (["rollout", "abrot", "web"], 'did you mean "rollout abort"?'),
    "start of a name": (["rollout", "prom", "web"], 'did you mean "rollout promote"?'),
    "group alone": (["rollout"], "\"rollout\" alone is no command"),
    "operand missing": (["rollout", "abort"], "ROLLOUT|APP is missing: say which rollout"),
    "app missing": (["rollout", "start", "--image", "x:1"], "APP is missing"),
    "image missing": (["rollout", "start", "web"], "--image IMAGE is missing"),
    "file missing": (["app", "apply"], "--file FILE is missing"),
    "too many": (["app", "get", "a", "b"], '"b" is one word too many'),
    "unknown flag": (["rollout", "start", "web", "--imge", "x"], "did you mean --image?"),
    "unknown letter": (["rollout", "list", "-x"], "there is no flag -x"),
    "foreign flag": (["rollout", "status", "web", "--image", "x"], "takes no --image"),
    "value missing": (["rollout", "list", "--phase"], "--phase: its PHASE is missing"),
    "value unwanted": (["rollout", "promote", "web", "--full=yes"], "--full takes no value"),
    "bad choice": (["rollout", "list", "--phase", "done"], '"done" is not one of: queued'),
    "part of a choice": (["-o", "js", "app", "list"], '"js" is not one of: table json yaml'),
    "bad duration": (["--timeout", "5", "app", "list"], "not a duration such as 30s"),
    "zero duration": (["--timeout", "0s", "app", "list"], "not a duration"),
    "bad goal": (["rollout", "watch", "web", "--wait=done"], "allowed: succeeded, paused"),
    "bad stage": (["rollout", "watch", "web", "--wait=stage:x"], "stage:N"),
    "bad number": (["rollout", "undo", "web", "--to", "0"], "not a whole number from 1 on"),
    "twice": (["rollout", "list", "--app", "a", "--app", "b"], "given twice"),
    "empty": (["rollout", "start", "web", "--image", ""], "--image: is empty"),
    "no utf-8": (["rollout", "start", "web", "--image", b"\xff"], "not valid UTF-8"),
    "bad key": (["rollout", "start", "web", "--image", "x", "--key", "a b"], "printable ASCII"),
    "long key": (["rollout", "start", "web", "--image", "x", "--key", "a" * 129], "1 to 128"),
    "empty operand": (["app", "get", ""], "is empty"),
    "bad server": (["--server", "ftp://x", "app", "list"], "is no address of a server"),
    "path as server": (["--server", "/run/x", "app", "list"], "here unix:/run/x"),
    "long socket": (["--server", "unix:/" + "x" * 200, "app", "list"], "1 to 107 bytes"),
    "completion": (["completion", "fish"], "not one of: bash zsh"),
    "help of nothing": (["help", "rollout", "fly"], 'no command "rollout fly"'),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_code_2_and_says_what_is_wrong(name, alone):
    args, text = WRONG[name]
    done = run(alone, *args)
    assert done.code == USAGE, done
    assert text in done.err, done
    assert done.out == ""


def test_usage_of_the_command_is_shown(alone):
    done = run(alone, "rollout", "abort")
    assert "\nusage: airisctl rollout abort ROLLOUT|APP [--wait[=GOAL]] [--reason TEXT]\n" in done.err


def test_flags_stand_anywhere_and_two_dashes_end_them(alone):
    for args in (["--timeout=1s", "app", "get", "web"], ["app", "--timeout", "1s", "get", "web"],
                 ["app", "get", "web", "--timeout", "1s"], ["app", "get", "--", "--web"]):
        done = run(alone, *args)
        assert done.code == UNREACHABLE, done  # so it was understood


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, alone):
    by_flag = run(alone, *command.split(), "--help")
    by_word = run(alone, "help", *command.split())
    assert by_flag.code == by_word.code == OK
    assert by_flag.out == by_word.out
    assert by_flag.out.startswith("airisctl " + command)
    assert "\nExit codes\n" in by_flag.out
    assert all(len(line) <= 80 for line in by_flag.out.splitlines())


def test_help_lists_every_command_and_exit_code(alone):
    done = run(alone, "--help")
    assert done.code == OK
    for command in COMMANDS:
        assert f"\n  {command} " in done.out
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 130):
        assert re.search(rf"^  {code} +\S", done.out, re.M)
    group = run(alone, "rollout", "--help")
    assert "rollout start" in group.out and "app apply" not in group.out


def test_version_needs_no_server(alone):
    with open(f"{ROOT}/VERSION", encoding="ascii") as file:
        version = file.read().strip()
    done = run(alone, "--version")
    assert (done.code, done.out) == (OK, f"airisctl {version}\n")


def test_manual_is_current(alone):
    with open(f"{ROOT}/docs/man/airisctl.1", encoding="utf-8") as file:
        page = file.read()
    assert run(alone, "--man").out == page, "run: build/airisctl --man > docs/man/airisctl.1"


def test_manual_names_all_and_is_sound(alone):
    page = run(alone, "--man").out
    for command in COMMANDS:
        assert f".It Nm Cm {command}" in page
    for flag in re.findall(r"--([a-z-]+)", run(alone, "rollout", "start", "--help").out):
        assert f"Fl \\-{flag}" in page
    if shutil.which("mandoc"):
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=page, text=True,
                              capture_output=True, check=False)
        assert done.stdout == "", done.stdout


def complete(alone, *words):
    """What bash offers for the last word."""
    script = run(alone, "completion", "bash").out
    line = " ".join(f"'{word}'" for word in ("airisctl",) + words)
    script += f"COMP_WORDS=({line}); COMP_CWORD={len(words)}; _airisctl; " \
              'printf "%s\\n" "${COMPREPLY[@]}"'
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True,
                          check=False, env={"PATH": os.environ["PATH"]})
    assert done.stderr == ""
    return done.stdout.split()


def test_bash_completion(alone):
    assert complete(alone, "r") == ["rollout"]
    assert complete(alone, "rollout", "re") == ["resume", "retry"]
    assert complete(alone, "--server", "unix:x", "app", "l") == ["list"]
    assert complete(alone, "rollout", "start", "web", "--im") == ["--image"]
    assert "--image" not in complete(alone, "rollout", "status", "web", "--")
    assert complete(alone, "rollout", "list", "--phase", "pa") == ["paused"]
    assert complete(alone, "rollout", "list", "--phase", "=", "pa") == ["paused"]
    assert complete(alone, "-o", "j") == ["json"]
    assert complete(alone, "completion", "") == ["bash", "zsh"]
    assert complete(alone, "db", "") == ["verify"]
    assert "/etc/passwd" in complete(alone, "db", "verify", "/etc/passw")
    assert "--output" in complete(alone, "db", "verify", "--")
    assert complete(alone, "rollout", "start", "--image", "") == []


def test_zsh_completion(alone):
    script = run(alone, "completion", "zsh").out
    assert script.startswith("#compdef airisctl\n")
    assert "rollout) at_words='start status" in script
    if shutil.which("zsh"):
        done = subprocess.run(["zsh", "-n"], input=script, text=True, capture_output=True,
                              check=False)
        assert done.returncode == 0, done.stderr


def test_closed_output_ends_quietly(alone):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([AIRISCTL, "--help"], stdout=writer,
                          stderr=subprocess.PIPE, env=alone, check=False)
    os.close(writer)
    assert done.returncode == 1
    assert done.stderr == b""
