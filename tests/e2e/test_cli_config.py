"""Which server and which token: flag, environment, file, default; and what to check when nobody
answers."""

import os
import shutil
import socket
import subprocess
import tempfile

import pytest

from cli_lab import (AIRISCTL, FAILED, OK, REFUSED, UNREACHABLE, USAGE, Done, environment, run,
                     tcp)  # noqa: F401
from fake_api import FakeApi, problem


def write_config(home, text):
    folder = home / ".config" / "airisctl"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(text)
    return folder


def test_server_flag_before_environment_before_file(tcp, tmp_path):
    dead = "http://127.0.0.1:1"
    write_config(tmp_path, f"server: {dead}\n")
    assert run(environment(tmp_path, dead), "--server", tcp.url, "app", "list").code == OK
    assert run(environment(tmp_path, tcp.url), "app", "list").code == OK
    write_config(tmp_path, f"server: {tcp.url}/\n")
    assert run(environment(tmp_path), "app", "list").code == OK
    assert run(environment(tmp_path, AIRIS_SERVER=""), "app", "list").code == OK
    assert run(environment(tmp_path, dead), "app", "list").code == UNREACHABLE


def test_xdg_config_home(tcp, tmp_path):
    folder = tmp_path / "xdg" / "airisctl"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"server: {tcp.url}\n")
    env = environment(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "xdg"))
    assert run(env, "app", "list").code == OK


def test_default_is_the_socket_of_the_service(tmp_path):
    done = run(environment(tmp_path), "app", "list")
    assert done.code == UNREACHABLE
    assert "/run/airis/airisd.sock (the default)" in done.err
    assert "systemctl status airisd" in done.err


BAD_CONFIG = {
    "unknown key": ("sever: x\n", 'config.yaml:1: unknown key "sever" (did you mean server?)'),
    "wrong type": ("\nserver: [x]\n", "config.yaml:2: server: must be text"),
    "bad yaml": ("server: 'x\n", "config.yaml"),
    "no keys": ("hello\n", "allowed are server:, tokenFile:, caFile:, "
                           "certificateFile: and keyFile:"),
    "bad address": ("server: localhost:8080\n", "is no address of a server"),
    "no token file": ("server: http://127.0.0.1:1\ntokenFile: nothing\n", "airisctl/nothing"),
}


@pytest.mark.parametrize("name", BAD_CONFIG)
def test_bad_config_is_usage_and_says_where(name, tmp_path):
    text, expected = BAD_CONFIG[name]
    write_config(tmp_path, text)
    done = run(environment(tmp_path), "app", "list")
    assert done.code == USAGE, done
    assert expected in done.err, done


def sent_token(api):
    return api.requests[-1][2].get("Authorization")


def test_token_flag_before_environment_before_file(tcp, tmp_path):
    folder = write_config(tmp_path, f"server: {tcp.url}\ntokenFile: in-config\n")
    (folder / "in-config").write_text("from-config\n")
    (tmp_path / "flag").write_text("from-flag\n")
    (tmp_path / "env").write_text("from-env-file")
    every = {"AIRIS_TOKEN": "from-env", "AIRIS_TOKEN_FILE": str(tmp_path / "env")}
    run(environment(tmp_path, **every), "--token-file", str(tmp_path / "flag"), "app", "list")
    assert sent_token(tcp) == "Bearer from-flag"
    run(environment(tmp_path, **every), "app", "list")
    assert sent_token(tcp) == "Bearer from-env"
    del every["AIRIS_TOKEN"]
    run(environment(tmp_path, **every), "app", "list")
    assert sent_token(tcp) == "Bearer from-env-file"
    run(environment(tmp_path), "app", "list")
    assert sent_token(tcp) == "Bearer from-config"


@pytest.mark.parametrize("content", ["", "\n", "two words\n", "a\nb\n", "x" * 9000])
def test_bad_token_file(content, tcp, tmp_path):
    (tmp_path / "token").write_text(content)
    done = run(environment(tmp_path, tcp.url), "--token-file", str(tmp_path / "token"), "app", "list")
    assert done.code == USAGE
    assert str(tmp_path / "token") in done.err
    assert tcp.requests == []


def test_refused_token_says_where_it_came_from(tcp, tmp_path):
    tcp.token = "right"
    (tmp_path / "token").write_text("secret-but-wrong")
    env = environment(tmp_path, tcp.url)
    done = run(env, "--token-file", str(tmp_path / "token"), "app", "list")
    assert done.code == REFUSED
    assert f"comes from the file {tmp_path}/token (--token-file)" in done.err
    assert "secret-but-wrong" not in done.err
    done = run(env, "app", "list")
    assert done.code == REFUSED
    assert "no token was sent" in done.err
    assert run(dict(env, AIRIS_TOKEN="right"), "app", "list").code == OK


def test_no_token_on_the_socket(tmp_path):
    with FakeApi(str(tmp_path / "s")) as api:
        env = environment(tmp_path, api.url, AIRIS_TOKEN_FILE="/nonexistent")
        assert run(env, "app", "list").code == OK
        assert sent_token(api) is None


