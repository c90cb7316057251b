"""The package on a machine of its own whose process 1 is systemd, with all that the units shut off:
started and asked, stopped, hung, killed, reloaded, called by its socket, backed up, and releasing."""

import glob
import json
import os
import re
import shutil
import time

import pytest

from harness.process import BUILD, SLOW, wait_for
from harness.tls import Authority
from machine import Machine, why_not
from test_deb import both

LACKS = why_not()
pytestmark = pytest.mark.skipif(LACKS is not None, reason=f"no systemd of its own: {LACKS}")

TOKEN, KUBE_TOKEN = "0123456789abcdef0123", "kube-0123456789"
# A secret of root's, and a kubeconfig where the service does not look by itself.
DROP_IN = """[Service]
LoadCredential=token:/etc/airis-token
BindReadOnlyPaths=/srv/sim
"""
SETTINGS = """
listen:
  socket: /run/airis/airisd.sock
  tcp: 127.0.0.1:8484
  tls: {certificateFile: /etc/airis/airisd.crt, keyFile: /etc/airis/airisd.key}
  tokenFile: ${CREDENTIALS_DIRECTORY}/token
access: [{user: alice, role: admin}]
store: {path: /var/lib/airis/airis.db}
log: {level: LEVEL}
mesh: {settle: 500ms}
audit: {signKeyFile: /etc/airis/audit.key}
clusters:
  - {name: default, kubeconfig: /srv/sim/kubeconfig-ca}
  - {name: plugin, kubeconfig: /etc/airis/plugin, exec: true}
"""
RESOLVER = "/run/systemd/resolve/stub-resolv.conf"
# It stands for a cloud's tool: it asks the metadata of the host for a token.
PLUGIN = """#!/bin/sh
exec curl -sS --max-time 5 http://169.254.169.254/token 2>>"$HOME/plugin.log"
"""
METADATA = """
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"apiVersion": "client.authentication.k8s.io/v1", "kind": '
                         b'"ExecCredential", "status": {"token": "KUBE_TOKEN"}}')
http.server.HTTPServer(("169.254.169.254", 80), Handler).serve_forever()
"""
WEB = {"apiVersion": "apps/v1", "kind": "Deployment",
       "metadata": {"name": "web", "namespace": "shop"},
       "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": {
           "metadata": {"labels": {"app": "web"}},
           "spec": {"containers": [{"name": "web", "image": "registry.local/web:1"}]}}}}
APP = {"kind": "App", "name": "web", "namespace": "shop", "workload": {"name": "web"},
       "strategy": {"rolling": {"batches": ["100%"], "steady": "1s"}}}


class Host(Machine):
    """With the package, its settings, a cluster, and two users, of whom alice may use airisd."""

    def start(self):
        super().start()
        shutil.copy(both()[0], self.root + "/srv/airis.deb")
        shutil.copy(os.path.join(BUILD, "airis-sim"), self.root + "/usr/local/bin/airis-sim")
        self.install()
        self.run("useradd", "alice", "-U", "-G", "airis")
        self.run("useradd", "bob", "-U")
        # As systemd-resolved has it.
        self.write(RESOLVER, "nameserver 127.0.0.53\n")
        return self

    def install(self):
        self.run("dpkg", "--force-unsafe-io", "-i", "--no-triggers", "/srv/airis.deb")

    def begin_cluster(self):
        self.run("systemd-run", "-q", "--unit=sim", "/usr/local/bin/airis-sim", "-dir", "/srv/sim",
                 "-tls", "-token", KUBE_TOKEN, "-port", "6443", "-ready-after", "100ms")
        wait_for("the cluster", lambda: os.path.exists(self.root + "/srv/sim/ready"))
        self.run("chown", "-R", "root:airis", "/srv/sim")
        self.run("chmod", "-R", "g+rX", "/srv/sim")
        for path, thing in (("/api/v1/namespaces", {"metadata": {"name": "shop"}}),
                            ("/api/v1/namespaces", {"metadata": {"name": "airis"}}),
                            ("/apis/apps/v1/namespaces/shop/deployments", WEB)):
            self.kube(path, "-d", json.dumps(thing))
        self.write("/etc/airis/plugin", json.dumps({
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {
                "server": "https://localhost:6443",
                "certificate-authority": "/srv/sim/apiserver.crt"}}],
            "users": [{"name": "u", "user": {"exec": {
                "apiVersion": "client.authentication.k8s.io/v1", "command": "cloud-token",
                "interactiveMode": "Never"}}}]}), 0o640, "airis")

    def kube(self, path, *args):
        return json.loads(self.run(
            "curl", "-fsSk", "-H", f"Authorization: Bearer {KUBE_TOKEN}", "-H",
            "Content-Type: application/json", f"https://127.0.0.1:6443{path}", *args))

    def settings(self, level="info"):
        self.write("/etc/airis/airisd.yaml", SETTINGS.replace("LEVEL", level), 0o640, "airis")

    def ctl(self, *args, user="alice", status=0):
        return self.run("airisctl", *args, user=user, status=status)

    def status_of(self, token):
        return self.run("curl", "-sS", "--cacert", "/etc/airis/ca.crt", "-o", "/dev/null", "-w",
                        "%{http_code}", "-H", f"Authorization: Bearer {token}",
                        "https://127.0.0.1:8484/v1/version")

    def pid(self):
        return int(self.show("airisd", "MainPID"))

    def until_another(self, pid, restarts):
        """Until systemd has started one in place of it."""
        wait_for("another airisd", lambda: self.show("airisd", "ActiveState") == "active" and
                 self.pid() not in (0, pid), 40)
        assert int(self.show("airisd", "NRestarts")) == restarts + 1


