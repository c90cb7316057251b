"""A machine with systemd as process 1: namespaces of its own, and a root that looks like this one's
but keeps what is written in memory. Needs root, a cgroup of version 2, and overlayfs."""

import os
import shutil
import subprocess

from harness.process import SLOW, Failed, Process, wait_for

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "machine.sh")


def cgroup():
    """Where the one of this process is, in the hierarchy of version 2; None without one."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        own = [line.strip()[4:] for line in file if line.startswith("0::/")]
    with open("/proc/self/mounts", encoding="utf-8") as file:
        places = [line.split()[1] for line in file if line.split()[2] == "cgroup2"]
    return os.path.join(places[0], own[0]) if own and places else None


def why_not():
    """What this machine lacks for one inside of it, or None."""
    if os.geteuid() != 0:
        return "needs root"
    if not os.path.exists("/lib/systemd/systemd") or not shutil.which("nsenter"):
        return "needs systemd and nsenter"
    place = cgroup()
    if place is None or not os.access(place, os.W_OK):
        return "there is no cgroup of version 2 that may be written"
    tried = subprocess.run(
        ["unshare", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--pid", "--fork",
         "--mount-proc", "sh", "-ec",
         "mount -t tmpfs x /mnt && mkdir /mnt/u /mnt/w /mnt/r && mount -t overlay "
         "-o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w x /mnt/r && mount -t cgroup2 x /mnt/r/sys"],
        capture_output=True, text=True, check=False)
    return "namespaces: " + tried.stderr.strip() if tried.returncode else None


class Machine:
    def __init__(self, folder):
        for name in ("root", "root.memory"):
            (folder / name).mkdir()
        self.group = os.path.join(cgroup(), f"airis-test-{os.getpid()}")
        self.enter, self.root = [], None
        # It ends when this process does, however that ends.
        self.process = Process(
            ["sh", "-c", f'mkdir "{self.group}" && echo $$ >"{self.group}/cgroup.procs" && '
             "exec setpriv --pdeathsig KILL unshare --mount --uts --ipc --net --cgroup --pid "
             f'--fork --kill-child "{SCRIPT}" "{folder}/root"'], str(folder / "machine.log"))

    def start(self):
        self.process.start()
        try:
            wait_for("systemd", self.is_up)
        except Failed as e:
            self.stop()
            raise Failed(f"{e}\n{self.process.text()}") from None
        return self

    def is_up(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
            first = file.read().split()[0]
        with open(f"/proc/{first}/comm", encoding="utf-8") as file:
            assert file.read() == "systemd\n"
        self.enter = ["nsenter", f"--target={first}", "--all", "--root", "--wd"]
        self.root = f"/proc/{first}/root"
        return self.run("systemctl", "is-active", "machine.target", status=None) == "active\n"

    def run(self, *command, status=0, user=None, timeout=60):
        """What it said; status: the one it must have, None: any."""
        who = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        done = subprocess.run(
            [*self.enter, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", *who,
             *command], capture_output=True, text=True, timeout=timeout * SLOW, check=False)
        if status is not None and done.returncode != status:
            raise Failed(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout if status in (0, None) else done.stdout + done.stderr

    def write(self, path, text, mode=0o644, group=None):
        """group: its name, there."""
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.root + path, mode)
        if group:
            self.run("chgrp", group, path)

    def show(self, unit, name):
        return self.run("systemctl", "show", "--value", "-p", name, unit).strip()

    def journal(self, *which):
        return self.run("journalctl", "--no-pager", "-o", "cat", *which, status=None)

    def drop_in(self, unit, name, text):
        self.write(f"/etc/systemd/system/{unit}.d/{name}.conf", text)
        self.run("systemctl", "daemon-reload")

    def no_drop_ins(self, unit):
        self.run("rm", "-rf", f"/etc/systemd/system/{unit}.d")
        self.run("systemctl", "daemon-reload")

    def stop(self):
        """All that runs in it ends with it."""
        self.process.kill()
        wait_for("the end of all", self.empty)

    def empty(self):
        """The kernel takes a cgroup away only when nothing is left in it."""
        for where, _, _ in os.walk(self.group, topdown=False):
            os.rmdir(where)
        return not os.path.exists(self.group)