def test_actor_is_sent(tcp, tmp_path):
    env = environment(tmp_path, tcp.url, AIRIS_ACTOR="ci \x01job\n7" + "x" * 200)
    run(env, "app", "list")
    assert tcp.requests[-1][2]["X-Airis-Actor"] == ("ci job7" + "x" * 200)[:128]


def test_no_proxy_for_this_machine(tcp, tmp_path):
    env = environment(tmp_path, tcp.url, http_proxy="http://127.0.0.1:1")
    assert run(env, "app", "list").code == OK


def test_nobody_listens(tmp_path):
    path = str(tmp_path / "old.sock")
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(path)
    done = run(environment(tmp_path, "unix:" + path), "app", "list")
    assert done.code == UNREACHABLE
    assert "nobody listens on the socket" in done.err
    with socket.socket() as held:  # bound, but not listening
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        done = run(environment(tmp_path, url), "app", "list")
    assert done.code == UNREACHABLE
    assert "Connection refused" in done.err and "Is airisd running there" in done.err


@pytest.mark.parametrize("what, text", [("socket", "you may not open the socket"),
                                        ("folder", "you may not enter the folder")])
def test_forbidden_socket(what, text, tmp_path):
    folder = tempfile.mkdtemp(prefix="airis-")
    with FakeApi(folder + "/s") as api:
        os.chmod(folder, 0o755 if what == "socket" else 0)
        os.chmod(api.path, 0)
        env = environment(tmp_path, api.url)
        # Root may open everything.
        done = run_as_nobody(env, "app", "list") if os.geteuid() == 0 else run(env, "app", "list")
        os.chmod(folder, 0o700)
    shutil.rmtree(folder)
    assert done.code == UNREACHABLE, done
    assert text in done.err


def run_as_nobody(env, *args):
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", AIRISCTL,
                           *args], env=env, capture_output=True, text=True, check=False)
    if "Permission denied" in done.stderr and "airisctl" not in done.stderr.split(":")[0]:
        pytest.skip("nobody may not run the binary here")
    return Done(done.returncode, done.stdout, done.stderr)


def test_unknown_host(tmp_path):
    done = run(environment(tmp_path, "http://airis.invalid:80"), "app", "list")
    assert done.code == UNREACHABLE
    assert "is not known here" in done.err


def test_a_token_is_not_sent_in_clear(tmp_path):
    """Not to another host without TLS, whatever its name begins with; to this one it may."""
    for host, clear in (("airis.invalid", True), ("10.1.2.3:8484", True),
                        ("localhost.invalid", True), ("localhost@airis.invalid", True),
                        ("127.0.0.1.invalid", True),
                        ("localhost:1", False), ("127.0.0.1:1", False), ("[::1]:1", False)):
        done = run(environment(tmp_path, f"http://{host}", AIRIS_TOKEN="of-mine"), "app", "list")
        assert done.code == (USAGE if clear else UNREACHABLE), (host, done)
        assert ("for all to read" in done.err) == clear and "of-mine" not in done.err, done.err


def test_no_answer_in_time(tcp, tmp_path):
    tcp.fail("GET /v1/apps", "hang")
    done = run(environment(tmp_path, tcp.url), "--timeout", "300ms", "app", "list")
    assert done.code == UNREACHABLE
    assert "did not answer in time" in done.err


def test_lost_connection(tcp, tmp_path):
    tcp.fail("GET /v1/apps", "drop")
    done = run(environment(tmp_path, tcp.url), "app", "list")
    assert done.code == UNREACHABLE
    assert "was lost" in done.err


def test_answers_of_others(tcp, tmp_path):
    env = environment(tmp_path, tcp.url)
    tcp.fail("GET", (200, b"<html>hello</html>", "text/html"))
    done = run(env, "app", "list")
    assert done.code == FAILED and "text/html: is it airisd?" in done.err
    tcp.fail("GET", (502, b"<html>", "text/html"))
    done = run(env, "app", "list")
    assert done.code == FAILED and "status 502" in done.err
    tcp.fail("GET", (302, b"", "text/html"))
    assert run(env, "app", "list").code == FAILED
    tcp.fail("GET", problem(500, "internal", "the disk is full"))
    done = run(env, "app", "list")
    assert done.code == FAILED
    assert "airisd failed (500 internal): the disk is full" in done.err


def test_control_characters_never_reach_the_terminal(tcp, tmp_path):
    tcp.fail("GET", problem(404, "not_found", "a\x1b]0;evil\x07b\u009b2J\x7f"))
    done = run(environment(tmp_path, tcp.url), "app", "list")
    assert done.code == REFUSED
    assert not any(c in done.err for c in "\x1b\x07\x7f\u009b")
    assert "a ]0;evil b 2J" in done.err


def test_version_of_both(tcp, tmp_path):
    done = run(environment(tmp_path, tcp.url), "version")
    assert done.code == OK
    assert f"airisd   9.9.9 at {tcp.url}\n" in done.out
    tcp.stop()
    done = run(environment(tmp_path, tcp.url), "version")
    assert done.code == UNREACHABLE
    assert done.out.startswith("airisctl ")
