"""airisctl app: apply with its errors by file and line, get, list, delete."""

import json

import pytest
import yaml

from cli_lab import FAILED, OK, REFUSED, USAGE, api, env, run  # noqa: F401
from fake_api import problem

APP = "# the shop\nkind: App\nname: web\nnamespace: shop\nstrategy:\n  canary:\n    weights: [10]\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "app.yaml"
    path.write_text(APP)
    return path


def test_apply_sends_the_file_as_it_is(api, env, file):
    done = run(env, "app", "apply", "-f", str(file))
    assert done.code == OK, done
    assert done.out.startswith("app web is created\n")
    assert "airisctl rollout start web --image IMAGE" in done.out
    method, path, headers, body = api.requests[-1]
    assert (method, path) == ("PUT", "/v1/apps/web")
    assert headers["Content-Type"] == "application/yaml"
    assert body.decode() == APP
    done = run(env, "app", "apply", f"--file={file}")
    assert done.out.startswith("app web is unchanged\n")


def test_apply_reads_standard_input(api, env):
    done = run(env, "app", "apply", "-f-", text='  {"kind":"App","name":"x y/z"}')
    assert done.code == OK, done
    method, path, headers, _ = api.requests[-1]
    assert (method, path) == ("PUT", "/v1/apps/x%20y%2Fz")
    assert headers["Content-Type"] == "application/json"


def test_errors_of_the_server_by_file_and_line(api, env, file):
    api.fail("PUT", problem(422, "unprocessable", "the app has 2 errors; nothing was changed", [
        {"path": "strategy.canary.weights[0]", "line": 7, "detail": "10 is not enough"},
        {"path": "gates", "line": 0, "detail": "there are none"},
        {"path": "", "detail": "it is too short"}]))
    done = run(env, "app", "apply", "-f", str(file))
    assert done.code == REFUSED
    assert done.err.splitlines() == [
        f"airisctl: {file}: refused (422 unprocessable): the app has 2 errors; nothing was changed",
        f"{file}:7: strategy.canary.weights[0]: 10 is not enough",
        f"{file}: gates: there are none",
        f"{file}: it is too short"]


def test_errors_of_other_commands_by_path_and_line(api, env):
    api.fail("POST", problem(422, "unprocessable", "refused", [
        {"path": "image", "line": 1, "detail": "is no image"}]))
    done = run(env, "rollout", "start", "web", "--image", "x")
    assert done.code == REFUSED
    assert "  image:1: is no image\n" in done.err


SYNTAX = {
    "bad indent": ("kind: App\nname: web\n  x: 1\n", "3"),
    "tab": ("kind: App\nname:\n\t- x\n", "3"),
    "duplicate key": ("name: web\nkind: App\nname: web\n", "3"),
    "open quote": ("kind: App\nname: 'web\n", "3"),
    "empty": ("", " the text is empty"),
    "anchor": ("kind: App\nname: &x web\n", "2:7:"),
}


@pytest.mark.parametrize("name", SYNTAX)
def test_bad_yaml_is_shown_by_file_and_line(name, api, env, file):
    text, where = SYNTAX[name]
    file.write_text(text)
    done = run(env, "app", "apply", "-f", str(file))
    assert done.code == REFUSED, done
    assert f"{file} is refused" in done.err
    assert f"\n{file}:{where}" in done.err, done
    assert api.requests == []


def test_a_file_without_a_name(api, env, file):
    file.write_text("kind: App\n")
    done = run(env, "app", "apply", "-f", str(file))
    assert done.code == REFUSED
    assert "it has no name: at the top" in done.err
    assert api.requests == []


def test_a_file_that_cannot_be_used(api, env, tmp_path, file):
    done = run(env, "app", "apply", "-f", str(tmp_path / "none.yaml"))
    assert done.code == USAGE
    assert "No such file" in done.err
    assert run(env, "app", "apply", "-f", str(tmp_path)).code == USAGE
    file.write_text("name: " + "x" * (1 << 20))
    done = run(env, "app", "apply", "-f", str(file))
    assert done.code == USAGE
    assert "larger than the 1048576 bytes" in done.err
    assert api.requests == []


