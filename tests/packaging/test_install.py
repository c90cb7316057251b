"""`make install` into an empty folder: all is there, the unit is one that systemd takes and that is
shut off well, settings are never overwritten, and uninstall takes away what it put there."""

import ipaddress
import os
import re
import signal
import socket
import subprocess
import time

import pytest

from harness.process import BUILD, ROOT

UNITS = "usr/lib/systemd/system"
UNIT = UNITS + "/airisd.service"
PLACES = {
    "usr/bin/airisd": 0o755, "usr/bin/airisctl": 0o755, UNIT: 0o644,
    UNITS + "/airisd.socket": 0o644, UNITS + "/airisd-backup.service": 0o644,
    UNITS + "/airisd-backup.timer": 0o644,
    "usr/lib/sysusers.d/airis.conf": 0o644, "usr/lib/tmpfiles.d/airis.conf": 0o644,
    "usr/share/man/man1/airisctl.1": 0o644, "usr/share/man/man5/airisd.yaml.5": 0o644,
    "usr/share/man/man5/airis-app.5": 0o644, "usr/share/man/man8/airisd.8": 0o644,
    "usr/share/bash-completion/completions/airisctl": 0o644,
    "usr/share/zsh/site-functions/_airisctl": 0o644, "usr/share/doc/airis/README.md": 0o644,
    "usr/share/doc/airis/rbac.yaml": 0o644, "usr/share/doc/airis/airisd.yaml": 0o644,
    "usr/share/doc/airis/exec-plugins.conf": 0o644,
    "usr/share/doc/airis/airis.rules.yaml": 0o644, "usr/share/doc/airis/airis.json": 0o644,
    "usr/share/doc/airis/apps/analytics-engine.yaml": 0o644, "etc/airis/airisd.yaml": 0o640,
}


def make(goal, folder, *where):
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "--no-print-directory", "O=" + os.path.relpath(BUILD, ROOT), goal,
         f"DESTDIR={folder}", *(where or ["prefix=/usr"])],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, umask=0o022,
        check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_below(folder):
    return {os.path.relpath(os.path.join(where, name), folder)
            for where, _, names in os.walk(folder) for name in names}


def read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


@pytest.fixture(name="root", scope="module")
def fixture_root(tmp_path_factory):
    """What is installed; no test changes it."""
    folder = str(tmp_path_factory.mktemp("root"))
    make("install", folder)
    return folder


def test_everything_is_in_its_place(root):
    found = files_below(root)
    assert PLACES.keys() <= found
    apps = {name for name in found if name.startswith("usr/share/doc/airis/apps/")}
    assert found == PLACES.keys() | apps
    for name, mode in PLACES.items():
        assert os.stat(os.path.join(root, name)).st_mode & 0o777 == mode, name


def test_prefix_and_sysconfdir_are_put_in(tmp_path):
    make("install", str(tmp_path), "prefix=/opt/airis", "sysconfdir=/opt/etc")
    unit = read(tmp_path, "opt/airis/lib/systemd/system/airisd.service")
    assert "ExecStart=/opt/airis/bin/airisd --config /opt/etc/airis/airisd.yaml" in unit
    assert "ExecPaths=+/opt/airis/bin/airisd " in unit
    assert "BindReadOnlyPaths=/opt/airis/bin/airisd " in unit
    assert "/usr/local/bin" not in unit and "/etc/airis" not in unit.replace("/opt/etc/airis", "")
    assert "d /opt/etc/airis 0750" in read(tmp_path, "opt/airis/lib/tmpfiles.d/airis.conf")


def test_settings_are_never_overwritten_and_stay(tmp_path):
    config = tmp_path / "etc/airis/airisd.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("# mine\n")
    make("install", str(tmp_path))
    assert config.read_text() == "# mine\n"
    (config.parent / "token").write_text("mine too\n")
    make("uninstall", str(tmp_path))
    assert files_below(tmp_path) == {"etc/airis/airisd.yaml", "etc/airis/token"}


