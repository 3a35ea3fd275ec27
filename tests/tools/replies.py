#!/usr/bin/env python3
"""Replays the recordings of what is done, and of lists of owners: fixtures/actions/<service>/*.http.

Usage: replies.py [SERVICE...]

A recording's notes say what was asked (X-Ask: owners, contain or revoke; X-Way: the second of [[revoke.otherwise]] is 3;
X-Step), what was known (X-Given: user_id = 42) and what it comes to (X-Found). Its name says the outcome: done, already,
found, refused, or list. It reads files only; src/call reads replies the same way.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def select(value, pointer):
    """The values at a JSON pointer, * for every element."""
    chosen = [value]
    for step in pointer.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        found = []
        for one in chosen:
            if step == "*" and isinstance(one, (list, dict)):
                found += one if isinstance(one, list) else one.values()
            elif isinstance(one, dict) and step in one:
                found.append(one[step])
            elif isinstance(one, list) and step.isdigit() and int(step) < len(one):
                found.append(one[int(step)])
        chosen = found
    return chosen


def at(entry, pointer):
    return next(iter(select(entry, pointer)), None)


def same(one, other):
    return isinstance(one, bool) == isinstance(other, bool) and one == other


def text(value):
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None or isinstance(value, (list, dict)) else str(value)


def meets(expect, status, body, parsed):
    return (
        expect.get("status", status) == status
        and expect.get("body", "") in body
        and ("without" not in expect or expect["without"] not in body)
        and all(
            any(same(value, wanted) for value in select(parsed, pointer))
            for pointer, wanted in expect.get("json", {}).items()
        )
    )


def read(path):
    notes, reply = path.read_text().split("HTTP/1.1 ", 1)
    head, _, body = reply.partition("\n\n")
    known = {}
    for line in notes.splitlines():
        name, _, value = line.partition(": ")
        known.setdefault(name, []).append(value)
    body = body.rstrip()
    try:
        parsed = json.loads(body)
    except ValueError:
        parsed = None
    return known, int(head[:3]), body, parsed


def section(file, rule_id, name):
    rule = next(rule for rule in file["rule"] if rule["id"] == rule_id)
    own = rule.get(name)
    return None if own is False else own or file.get(name)


def owners(section, parsed):
    names = []
    for entry in select(parsed, section["each"]):
        if all(same(at(entry, where), wanted) for where, wanted in section.get("where", {}).items()):
            name, email = (text(at(entry, section["fields"][field])) if field in section["fields"] else None
                           for field in ("name", "email"))
            names.append((name or email) + (f" <{email}>" if email else ""))
    return "list", names


def step(file, notes, status, body, parsed):
    """The outcome of one step, and the values that it gives to later ones."""
    way = int(notes.get("X-Way", ["1"])[0])
    if way > 1:
        file = file["otherwise"][way - 2]
    steps = file.get("step", []) + ([file] if "request" in file else [])
    one = steps[int(notes.get("X-Step", ["1"])[0]) - 1]
    done = any(meets(e, status, body, parsed) for e in one["done"]) if one.get("done") else status == 200
    if "find" in one:
        given = dict(line.split(" = ", 1) for line in notes.get("X-Given", []))
        fill = lambda wanted: re.sub(r"\{([a-z][a-z0-9_-]*)\}", lambda name: given[name[1]], wanted)
        fits = [
            entry
            for entry in (select(parsed, one["find"]["each"]) if done else [])
            if all(text(at(entry, where)) == fill(wanted) for where, wanted in one["find"]["where"].items())
        ]
        if len(fits) != 1:
            return "refused", []
        return "found", sorted(f"{name} = {text(at(fits[0], where))}" for name, where in one["find"]["take"].items())
    if any(meets(e, status, body, parsed) for e in one.get("already", [])):
        return "already", []
    return ("done" if done else "refused"), []


def main(services):
    wrong = 0
    for path in sorted((ROOT / "fixtures/actions").glob("*/*.http")):
        if services and path.parent.name not in services:
            continue
        notes, status, body, parsed = read(path)
        asked = notes["X-Ask"][0]
        file = tomllib.loads((ROOT / f"rules/{path.parent.name}.toml").read_text())
        found = section(file, notes["X-Rule"][0], asked)
        if found is None:
            outcome, values = "no such section", []
        elif asked == "owners":
            outcome, values = owners(found, parsed)
        else:
            outcome, values = step(found, notes, status, body, parsed)
        named = path.stem.removeprefix(f"{asked}-")
        if not (named == outcome or named.startswith(f"{outcome}-") or asked == "owners") or values != sorted(
            notes.get("X-Found", [])
        ):
            wrong += 1
            print(f"{path.relative_to(ROOT)}: {outcome} {values}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
