"""Keeps what a release stores and sends, so that every later version can be tested to read it: tests/recorded/releases/<version>.

Run it for the commit that becomes the release: `python3 tools/record_release.py 0.3.0`. It takes tests/recorded, which that commit's own
tests have compared with what its functions write. A second argument names another directory with rows.json and messages.json.

Of rows that differ only in their texts and numbers, one is kept; of an event, all its rows together. Rows whose values were shortened
in the recording are left out. It changes no file of a release that is already there.
"""

import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# The texts that say what a row means, besides their being there.
TELLING = {"state", "kind", "role", "retry_policy", "unmatched", "purpose", "enabled", "transition", "event_types", "verdict"}


def shape(value, name=""):
    """What is left of a value without its texts and numbers. Settings of subscriptions are JSON in a text."""
    if isinstance(value, dict):
        return tuple(sorted((key, shape(inner, name if key in "MNBL" else key)) for key, inner in value.items()))
    if isinstance(value, list):
        return tuple(sorted({repr(shape(inner, name)) for inner in value}))
    if name == "settings" and isinstance(value, str) and value.startswith("{"):
        return shape(json.loads(value))
    return repr(value) if name in TELLING or isinstance(value, bool) else type(value).__name__


def kind(pk, sk):
    """The first part of both keys that is no id: `A SUB` for a subscription in its account's list."""
    first, second = pk.split("#")[0], sk.split("#")[0]
    return first, second if second.isupper() or second.replace("_", "").isupper() else ""


def whole(row):
    return '"beginning":' not in json.dumps(row)


def kept_rows(moments):
    """One row of each shape, in the order of their keys. The rows of an event are kept together, because they are read together."""
    found = {}
    for moment in moments:
        together = {}
        for pk, sk, attributes in moment["rows"]:
            together.setdefault(pk if pk.startswith("E#") else (pk, sk), []).append([pk, sk, attributes])
        for rows in together.values():
            if all(whole(row) for row in rows):
                found.setdefault(repr([(kind(pk, sk), shape(attributes)) for pk, sk, attributes in rows]), rows)
    by_key = {}
    for rows in found.values():
        for row in rows:
            # One row at several moments is several rows, of which a table can have only one.
            by_key.setdefault((row[0], row[1]), row)
    return [by_key[key] for key in sorted(by_key)]


def kept_messages(sent):
    """One message of each shape, with its queue."""
    found = {}
    for call in sent:
        body, queue = call["with"].get("MessageBody"), call["with"].get("QueueUrl", "").rpartition("/")[2]
        if body and call["call"].startswith("SendMessage"):
            found.setdefault((queue, repr(shape(json.loads(body)))), [queue, body])
    return list(found.values())


def lines(values):
    return "[\n" + ",\n".join(json.dumps(value, ensure_ascii=False, sort_keys=True) for value in values) + "\n]\n"


def main(version, source):
    target = ROOT / "tests/recorded/releases" / version
    if target.exists():
        raise SystemExit(f"{target.relative_to(ROOT)} is there already: what a release wrote does not change")
    rows = kept_rows(json.loads((source / "rows.json").read_text()))
    messages = kept_messages(json.loads((source / "messages.json").read_text())["sent"])
    target.mkdir(parents=True)
    (target / "rows.json").write_text(lines(rows))
    (target / "messages.json").write_text(lines(messages))
    print(f"kept {len(rows)} rows and {len(messages)} messages in {target.relative_to(ROOT)}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(sys.argv[1], pathlib.Path(sys.argv[2]) if len(sys.argv) == 3 else ROOT / "tests/recorded")