def test_what_is_installed_runs(root):
    version = read(ROOT, "VERSION").strip()
    for name in ("airisd", "airisctl"):
        out = subprocess.check_output([f"{root}/usr/bin/{name}", "--version"], text=True)
        lines = out.splitlines()
        assert lines[0] == f"{name} {version}" and len(lines) == (2 if name == "airisd" else 1)
    done = subprocess.run([f"{root}/usr/bin/airisd", "--check", "--config",
                           f"{root}/etc/airis/airisd.yaml"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr


def test_bash_takes_the_completions(root):
    script = f"{root}/usr/share/bash-completion/completions/airisctl"
    subprocess.run(["bash", "-n", script], check=True)
    assert "complete " in read(script)


def verify(unit):
    """What systemd has to say about the unit itself, not about the machine."""
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit], capture_output=True,
                          text=True, check=False)
    return [line for line in done.stderr.splitlines() if os.path.basename(unit) in line]


def test_systemd_takes_the_unit(root, tmp_path):
    """With the program where it was installed, for systemd looks at that too."""
    text = read(root, UNIT).replace("/usr/bin/airisd", f"{root}/usr/bin/airisd")
    unit = tmp_path / "airisd.service"
    unit.write_text(text)
    assert verify(str(unit)) == []
    unit.write_text(text.replace("Type=notify", "Type=notfy\nWatchdogsec=3"))
    assert len(verify(str(unit))) == 2, "a bad unit must be found"


def test_systemd_takes_the_socket(root, tmp_path):
    """It starts the service beside it, with the place that the settings have."""
    text = read(root, UNITS, "airisd.socket")
    (tmp_path / "airisd.service").write_text(
        read(root, UNIT).replace("/usr/bin/airisd", f"{root}/usr/bin/airisd"))
    unit = tmp_path / "airisd.socket"
    unit.write_text(text)
    assert verify(str(unit)) == []
    sample = read(root, "etc/airis/airisd.yaml")
    place = re.search(r"^ListenStream=(.*)$", text, re.M)[1]
    mode = re.search(r"^SocketMode=(.*)$", text, re.M)[1]
    assert f"socket: {place}\n" in sample and f'socketMode: "{mode}"\n' in sample
    unit.write_text(text.replace("ListenStream=/", "ListenStream="))
    assert verify(str(unit)) != [], "a bad unit must be found"


def test_systemd_takes_the_timer(root, tmp_path):
    text = read(root, UNITS, "airisd-backup.service")
    service, timer = tmp_path / "airisd-backup.service", tmp_path / "airisd-backup.timer"
    service.write_text(text.replace("/usr/bin/airisd", f"{root}/usr/bin/airisd"))
    timer.write_text(read(root, UNITS, "airisd-backup.timer"))
    assert verify(str(service)) == [] and verify(str(timer)) == []
    timer.write_text(timer.read_text().replace("OnCalendar=daily", "OnCalendar=fortnightly"))
    assert verify(str(timer)) != [], "a bad unit must be found"


@pytest.mark.parametrize("unit, most", [("airisd", 1.1), ("airisd-backup", 0.3)])
def test_the_services_are_shut_off(root, unit, most):
    out = subprocess.check_output(["systemd-analyze", "security", "--offline=true", "--no-pager",
                                   f"{root}/{UNITS}/{unit}.service"], text=True)
    exposure = float(re.search(rf"Overall exposure level for {unit}.service: ([\d.]+)", out)[1])
    assert exposure <= most, out


