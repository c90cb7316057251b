"""The audit's chain, computed without airis: what docs/rest.md says of it, by Python's hashlib."""
import calendar
import hashlib
import struct
import time

FIELDS = "who id from what cluster namespace app rollout detail why outcome".split()


def text(value):
    data = value.encode()
    return struct.pack(">I", len(data)) + data


def ms_of(at):
    whole, ms = at[:19], int(at[20:23])
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * 1000 + ms


def chained(identity, rows):
    """The hash that each row must have; rows as GET /v1/audit has them, oldest first."""
    last = hashlib.sha256(text("airis audit 1") + text(identity)).digest()
    for row in rows:
        numbers = struct.pack(">qq", row["seq"], ms_of(row["at"]))
        last = hashlib.sha256(last + numbers + b"".join(text(row[f]) for f in FIELDS)).digest()
        yield last.hex()


def rows_of(db):
    """The identity, and all rows of a database as the API would give them."""
    columns = ["seq", "at_ms", *("origin" if f == "from" else f for f in FIELDS), "hash"]
    rows = []
    for found in db.execute(f"SELECT {', '.join(columns)} FROM audit ORDER BY seq"):
        row = dict(zip(["seq", "at_ms", *FIELDS, "hash"], found))
        seconds, ms = divmod(row.pop("at_ms"), 1000)
        row["at"] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{ms:03}Z"
        row["hash"] = row["hash"].hex()
        rows.append(row)
    return db.execute("SELECT value FROM identity").fetchone()[0], rows
