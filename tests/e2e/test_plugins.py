"""A kubeconfig whose credentials come from a program."""
import os

import yaml

from harness.process import wait_for

FAILS = "#!/bin/sh\necho 'no such profile: prod' >&2\nexit 3\n"
WORKS = """#!/bin/sh
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
       "status": {"token": "t"}}'
"""


def write_program(path, text):
    """The whole of it at once: it may be run at any time."""
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path + ".new", 0o755)
    os.rename(path + ".new", path)


def with_plugin(kubeconfig, folder, plugin):
    """The same cluster, asked as who the plugin says."""
    with open(kubeconfig, encoding="utf-8") as file:
        config = yaml.safe_load(file)
    config["users"] = [{"name": user["name"], "user": {"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": plugin,
        "interactiveMode": "Never"}}} for user in config["users"]]
    path = os.path.join(folder, "with-plugin")
    with open(path, "w", encoding="utf-8") as file:
        yaml.safe_dump(config, file)
    return path


def test_one_that_fails_is_heard_everywhere(quick_lab, shops, make_daemon, tmp_path):
    """cluster status, preflight and the log say what it said; when it works, all goes on."""
    plugin = str(tmp_path / "plugin")
    write_program(plugin, FAILS)
    daemon = make_daemon(with_plugin(quick_lab.kubeconfig, str(tmp_path), plugin))
    with open(daemon.config, encoding="utf-8") as file:
        text = file.read()
    with open(daemon.config, "w", encoding="utf-8") as file:
        file.write(text.replace('"kubeconfig"', '"exec": true, "kubeconfig"'))
    daemon.start()
    shop = shops().create()
    daemon.apply(shop.app(gates=[], canary={"weights": [50, 100], "hold": "1s", "drain": "1s"}))
    refused = daemon.ctl("app", "preflight", shop.name)
    assert refused.returncode != 0 and "no such profile: prod" in refused.stderr, refused
    rid = daemon.start_rollout(shop.name, shop.image_of("2.0"))
    blocked = daemon.wait_blocked(rid, "no such profile: prod", 30)["blocked_on"]
    assert blocked["object"].startswith("Cluster"), blocked
    status = daemon.ctl("cluster", "status", check=0).stdout
    assert "no credentials" in status and "no such profile: prod" in status
    log = daemon.process.text()
    assert log.count("no such profile: prod; it is tried again") == 1, log
    write_program(plugin, WORKS)
    daemon.wait_phase(rid, "succeeded", 90)
    wait_for("the log", lambda: "there are credentials for context" in daemon.process.text())
    assert "no such profile" not in daemon.ctl("cluster", "status", check=0).stdout
