"""ETag, If-Match and If-None-Match of apps: who has not seen the last change does not undo it."""
import concurrent.futures

import fm
import pytest


@pytest.fixture
def app(quick, shops):
    """An app that is there, and a function that gives it with another drain."""
    shop = shops().create()

    def spec(drain="0s"):
        return fm.quick(shop, canary={"drain": drain})
    quick.apply(spec())
    return spec


def put(daemon, spec, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return daemon.call("PUT", f"/v1/apps/{spec['name']}", spec, named)


def get(daemon, spec, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return daemon.call("GET", f"/v1/apps/{spec['name']}", None, named)


def drain_of(daemon, spec):
    return get(daemon, spec).json["spec"]["strategy"]["canary"]["drain"]


def is_failed(answer, *texts):
    assert answer.status == 412 and answer.json["code"] == "precondition_failed", answer.text
    for text in texts:
        assert text in answer.json["detail"], answer.text


def test_a_tag_is_of_the_spec(quick, app):
    """PUT and GET give the same one; another spec has another, the old spec the old one; the
    order of keys and a kill -9 change nothing."""
    first = get(quick, app()).headers["ETag"]
    assert first.startswith('"') and first.endswith('"') and len(first) == 34
    second = put(quick, app("1s"))
    assert second.status == 200 and second.headers["ETag"] != first
    assert get(quick, app()).headers["ETag"] == second.headers["ETag"]
    turned = dict(reversed(app("1s").items()))
    same = put(quick, turned)
    assert same.json["changed"] is False and same.headers["ETag"] == second.headers["ETag"]
    quick.kill()
    quick.restart()
    assert get(quick, app()).headers["ETag"] == second.headers["ETag"]
    assert put(quick, app()).headers["ETag"] == first


def test_if_match(quick, app):
    """Only who has seen the last change makes the next one."""
    first = get(quick, app()).headers["ETag"]
    second = put(quick, app("1s"), If_Match=first)
    assert second.status == 200 and second.json["changed"] is True
    late = put(quick, app("2s"), If_Match=first)
    is_failed(late, second.headers["ETag"], "nothing was changed")
    assert late.headers["ETag"] == second.headers["ETag"]
    assert drain_of(quick, app()) == "1s"
    # The answer was lost and it is sent again: what is so already is no conflict.
    again = put(quick, app("1s"), If_Match=first)
    assert again.status == 200 and again.json["changed"] is False
    one_of = put(quick, app("3s"), If_Match=f'"x", {second.headers["ETag"]}')
    assert one_of.status == 200
    is_failed(put(quick, app("4s"), If_Match="W/" + one_of.headers["ETag"]))
    assert put(quick, app("4s"), If_Match="*").status == 200
    other = {**app(), "name": "nobody"}
    is_failed(put(quick, other, If_Match="*"), "no such app")
    is_failed(put(quick, other, If_Match=first), "no such app")
    assert quick.call("GET", "/v1/apps/nobody").status == 404


def test_delete_if_match(quick, app):
    path = f"/v1/apps/{app()['name']}"
    first = get(quick, app()).headers["ETag"]
    second = put(quick, app("1s")).headers["ETag"]
    is_failed(quick.call("DELETE", path, None, {"If-Match": first}), second)
    assert get(quick, app()).status == 200
    assert quick.call("DELETE", path, None, {"If-Match": second}).status == 204
    assert quick.call("DELETE", path, None, {"If-Match": second}).status == 404


def test_create_only(quick, app):
    made = {**app(), "name": "made"}
    assert put(quick, made, If_None_Match="*").status == 201
    is_failed(put(quick, made, If_None_Match="*"), "already")
    assert quick.call("DELETE", "/v1/apps/made").status == 204
    assert put(quick, made, If_None_Match="*").status == 201
    assert quick.call("DELETE", "/v1/apps/made").status == 204


def test_not_modified(quick, app):
    answer = get(quick, app())
    tag = answer.headers["ETag"]
    for given in (tag, "W/" + tag, f'"x" , {tag}', "*"):
        same = get(quick, app(), If_None_Match=given)
        assert (same.status, same.text, same.headers["ETag"]) == (304, "", tag), given
    assert get(quick, app(), If_None_Match='"x"').json == answer.json


def test_bad_headers(quick, app):
    for given in ("x", '"x', '"x" "y"', "", '"a",,"b"', ", ".join(['"x"'] * 9), '"a", *'):
        answer = put(quick, app("9s"), If_Match=given)
        assert answer.status == 400 and "If-Match" in answer.json["detail"], (given, answer.text)
        assert "tags in quotes" in answer.json["detail"]
    assert put(quick, app("9s"), If_None_Match='"x"').status == 400
    assert get(quick, app(), If_None_Match="x").status == 400
    path = f"/v1/apps/{app()['name']}"
    assert quick.call("DELETE", path, None, {"If-None-Match": "*"}).status == 400
    assert drain_of(quick, app()) == "0s"


@pytest.mark.parametrize("fresh", [False, True])
def test_of_many_at_once_one_wins(quick, app, fresh):
    """All have seen the same, and change it at the same moment; or all create it."""
    for turn in range(5):
        name = f"fresh-{turn}" if fresh else app()["name"]
        headers = {"If_None_Match": "*"} if fresh else {"If_Match": get(quick, app()).headers["ETag"]}
        # pylint: disable-next=cell-var-from-loop
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: put(  # noqa: B023
                quick, {**app(f"{turn * 8 + i + 1}s"), "name": name}, **headers), range(8)))
        good = 201 if fresh else 200
        assert sorted(a.status for a in answers) == [good] + [412] * 7
        won = [a for a in answers if a.status == good][0]
        there = quick.call("GET", f"/v1/apps/{name}")
        assert there.json["spec"] == won.json["spec"]
        assert {a.headers["ETag"] for a in answers} == {won.headers["ETag"]}
        if fresh:
            assert quick.call("DELETE", f"/v1/apps/{name}").status == 204
