"""The linter finds what it is for: each rule is broken once in a small tree of its own."""

import os
import shutil
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

GOOD = {
    "daemon/base/mem.h": "int mem_one(void);\n",
    "daemon/base/mem.c": '#include "base/mem.h"\n\nint\nmem_one(void)\n{\n\treturn 1;\n}\n',
    "daemon/http/httpc.h": "int httpc_get(void);\n",
    "daemon/http/httpc.c": '#include "base/mem.h"\n#include "http/httpc.h"\n\n'
                           "int curl_easy_perform(void);\n\nint\nhttpc_get(void)\n{\n"
                           "\treturn mem_one() + curl_easy_perform();\n}\n",
    "daemon/gates/gate.c": "int\ngate_ask(void)\n{\n\treturn 0;\n}\n",
}


def function(body, before=""):
    """A file with one function."""
    return f"{before}int model_x(char *a);\n\nint\nmodel_x(char *a)\n{{\n\t{body}\n}}\n"


def run(folder, files):
    """The linter's status and text for a tree of these files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    shutil.copytree(f"{ROOT}/tools/lint", folder / "tools/lint",
                    ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    for name in files:
        if name.endswith(".c"):
            target = folder / "build" / (name[:-2] + ".o")
            target.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["gcc", "-w", "-O0", "-fno-builtin", "-Idaemon", "-c", name, "-o",
                            target], cwd=folder, check=True)
    done = subprocess.run([sys.executable, "-B", "tools/lint/lint.py", "build"], cwd=folder,
                          capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_good_tree_passes(tmp_path):
    status, text = run(tmp_path, GOOD)
    assert status == 0, text
    assert text.count("ok:") == 5


BROKEN = {
    "call up": ("daemon/base/x.c", function("return httpc_get();", "int httpc_get(void);\n"),
                "base may not use http: httpc_get()"),
    "call across": ("daemon/store/x.c", function("return gate_ask();", "int gate_ask(void);\n"),
                    "store may not use gates: gate_ask()"),
    "include up": ("daemon/base/x.h", '#include "http/httpc.h"\n', "base may not include http/"),
    "include of the roof": ("daemon/base/x.h", '#include "wire.h"\n', "may not include"),
    "unknown folder": ("daemon/attic/x.c", function("return 0;"), "attic is not in"),
    "long file": ("daemon/base/x.c", "\n" * 601, "601 lines"),
    "long header": ("daemon/base/x.h", "\n" * 121, "121 lines"),
    "long function": ("daemon/base/x.c", function("\n" * 120 + "return 0;"), "a function of 12"),
    "unsafe call": ("daemon/base/x.c", function("return system(a);"), "uses system()"),
    "unsafe in a header": ("cli/x.h", "#define x(a) atoi (a)\n", "x.h:1: uses atoi()"),
    "printing": ("daemon/http/x.c", function("return printf(a);"), "uses printf()"),
    "time in the model": ("daemon/model/x.c", function("return time(0);"), "uses time()"),
    "back door": ("daemon/gates/x.c", function("return curl_easy_init();"),
                  "uses curl_easy_init(); only"),
    "a library's name": ("daemon/model/x.c", "int\nevent_free(void *x)\n{\n\treturn 0;\n}\n",
                         "event_free is also a name in libevent_core"),
    "leftover": ("daemon/base/x.c", function("return 0; /* TO" "DO */"), "x.c:6: do it"),
    "local path": ("tests/x.sh", "cd /ro" "ot/airis\n", "a path of one machine"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_rule_is_found(tmp_path, name):
    path, text, expected = BROKEN[name]
    status, output = run(tmp_path, GOOD | {path: text})
    assert status == 1
    assert expected in output
    assert output.count("FAILED") == 1, output


def test_comments_and_texts_are_no_calls(tmp_path):
    text = function('return a == "system(x)"; /* strcpy(a, b) */ // atoi(x)')
    status, output = run(tmp_path, GOOD | {"daemon/base/x.c": text})
    assert status == 0, output
