"""Secrets that systemd hands over: ${CREDENTIALS_DIRECTORY}/NAME where a setting names a file."""
import http.client
import os
import signal
import subprocess

import pytest

from harness.process import BUILD, SLOW, Process, free_port, wait_for

AIRISD = os.path.join(BUILD, "airisd")
FOLDER = "${CREDENTIALS_DIRECTORY}"
TOKEN = "0123456789abcdef0123"


@pytest.fixture(name="folder")
def fixture_folder(tmp_path):
    """What systemd makes of LoadCredential=token:… and kube:…"""
    made = tmp_path / "credentials"
    made.mkdir()
    for name in ("token", "kube"):
        (made / name).write_text(TOKEN + "\n")
        (made / name).chmod(0o400)
    return made


def write(tmp_path, listen, more=""):
    path = tmp_path / "airisd.yaml"
    path.write_text(f"store: {{path: {tmp_path}/db}}\nlisten:\n  {listen}\n{more}")
    return str(path)


def environment(folder):
    env = {name: value for name, value in os.environ.items() if name != "CREDENTIALS_DIRECTORY"}
    return env if folder is None else {**env, "CREDENTIALS_DIRECTORY": str(folder)}


def airisd(path, *args, folder=None):
    return subprocess.run([AIRISD, "--config", path, *args], env=environment(folder), check=False,
                          capture_output=True, text=True, timeout=20 * SLOW)


def status(port, token):
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    conn.request("GET", "/v1/version", headers={"Authorization": "Bearer " + token})
    return conn.getresponse().status


def test_a_token_is_a_credential(tmp_path, folder):
    """And the settings may be read again with it."""
    port = free_port()
    path = write(tmp_path, f"tcp: 127.0.0.1:{port}\n  tokenFile: {FOLDER}/token")
    process = Process([AIRISD, "--config", path], str(tmp_path / "log"), environment(folder))
    process.start()
    try:
        wait_for("it", lambda: status(port, TOKEN) == 200)
        assert status(port, "another") == 401
        write(tmp_path, f"tcp: 127.0.0.1:{port}\n  tokenFile: {FOLDER}/tokn")
        os.kill(process.pid, signal.SIGHUP)
        wait_for("what is wrong", lambda: 'no credential "tokn"' in process.text())
        assert "airisd.yaml:4: listen.tokenFile" in process.text()
        assert process.stop()[0] == 0
    finally:
        process.kill()


def test_several_files(tmp_path, folder):
    """A kubeconfig may be more than one, and each a credential or a file."""
    path = write(tmp_path, "socket: /s",
                 f"clusters: [{{name: a, kubeconfig: \"{FOLDER}/kube:/etc/k:{FOLDER}/token\"}}]\n")
    shown = airisd(path, "--print-config", folder=folder).stdout
    assert f"kubeconfig: {folder}/kube:/etc/k:{folder}/token\n" in shown.replace('"', "")
    # Who has no credentials sees what is written, and it is read as the same again.
    shown = airisd(path, "--print-config").stdout
    assert f"{FOLDER}/kube:/etc/k:{FOLDER}/token" in shown
    again = tmp_path / "again.yaml"
    again.write_text(shown)
    assert airisd(str(again), "--print-config").stdout == shown


@pytest.mark.parametrize("key, text", [
    ("listen.tokenFile", "tcp: 127.0.0.1:1\n  tokenFile: {}"),
    ("clusters[0].kubeconfig", "socket: /s\nclusters:\n- {{name: a, kubeconfig: \"/etc/k:{}\"}}"),
    ("clusters[0].istiod.tokenFile",
     "socket: /s\nclusters:\n- name: a\n  istiod: {{discover: true, tokenFile: \"{}\"}}"),
    ("prometheus[0].passwordFile", "socket: /s\nprometheus:\n- url: http://p\n  username: u\n"
                                   "  passwordFile: {}"),
    ("prometheus[1].caFile", "socket: /s\nprometheus:\n- url: https://p\n- name: b\n"
                             "  url: https://q\n  caFile: {}")])
def test_one_that_is_not_there_keeps_it_from_starting(tmp_path, folder, key, text):
    """Each file of the settings; a check without credentials looks at the form alone."""
    path = write(tmp_path, text.format(FOLDER + "/gone"))
    assert airisd(path, "--check").returncode == 0
    for args in ((), ("--check",)):
        done = airisd(path, *args, folder=folder)
        assert done.returncode == 1 and f": {key}: " in done.stderr, done.stderr
        assert f'no credential "gone" in {folder}' in done.stderr
        assert "LoadCredential=gone:FILE" in done.stderr
    path = write(tmp_path, text.format(FOLDER + "/token"))
    done = airisd(path)
    assert done.returncode == 1 and f": {key}: " in done.stderr, done.stderr
    assert done.stderr.startswith(path + ":") and "CREDENTIALS_DIRECTORY is not set" in done.stderr
    assert airisd(path, "--check", folder=folder).returncode == 0
    assert TOKEN not in done.stderr


@pytest.mark.parametrize("written", [
    FOLDER, FOLDER + "/", FOLDER + "/../token", FOLDER + "/a/b", FOLDER + "/.token", "/x/" + FOLDER,
    FOLDER + "token", "${HOME}/token", FOLDER + "/a:b", "x${"])
def test_other_forms_are_errors(tmp_path, folder, written):
    path = write(tmp_path, f"tcp: 127.0.0.1:1\n  tokenFile: {written}")
    for where in (None, folder):
        done = airisd(path, "--check", folder=where)
        assert done.returncode == 1 and done.stderr.startswith(f"{path}:4: listen.tokenFile: ")
        assert f"{FOLDER}/NAME" in done.stderr


def test_a_folder_with_a_long_name(tmp_path):
    """What does not fit is refused, not cut."""
    deep = tmp_path
    for _ in range(3):
        deep = deep / ("d" * 240)
    os.makedirs(deep)
    name = "n" * (1023 - len(str(deep)) - 1)
    (deep / name).write_text(TOKEN)
    (deep / (name + "n")).write_text(TOKEN)
    path = write(tmp_path, f"tcp: 127.0.0.1:1\n  tokenFile: {FOLDER}/{name}")
    assert airisd(path, "--check", folder=deep).returncode == 0
    path = write(tmp_path, f"tcp: 127.0.0.1:1\n  tokenFile: {FOLDER}/{name}n")
    done = airisd(path, "--check", folder=deep)
    assert done.returncode == 1 and "longer than 1023 bytes" in done.stderr