def test_get_shows_spec_and_releases(api, env, file):
    run(env, "app", "apply", "-f", str(file))
    done = run(env, "app", "get", "web")
    assert done.code == OK
    assert done.out.startswith("web in shop on prod\n")
    assert "kind: App\n" in done.out
    assert "41  1h00m ago  registry.local/web:1.9  bob" in done.out
    as_json = json.loads(run(env, "-o", "json", "app", "get", "web").out)
    as_yaml = yaml.safe_load(run(env, "-o", "yaml", "app", "get", "web").out)
    assert as_json == as_yaml == api.apps["web"]


def test_json_is_the_server_s_own(api, env):
    raw = b'{ "name":"web",\n  "number": 12345678901234567,  "x": 1.10 }'
    api.fail("GET", (200, raw))
    done = run(env, "-o", "json", "app", "get", "web")
    assert done.out.encode() == raw + b"\n"


def test_unknown_app(api, env):
    done = run(env, "app", "get", "nix")
    assert done.code == REFUSED
    assert done.err == "airisctl: refused (404 not_found): there is no app nix\n"
    assert done.out == ""
    assert run(env, "app", "delete", "nix").code == REFUSED


def test_list_takes_every_page(api, env):
    done = run(env, "app", "list")
    assert "no apps; add one with: airisctl app apply" in done.out
    api.page = 2
    names = [f"app-{n}" for n in range(5)]
    for name in names:
        run(env, "app", "apply", "-f", "-", text=f"name: {name}")
    api.requests.clear()
    done = run(env, "app", "list")
    assert [line.split()[0] for line in done.out.splitlines()] == ["APP"] + names
    assert len(api.requests) == 3
    listed = json.loads(run(env, "-o", "json", "app", "list").out)
    assert [item["name"] for item in listed["items"]] == names
    assert listed["next"] is None


def test_a_server_that_repeats_its_cursor_ends_the_list(api, env):
    page = {"items": [{"name": "a"}], "next": "a"}
    for _ in range(3):
        api.fail("GET", (200, page))
    assert run(env, "app", "list").code == OK
    assert len(api.requests) == 2


def test_preflight(api, env):
    run(env, "app", "apply", "-f", "-", text="name: web")
    api.plans["preflight"] = {"ok": True, "findings": [
        {"severity": "warns", "text": "PodDisruptionBudget web allows nothing"}]}
    done = run(env, "app", "preflight", "web")
    assert (done.code, done.err) == (OK, "")
    assert api.requests[-1][:2] == ("POST", "/v1/apps/web/preflight")
    assert done.out == ("web could be released now\n"
                        "  ? PodDisruptionBudget web allows nothing\n")
    api.plans["preflight"] = {"ok": False, "findings": [
        {"severity": "blocks", "text": "Deployment shop/web does not exist"},
        {"severity": "blocks", "text": "Service shop/web does not exist"}]}
    done = run(env, "app", "preflight", "web")
    assert done.code == REFUSED
    assert done.out == ("web would not be released now:\n"
                        "  ✗ Deployment shop/web does not exist\n"
                        "  ✗ Service shop/web does not exist\n")
    done = run(env, "-o", "json", "app", "preflight", "web")
    assert done.code == REFUSED
    assert json.loads(done.out) == dict(api.plans["preflight"], app="web")
    assert run(env, "app", "preflight", "nix").code == REFUSED
    assert "preflight" in run(env, "completion", "bash").out


def test_delete(api, env):
    run(env, "app", "apply", "-f", "-", text="name: web")
    done = run(env, "app", "delete", "web")
    assert (done.code, api.apps) == (OK, {})
    assert "app web is deleted" in done.out
    api.fail("DELETE", problem(409, "conflict", "a rollout is under way"))
    done = run(env, "app", "delete", "web")
    assert done.code == REFUSED
    assert "a rollout is under way" in done.err


def test_put_without_answer_says_so(api, env, file):
    api.fail("PUT", "drop")
    done = run(env, "app", "apply", "-f", str(file))
    assert done.code == 7 and "was lost" in done.err
    api.fail("PUT", problem(503, "degraded", "the disk is full"))
    assert run(env, "app", "apply", "-f", str(file)).code == FAILED