@pytest.fixture(name="host", scope="module")
def fixture_host(tmp_path_factory):
    folder = tmp_path_factory.mktemp("host")
    host = Host(folder)
    try:
        host.start()
        host.begin_cluster()
        authority = Authority(folder)
        pair = authority.issue("airisd", "IP:127.0.0.1", "serverAuth")
        for path, name in ((authority.crt, "ca.crt"), (pair.crt, "airisd.crt"),
                           (pair.key, "airisd.key")):
            host.write(f"/etc/airis/{name}", open(path, encoding="ascii").read(), 0o640, "airis")
        host.run("openssl", "genpkey", "-algorithm", "ed25519", "-out", "/etc/airis/audit.key")
        host.run("chown", "airis:", "/etc/airis/audit.key")
        host.write("/etc/airis-token", TOKEN + "\n", 0o600)
        host.write("/srv/app.json", json.dumps(APP))
        host.settings()
        yield host
    finally:
        host.stop()


@pytest.fixture(name="airis")
def fixture_airis(host):
    """With it running, as it was installed and with its token, and with an app."""
    host.drop_in("airisd.service", "token", DROP_IN)
    try:
        host.run("systemctl", "enable", "-q", "--now", "airisd.socket")
        host.run("systemctl", "start", "airisd.service")
        host.ctl("app", "apply", "-f", "/srv/app.json")
        yield host
    finally:
        host.run("systemctl", "stop", "airisd.socket", "airisd.service")
        host.no_drop_ins("airisd.service")
        print(host.journal("-u", "airisd", "-u", "airisd-backup", "-n", "25"))


def test_nothing_runs_before_the_operator_says_so(host):
    for unit in ("airisd.service", "airisd.socket", "airisd-backup.timer"):
        assert host.show(unit, "ActiveState") == "inactive"


def test_it_is_active_when_it_is_ready(airis):
    assert airis.show("airisd", "Type") == "notify"
    assert airis.show("airisd", "ActiveState") == "active"
    assert airis.show("airisd", "StatusText") == "ready"
    # Nothing of the unit is passed over: an option that systemd does not know, or cannot do.
    said = airis.journal("_PID=1", "-b")
    assert not re.findall(r"(?m)^.*airis.*(?:nknown|gnoring|ailed to|not support).*$", said)


def test_members_of_the_group_come_in_as_who_they_are(airis):
    assert "airisd" in airis.ctl("version")
    assert "alice" in airis.ctl("audit", "list", "--app", "web")
    assert "may not enter" in airis.ctl("app", "list", user="bob", status=7)


def test_a_secret_of_root_is_handed_over(airis):
    """And the certificate is one that others may check."""
    assert airis.status_of(TOKEN) == "200" and airis.status_of("another") == "401"


