"""`make deb`: the same bytes each time, what stands in it, what lintian says, and what installing,
upgrading and purging it do and leave, in a root of its own."""

import atexit
import contextlib
import fcntl
import functools
import glob
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from harness.process import BUILD, ROOT
from test_install import PLACES, read

ARCH = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
VERSION = f"{read(ROOT, 'VERSION').strip()}-1"
NAME = f"airis_{VERSION}_{ARCH}.deb"
SYMBOLS = f"airis-dbgsym_{VERSION}_{ARCH}.deb"
UNITS = ("airisd.service", "airisd.socket", "airisd-backup.service", "airisd-backup.timer")
# What Debian has elsewhere, or in another form, than `make install` puts it.
MOVED = (("usr/lib/systemd/system/", "lib/systemd/system/"),
         ("usr/share/zsh/site-functions/", "usr/share/zsh/vendor-completions/"))


def out(*command, **more):
    return subprocess.check_output([str(word) for word in command], text=True, **more)


def make_deb(umask, check=True, **env):
    plain = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(["make", "--no-print-directory", "-s", "O=" + os.path.relpath(BUILD, ROOT),
                           "deb"], cwd=ROOT, env={**plain, **env}, capture_output=True, text=True,
                          timeout=600, umask=umask, check=check)


@contextlib.contextmanager
def alone():
    """No other run of the tests packs in the same folder meanwhile."""
    with open(os.path.join(BUILD, "deb.lock"), "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@functools.cache
def both():
    """Copies of the packages, made once for all tests that want them."""
    folder = tempfile.mkdtemp(prefix="airis-deb-")
    atexit.register(shutil.rmtree, folder)
    with alone():
        done = make_deb(0o022)
        paths = [os.path.join(BUILD, name) for name in (NAME, SYMBOLS)]
        assert done.stdout.split() == paths and "warning" not in done.stderr, done.stderr
        return [shutil.copy(path, folder) for path in paths]


@pytest.fixture(name="deb", scope="module")
def fixture_deb():
    return both()


@pytest.fixture(name="tree", scope="module")
def fixture_tree(deb, tmp_path_factory):
    """What is in the package, and in DEBIAN/ what dpkg is told."""
    folder = str(tmp_path_factory.mktemp("deb") / "tree")
    subprocess.run(["dpkg-deb", "-R", deb[0], folder], check=True)
    return folder


def test_the_same_tree_gives_the_same_bytes(deb):
    def content(path):
        with open(path, "rb") as file:
            return file.read()
    # The scripts find the tree from anywhere; nothing of the caller's gets in.
    with alone():
        make_deb(0o077, TZ="Asia/Tokyo", LANG="de_DE.UTF-8")
        for path in deb:
            assert content(os.path.join(BUILD, os.path.basename(path))) == content(path)


def test_programs_for_tests_are_not_packed():
    for name in ("SAN", "CRASH", "GCOV"):
        done = make_deb(0o022, check=False, **{name: "1"})
        assert done.returncode == 2 and "goes without SAN, CRASH and GCOV" in done.stderr


def expected():
    found = {}
    for name, mode in PLACES.items():
        for of, to in MOVED:
            name = name.replace(of, to)
        found[name + (".gz" if "/man/" in name else "")] = mode
    found["etc/airis/airisd.yaml"] = 0o644  # 0640 and of the group airis, once there is one
    for path in glob.glob(os.path.join(ROOT, "config/apps/*.yaml")):
        found["usr/share/doc/airis/apps/" + os.path.basename(path)] = 0o644
    for name in ("doc/airis/copyright", "doc/airis/changelog.Debian.gz", "lintian/overrides/airis"):
        found["usr/share/" + name] = 0o644
    return found


def test_what_is_in_it(deb, tree):
    want = expected()
    lines = out("dpkg-deb", "-c", deb[0]).splitlines()
    seen = set()
    for line in lines:
        rights, owner, _, _, _, name = line.split(maxsplit=5)
        assert owner == "root/root" and "s" not in rights and "t" not in rights, line
        assert rights.startswith("drwxr-xr-x") or name[2:] in want, line
        if not rights.startswith("d"):
            seen.add(name[2:])
    assert seen == want.keys()
    for name, mode in want.items():
        assert os.stat(os.path.join(tree, name)).st_mode & 0o777 == mode, name
    for page in glob.glob(f"{tree}/usr/share/man/*/*"):
        data = open(page, "rb").read()
        assert data[3] & 0x08 == 0 and data[4:8] == bytes(4), "gzip -9n: no name, no time"
    for unit in UNITS:
        text = read(tree, "lib/systemd/system", unit)
        assert "/usr/local/bin" not in text
        if unit.endswith(".service"):
            assert "\nExecStart=/usr/bin/airisd --config /etc/airis/airisd.yaml" in text


def test_what_dpkg_is_told(tree):
    fields = dict(re.findall(r"^(\S+): (.*)$", read(tree, "DEBIAN/control"), re.M))
    assert (fields["Package"], fields["Version"]) == ("airis", VERSION)
    assert fields["Architecture"] == ARCH and int(fields["Installed-Size"]) > 500
    for needed in ("libc6", "libcurl4", "libsqlite3-0", "libssl3", "libmicrohttpd12",
                   "systemd | systemd-standalone-sysusers"):
        assert needed in fields["Depends"]
    assert read(tree, "DEBIAN/conffiles") == "/etc/airis/airisd.yaml\n"
    subprocess.run(["md5sum", "--check", "--quiet", "--strict", "DEBIAN/md5sums"], cwd=tree,
                   check=True)
    summed = {line.split("  ", 1)[1] for line in read(tree, "DEBIAN/md5sums").splitlines()}
    assert summed == expected().keys() - {"etc/airis/airisd.yaml"}
    for script in ("postinst", "prerm", "postrm"):
        assert os.stat(f"{tree}/DEBIAN/{script}").st_mode & 0o777 == 0o755
        subprocess.run(["sh", "-n", f"{tree}/DEBIAN/{script}"], check=True)


@pytest.mark.parametrize("program", ["airisd", "airisctl"])
def test_the_programs_are_hardened_and_lean(deb, tree, tmp_path, program):
    path = f"{tree}/usr/bin/{program}"
    seen = out("readelf", "-hdlSW", path)
    assert re.search(r"Type: +DYN", seen) and "GNU_RELRO" in seen and "BIND_NOW" in seen
    assert re.search(r"GNU_STACK .* RW +0x", seen), "no executable stack"
    assert ".symtab" not in seen and ".debug_info" not in seen
    assert "__stack_chk_fail" in out("readelf", "--dyn-syms", "-W", path)
    notes, built = out("readelf", "-n", path), out("readelf", "-n", os.path.join(BUILD, program))
    features = re.findall(r"Properties: .*", built)
    assert features == re.findall(r"Properties: .*", notes)
    # What debuggers need is in the other package, under the id of the program.
    number = re.search(r"Build ID: (\w+)", notes)[1]
    assert number in out("dpkg-deb", "-f", deb[1], "Build-Ids").split()
    subprocess.run(["dpkg-deb", "-x", deb[1], tmp_path], check=True)
    symbols = tmp_path / f"usr/lib/debug/.build-id/{number[:2]}/{number[2:]}.debug"
    assert ".debug_info" in out("readelf", "-SW", symbols)
    assert out("dpkg-deb", "-f", deb[1], "Depends") == f"airis (= {VERSION})\n"


def test_the_programs_run(tree, tmp_path):
    for program in ("airisd", "airisctl"):
        said = out(f"{tree}/usr/bin/{program}", "--version")
        assert said.splitlines()[0] == f"{program} {VERSION.rpartition('-')[0]}"
    assert "no errors" in out(f"{tree}/usr/bin/airisd", "--check", "--config",
                              f"{tree}/etc/airis/airisd.yaml")
    done = subprocess.run([f"{tree}/usr/bin/airisctl", "db", "verify", tmp_path / "a.db"], env={},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "there is no database" in done.stdout


@pytest.mark.skipif(not shutil.which("lintian"), reason="lintian is not installed")
def test_lintian(deb):
    """Overridden is one thing, with its reason: nothing in Debian's bug tracker asks for it."""
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", *deb],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert len(re.findall("^airis: ", read(ROOT, "tools/deb/lintian-overrides"), re.M)) == 1


# --- in a root of its own ---------------------------------------------------------------------


class Root:
    """An empty root, with dpkg's own files and nothing else."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("updates", "info"):
            (folder / "var/lib/dpkg" / name).mkdir(parents=True)
        (folder / "var/lib/dpkg/status").touch()

    def dpkg(self, *args):
        done = subprocess.run(
            ["dpkg", f"--root={self.folder}", "--force-script-chrootless", "--force-depends",
             "--force-confold", "--force-unsafe-io", "--log=/dev/null", *args], capture_output=True, text=True,
            timeout=120, umask=0o022, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def at(self, name):
        return self.folder / name

    def owner(self, name):
        status = self.at(name).stat()
        return status.st_uid, status.st_gid, status.st_mode & 0o777

    def airis(self):
        line = re.search(r"^airis:.*$", self.at("etc/passwd").read_text(), re.M)[0].split(":")
        return int(line[2]), int(line[3])

    def enabled(self):
        return sorted(os.path.basename(path)
                      for path in glob.glob(f"{self.folder}/etc/systemd/system/*.wants/*"))


def next_package(tree, folder):
    """The same with a higher version and another sample."""
    shutil.copytree(tree, folder)
    control = folder / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {VERSION}", "Version: 99-1"))
    with open(folder / "etc/airis/airisd.yaml", "a", encoding="utf-8") as file:
        file.write("# more\n")
    subprocess.run(["dpkg-deb", "--root-owner-group", "-Znone", "-b", folder, f"{folder}.deb"],
                   check=True, capture_output=True)
    return f"{folder}.deb"


@pytest.mark.skipif(os.geteuid() != 0, reason="dpkg --root needs root")
def test_installed_upgraded_removed_purged(deb, tree, tmp_path):
    (tmp_path / "root").mkdir()
    root = Root(tmp_path / "root")
    root.dpkg("-i", deb[0])
    user, group = root.airis()
    assert user > 0 and root.owner("etc/airis") == (0, group, 0o750)
    assert root.owner("etc/airis/airisd.yaml") == (0, group, 0o640)
    assert root.owner("var/backups/airis") == (user, group, 0o750)
    assert root.enabled() == [], "nothing runs before its settings say where"

    # The operator makes it theirs; an upgrade leaves all of that.
    unit = ["systemctl", f"--root={root.folder}", "--quiet"]
    subprocess.run([*unit, "enable", "airisd.service", "airisd-backup.timer"], check=True)
    enabled = ["airisd-backup.timer", "airisd.service"]
    assert root.enabled() == enabled
    kept = {"etc/airis/airisd.yaml": "# mine\n", "etc/airis/kube-token": "secret\n",
            "var/lib/airis/airis.db": "rows\n", "var/backups/airis/monday.db": "rows\n"}
    root.at("var/lib/airis").mkdir(mode=0o700)
    for name, text in kept.items():
        root.at(name).write_text(text)
    root.at("etc/airis/kube-token").chmod(0o600)
    root.dpkg("-i", next_package(tree, tmp_path / "next"))
    assert root.enabled() == enabled
    assert root.owner("etc/airis/airisd.yaml") == (0, group, 0o640)
    assert root.owner("etc/airis/kube-token")[2] == 0o600
    assert {name: root.at(name).read_text() for name in kept} == kept

    root.dpkg("--remove", "airis")
    assert not root.at("usr/bin/airisd").exists() and not root.at("lib/systemd/system").exists()
    assert {name: root.at(name).read_text() for name in kept} == kept

    said = root.dpkg("--purge", "airis")
    for left in ("/var/lib/airis", "/var/backups/airis", "/etc/airis"):
        assert f"airis: left as it is: {left}\n" in said
    del kept["etc/airis/airisd.yaml"]
    assert {name: root.at(name).read_text() for name in kept} == kept
    assert not root.at("etc/airis/airisd.yaml").exists() and root.enabled() == []
    assert not glob.glob(f"{root.folder}/etc/systemd/system/airis*")


@pytest.mark.skipif(os.geteuid() != 0, reason="dpkg --root needs root")
def test_purged_at_once_and_installed_again(deb, tmp_path):
    """What is masked by a removal is not masked for ever."""
    root = Root(tmp_path)
    root.dpkg("-i", deb[0])
    root.dpkg("--remove", "airis")
    root.dpkg("-i", deb[0])
    assert not glob.glob(f"{root.folder}/etc/systemd/system/airis*")
    assert "left as it is" not in root.dpkg("--purge", "airis"), "there is nothing in them"
    assert not root.at("etc/airis").exists()