def test_hosts_of_the_link_are_shut_off_alone(root):
    """The list says what may be asked; together it is all that can be one host's address."""
    unit = read(root, UNIT)
    assert "IPAddressDeny=any" in unit.splitlines()
    lists = re.findall(r"^IPAddressAllow=(.*)$", unit, re.M)
    allowed = [ipaddress.ip_network(word) for line in lists for word in line.split()]
    four = list(ipaddress.collapse_addresses(net for net in allowed if net.version == 4))
    out = sorted(ipaddress.collapse_addresses(map(ipaddress.ip_network, (
        "0.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))))
    assert not [net for net in four if any(net.overlaps(other) for other in out)]
    assert sum(net.num_addresses for net in [*four, *out]) == 2 ** 32
    for address, may in (("::1", True), ("2001:db8::1", True), ("fd12::1", True),
                         ("64:ff9b::a00:1", True), ("fe80::1", False), ("ff02::1", False)):
        assert any(ipaddress.ip_address(address) in net for net in allowed) == may, address


def test_its_root_is_made(root):
    """By what is run at the installation and at each boot, and root's alone."""
    folder = re.search(r"^RootDirectory=(.*)$", read(root, UNIT), re.M)[1]
    assert f"d {folder} 0755 root root -" in read(
        root, "usr/lib/tmpfiles.d/airis.conf").splitlines()


def test_the_timer_copies_to_where_it_may(root, tmp_path):
    """The command of the unit, with its places moved into a folder."""
    unit = read(root, UNITS, "airisd-backup.service")
    command = re.search(r"^ExecStart=(.*)$", unit, re.M)[1].split()
    folder = command[command.index("--backup") + 1]
    assert f"ReadWritePaths={folder}" in unit.splitlines()
    assert f"d {folder} 0750 airis airis" in read(root, "usr/lib/tmpfiles.d/airis.conf")
    timer = read(root, UNITS, "airisd-backup.timer").splitlines()
    for line in ("OnCalendar=daily", "Persistent=yes", "RandomizedDelaySec=1h"):
        assert line in timer, line
    daemon = Notified(root, tmp_path)
    try:
        daemon.until("READY=1")
    finally:
        daemon.close()
    copies = tmp_path / "copies"
    copies.mkdir()
    moved = {folder: str(copies), "/etc/airis/airisd.yaml": f"{tmp_path}/airisd.yaml",
             "/usr/bin/airisd": f"{root}/usr/bin/airisd"}
    subprocess.run([moved.get(word, word) for word in command], check=True)
    assert [name for name in os.listdir(copies) if name.endswith("Z.db")]


def test_the_unit_says_what_the_daemon_does(root):
    unit = read(root, UNIT)
    for line in ("Type=notify", "User=airis", "StateDirectory=airis", "RuntimeDirectory=airis",
                 "ExecReload=/bin/kill -HUP $MAINPID",
                 "ExecStart=/usr/bin/airisd --config /etc/airis/airisd.yaml"):
        assert line in unit.splitlines(), line
    assert re.search(r"^WatchdogSec=\d+$", unit, re.M)
    # The defaults of the settings are the unit's folders.
    sample = read(root, "etc/airis/airisd.yaml")
    assert "socket: /run/airis/airisd.sock" in sample and "path: /var/lib/airis/" in sample


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a user in a folder: root only")
def test_user_and_folders_are_made(tmp_path):
    make("install", str(tmp_path))
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}"], check=True)
    entry = next(line.split(":") for line in read(tmp_path, "etc/passwd").splitlines()
                 if line.startswith("airis:"))
    subprocess.run(["systemd-tmpfiles", f"--root={tmp_path}", "--create", "airis.conf"], check=True)
    user, group = int(entry[2]), int(entry[3])
    for name, owner, mode in (("etc/airis", 0, 0o750), ("etc/airis/airisd.yaml", 0, 0o640),
                              ("var/backups/airis", user, 0o750)):  # where README has backups
        status = os.stat(tmp_path / name)
        assert (status.st_uid, status.st_gid) == (owner, group)
        assert status.st_mode & 0o777 == mode


class Notified:
    """The installed airisd with a socket as systemd gives it."""

    def __init__(self, root, folder):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"{folder}/notify")
        self.socket.settimeout(20)
        with open(f"{folder}/airisd.yaml", "w", encoding="utf-8") as file:
            file.write(f"listen: {{socket: {folder}/s}}\nstore: {{path: {folder}/airis.db}}\n")
        self.log = open(f"{folder}/log", "wb")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            [f"{root}/usr/bin/airisd", "--config", f"{folder}/airisd.yaml"], stderr=self.log,
            env=dict(os.environ, NOTIFY_SOCKET=f"{folder}/notify", WATCHDOG_USEC="400000"))

    def until(self, what):
        """All that was said up to it."""
        said = []
        while what not in said:
            said += self.socket.recv(4096).decode().splitlines()
        return said

    def close(self):
        self.process.kill()
        self.process.wait()
        self.socket.close()
        self.log.close()


def test_systemd_is_told(root, tmp_path):
    daemon = Notified(root, tmp_path)
    try:
        assert "WATCHDOG=1" not in daemon.until("READY=1")
        daemon.until("WATCHDOG=1")
        daemon.process.send_signal(signal.SIGHUP)
        daemon.until("WATCHDOG=1")
        daemon.until("WATCHDOG=1")
        begin = time.monotonic()
        daemon.process.send_signal(signal.SIGTERM)
        daemon.until("STOPPING=1")
        assert daemon.process.wait(10) == 0
        assert time.monotonic() - begin < 1
    finally:
        daemon.close()