def test_what_hangs_is_killed_and_started_again(airis):
    airis.drop_in("airisd.service", "watchdog", "[Service]\nWatchdogSec=2\nRestartSec=100ms\n")
    airis.run("systemctl", "restart", "airisd")
    pid, restarts = airis.pid(), int(airis.show("airisd", "NRestarts"))
    time.sleep(2.5)
    assert airis.pid() == pid, "it says in time that it lives"
    airis.run("kill", "-STOP", str(pid))
    airis.until_another(pid, restarts)
    assert "Watchdog timeout" in airis.journal("_PID=1", "-u", "airisd")
    assert airis.status_of(TOKEN) == "200"


def test_what_dies_is_started_again_and_has_lost_nothing(airis):
    pid, restarts = airis.pid(), int(airis.show("airisd", "NRestarts"))
    airis.run("kill", "-KILL", str(pid))
    # Who asks meanwhile waits: the socket is systemd's.
    assert "web" in airis.ctl("app", "list")
    airis.until_another(pid, restarts)
    airis.run("airisctl", "db", "verify", "/var/lib/airis/airis.db")


def test_a_reload_reads_the_settings_again(airis):
    pid = airis.pid()
    airis.settings("debug")
    airis.run("systemctl", "reload", "airisd")
    assert airis.pid() == pid and airis.show("airisd", "ActiveState") == "active"
    assert "the settings were read again" in airis.journal("-u", "airisd", "-n", "50")
    airis.settings()
    airis.run("systemctl", "reload", "airisd")


def test_it_stops_at_once_and_a_request_starts_it(airis):
    begin = time.monotonic()
    airis.run("systemctl", "stop", "airisd.service")
    assert time.monotonic() - begin < 2 * SLOW
    assert airis.show("airisd", "Result") == "success"
    assert airis.show("airisd", "ActiveState") == "inactive"
    assert "web" in airis.ctl("app", "list")
    assert airis.show("airisd", "ActiveState") == "active"


def test_it_opens_the_socket_itself_without_that_unit(airis):
    airis.run("systemctl", "stop", "airisd.socket", "airisd.service")
    airis.run("systemctl", "start", "airisd.service")
    assert "web" in airis.ctl("app", "list")
    airis.ctl("app", "list", user="bob", status=7)


def test_the_backup_is_made(airis):
    airis.run("systemctl", "start", "airisd-backup.timer")
    assert airis.show("airisd-backup.timer", "ActiveState") == "active"
    airis.run("systemctl", "start", "airisd-backup.service")
    copy, = glob.glob(airis.root + "/var/backups/airis/airis-*Z.db")
    airis.run("airisctl", "db", "verify", copy.removeprefix(airis.root))


def test_a_release(airis):
    """Over TLS, with the certificate checked: the cluster's and airisd's are files in /etc."""
    airis.ctl("rollout", "start", "web", "--image", "registry.local/web:2", "--wait")
    web = airis.kube("/apis/apps/v1/namespaces/shop/deployments/web")
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.local/web:2"


def test_syslog_hears_of_the_audit(airis):
    wait_for("its head", lambda: "airis-audit seq=" in airis.journal("_TRANSPORT=syslog"))


# --- what is shut off -------------------------------------------------------------------------


PSEUDO = {"/proc", "/dev/mqueue", "/dev/pts", "/dev/shm"}


def flags_of(mountinfo):
    """Of each place."""
    lines = [line.split() for line in mountinfo.splitlines()]
    return {words[4]: set(words[5].split(",")) for words in lines}


def seen_by(host, pid, folder):
    return set(os.listdir(f"{host.root}/proc/{pid}/root{folder}"))


def test_what_it_may_write_it_cannot_run(airis):
    places = flags_of(airis.run("cat", f"/proc/{airis.pid()}/mountinfo"))
    writable = {place for place, flags in places.items() if "rw" in flags}
    assert writable - PSEUDO == {"/run/airis", "/tmp", "/var/tmp", "/var/lib/airis"}
    assert {place for place in writable if "noexec" not in places[place]} == {"/dev/pts"}
    assert all("nosuid" in flags for flags in places.values())


