"""The documents say what the programs do: they are written from the same tables, and committed as
they come out today."""

import glob
import os
import re
import subprocess

import pytest
import yaml

from harness.process import BUILD, ROOT
from harness.tls import Authority

PAGES = sorted(glob.glob(os.path.join(ROOT, "docs/man/*.[1-9]")))


def out(program, *words):
    return subprocess.check_output([os.path.join(BUILD, program), *words], text=True)


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


@pytest.fixture(name="fresh", scope="module")
def fixture_fresh(tmp_path_factory):
    """Written anew."""
    folder = tmp_path_factory.mktemp("docs")
    subprocess.run(["make", "-s", "O=" + os.path.relpath(BUILD, ROOT),
                    os.path.relpath(BUILD, ROOT) + "/airis-docs"], cwd=ROOT, check=True)
    subprocess.run([os.path.join(ROOT, "tools/docs.sh"), BUILD, str(folder)], cwd=ROOT, check=True)
    return folder


@pytest.mark.parametrize("path", ["config/airisd.yaml", "docs/man/airisd.8",
                                  "docs/man/airisd.yaml.5", "docs/man/airis-app.5",
                                  "docs/metrics.md"])
def test_it_is_current(fresh, path):
    assert read(path) == (fresh / path).read_text(), "run: make docs"


def test_the_page_of_airisctl_is_current():
    assert read("docs/man/airisctl.1") == out("airisctl", "--man")


@pytest.mark.parametrize("page", PAGES, ids=os.path.basename)
def test_mandoc_has_nothing_to_say(page):
    done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", page], capture_output=True,
                          text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_flag_of_airisd_has_its_item():
    flags = set(re.findall(r"^  --([a-z-]+)", out("airisd", "--help"), re.M))
    assert {"config", "check", "print-config", "version", "help"} <= flags
    assert flags == set(re.findall(r"^\.It Fl \\-([a-z-]+)", read("docs/man/airisd.8"), re.M))


def put_certificates(folder):
    """Under the sample's names, for these files are looked into."""
    ca = Authority(folder, "clients-ca")
    os.rename(ca.crt, folder / "clients-ca.pem")
    ca.crt = str(folder / "clients-ca.pem")
    ca.issue("airisd", "DNS:localhost", "serverAuth").put(str(folder / "airisd.pem"),
                                                          str(folder / "airisd.key"))


def test_the_sample_is_taken_as_it_is_and_with_everything_in_it(tmp_path, fresh):
    """And what is in force with everything in it is what the sample says, key by key."""
    assert fresh
    put_certificates(tmp_path)
    everything = tmp_path / "all.yaml"
    tree = yaml.safe_load(out("airis-docs", "sample-all"))
    for source in tree["prometheus"]:
        del source["tokenFile"]  # a source has a password or a token, and the sample shows both
    everything.write_text(yaml.safe_dump(tree).replace("/etc/airis/tls/", f"{tmp_path}/"))
    for path in (os.path.join(ROOT, "config/airisd.yaml"), str(everything)):
        assert "no errors" in out("airisd", "--check", "--config", path)
    in_force = yaml.safe_load(out("airisd", "--print-config", "--config", str(everything)))
    assert in_force == yaml.safe_load(everything.read_text())


def paths_of(value, prefix=""):
    """The paths in a tree, as the table of settings has them."""
    if isinstance(value, list):
        return {prefix}.union(*(paths_of(item, prefix + "[]") for item in value))
    if not isinstance(value, dict) or prefix.endswith(("headers", "claims")):
        return {prefix}
    dot = prefix + "." if prefix else ""
    return {prefix} - {""} | set().union(*(paths_of(v, dot + k) for k, v in value.items()))


def test_every_setting_is_in_the_sample(fresh):
    assert fresh
    table = set(out("airis-docs", "paths").split())
    assert len(table) > 30
    sample = yaml.safe_load(out("airis-docs", "sample-all"))
    assert {path for path in paths_of(sample) if not path.endswith("[]")} == table


def test_comments_of_the_sample_come_off(tmp_path):
    """One # from each line that is not for people: those have one blank behind it."""
    text = re.sub(r"^(?:#(?=  |[a-z])|( +)#(?! ))", r"\1", read("config/airisd.yaml"), flags=re.M)
    put_certificates(tmp_path)
    text = text.replace("/etc/airis/tls/", f"{tmp_path}/")
    path = tmp_path / "airisd.yaml"
    path.write_text(text)
    assert "no errors" in out("airisd", "--check", "--config", str(path))
    assert yaml.safe_load(text)["clusters"][0]["kubeconfig"] == "/etc/airis/kubeconfig"


def test_every_error_code_is_in_rest_md():
    """And none that is not, each with its status."""
    source = read("daemon/api/answer.c")
    told = dict(re.findall(r'\[CODE_\w+\] = \{"(\w+)", "[^"]+", (\d+)\}', source))
    assert len(told) == read("daemon/api/answer.h").count("\tCODE_") - 1
    page = dict(re.findall(r"(?m)^\| `(\w+)` \| (\d{3}) \|", read("docs/rest.md")))
    assert page == told
