"""The table of coverage.sh: lines and branches of each file and room that a test reached.

    coverage.py REPORT.json UNCOVERED

UNCOVERED gets the lines that nothing reached ("-") and the branches that went one way only ("~").
"""
import json
import os
import sys


class Count:
    def __init__(self):
        self.lines = self.lines_hit = self.branches = self.branches_hit = 0

    def add(self, other):
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def __str__(self):
        return "  ".join(f"{hit:5} of {all_:5} {100 * hit / max(all_, 1):5.1f} %" for hit, all_ in
                         ((self.lines_hit, self.lines), (self.branches_hit, self.branches)))


def code_lines(file):
    for line in file["lines"]:
        if not line["gcovr/noncode"] and not line["gcovr/excluded"]:
            yield line


def count(file):
    counted = Count()
    for line in code_lines(file):
        counted.lines += 1
        counted.lines_hit += line["count"] > 0
        counted.branches += len(line["branches"])
        counted.branches_hit += sum(b["count"] > 0 for b in line["branches"])
    return counted


def missing(file):
    with open(file["file"], encoding="utf-8") as f:
        text = f.read().split("\n")
    for line in code_lines(file):
        number = line["line_number"]
        one_way = line["count"] and any(b["count"] == 0 for b in line["branches"])
        if not line["count"] or one_way:
            mark = "~" if one_way else "-"
            yield f"{file['file']}:{number}: {mark} {text[number - 1].strip()}\n"


def main():
    report, uncovered = sys.argv[1:3]
    with open(report, encoding="utf-8") as f:
        files = json.load(f)["files"]
    if not files:
        print("coverage: nothing was counted")
        return 1
    rooms = {}
    print(f"{'':34}{'lines':^24}{'branches':^26}")
    with open(uncovered, "w", encoding="utf-8") as out:
        for file in sorted(files, key=lambda f: f["file"]):
            counted = count(file)
            rooms.setdefault(os.path.dirname(file["file"]), Count()).add(counted)
            print(f"{file['file']:32}{counted}")
            out.writelines(missing(file))
    for room, counted in rooms.items():
        print(f"{room + '/':32}{counted}")
    print(f"what is missing: {uncovered}")
    return 0


sys.exit(main())