def test_the_backup_cannot_run_what_it_writes_either(airis):
    """Its unit, with another program in it."""
    unit = airis.run("cat", "/lib/systemd/system/airisd-backup.service")
    unit = re.sub("(?m)^ExecStart=.*", "ExecStart=/usr/bin/cat /proc/self/mountinfo", unit)
    unit = unit.replace("/usr/bin/airisd", "/usr/bin/cat")
    airis.write("/etc/systemd/system/shown.service", unit)
    airis.run("systemctl", "daemon-reload")
    airis.run("systemctl", "start", "shown.service")
    places = flags_of(airis.journal("_COMM=cat", "-u", "shown"))
    writable = {place for place, flags in places.items() if "rw" in flags}
    assert writable - PSEUDO == {"/tmp", "/var/tmp", "/var/lib/airis", "/var/backups/airis"}
    assert {place for place in writable if "noexec" not in places[place]} == {"/dev/pts"}


def test_it_sees_what_it_needs_alone(airis):
    pid = airis.pid()
    assert seen_by(airis, pid, "/") == {"bin", "dev", "etc", "lib", "lib64", "proc", "root", "run",
                                        "srv", "sys", "tmp", "usr", "var"}
    assert seen_by(airis, pid, "/srv") == {"sim"}, "the drop-in has that"
    assert seen_by(airis, pid, "/bin") == {"kill"} and seen_by(airis, pid, "/usr/bin") == {"airisd"}
    assert seen_by(airis, pid, "/usr") <= {"bin", "lib", "lib64", "local", "share"}
    assert seen_by(airis, pid, "/var/lib") <= {"airis", "ca-certificates", "sss"}
    assert seen_by(airis, pid, "/run") <= {"NetworkManager", "airis", "credentials", "resolvconf",
                                           "systemd"}
    assert os.path.basename(RESOLVER) in seen_by(airis, pid, os.path.dirname(RESOLVER))
    assert "private" not in seen_by(airis, pid, "/run/systemd"), "systemd's own socket"


def test_credential_plugins_run_with_their_drop_in(airis):
    """This one asks the metadata of the host, on an address of the link, for a token: that is
    one thing more that the operator has to allow."""
    airis.write("/usr/local/bin/cloud-token", PLUGIN, 0o755)
    airis.write("/srv/metadata.py", METADATA.replace("KUBE_TOKEN", KUBE_TOKEN))
    airis.run("ip", "address", "add", "169.254.169.254/32", "dev", "lo")
    airis.run("systemd-run", "-q", "--unit=metadata", "python3", "/srv/metadata.py")
    wait_for("the metadata", lambda: "ExecCredential" in airis.run(
        "curl", "-sS", "http://169.254.169.254/", status=None))
    airis.write("/srv/far.json", json.dumps({**APP, "name": "far", "cluster": "plugin"}))
    airis.ctl("app", "apply", "-f", "/srv/far.json")
    said = airis.root + "/var/lib/airis/plugin.log"

    def tried():
        """It has looked at the cluster, and is not done with it."""
        airis.run("timeout", "1", "airisctl", "app", "preflight", "far", user="alice", status=124)
        return os.path.exists(said) and "curl: " in open(said, encoding="utf-8").read()
    assert not tried()
    airis.drop_in("airisd.service", "exec-plugins",
                  airis.run("cat", "/usr/share/doc/airis/exec-plugins.conf"))
    airis.run("systemctl", "restart", "airisd")
    wait_for("the plugin", tried)

    airis.drop_in("airisd.service", "link", "[Service]\nIPAddressAllow=link-local\n")
    airis.run("systemctl", "restart", "airisd")
    assert "far could be released now" in airis.ctl("app", "preflight", "far")


def test_an_upgrade_starts_what_runs_anew_and_a_removal_stops_it(airis):
    pid = airis.pid()
    airis.install()
    assert airis.pid() not in (0, pid) and airis.show("airisd", "ActiveState") == "active"
    airis.run("dpkg", "--remove", "--no-triggers", "airis")
    for unit in ("airisd.service", "airisd.socket", "airisd-backup.timer"):
        assert airis.show(unit, "ActiveState") == "inactive", unit
    assert os.path.exists(airis.root + "/var/lib/airis/airis.db")
    airis.install()
