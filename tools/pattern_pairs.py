"""Generates pairs of an event pattern and data for tools/pattern_agreement.py.

The data comes first. The pattern is derived from it, so that many pairs match, and may then be broken. The generator knows the
grammar of patterns, but deliberately not how either implementation matches.
"""

import copy
import dataclasses
import random
from collections.abc import Iterator

OPERATORS = ["prefix", "suffix", "equals-ignore-case", "anything-but", "numeric", "exists", "wildcard", "$or"]
NAMES = ["status", "records", "inserted", "tables", "name", "rows", "tags", "a", "b", "c"]
WORDS = [
    "failed", "succeeded", "FAILED", "partial", "invoices", "a", "ab", "aba", "", "a*b", "back\\slash", "5", "true", "\u00e9t\u00e9",
    "\u00c9T\u00c9", "report-2026.csv", "line\nbreak", "\U0001f600", 'a "quote"', "xx",
]
NUMBERS = [0, 1, 2, 5, 5.0, -3, 0.1, 301.8, 3.018e2, 1.5, -0.5, 1_000_000, 6_000_000_000, 1_790_000_000_000, 5e-7]


@dataclasses.dataclass
class Parts:
    names: set[str]
    operators: set[str]


def parts(pattern: object) -> Parts:
    """All names of fields and all operators of a pattern."""
    found = Parts(set(), set())

    def expression(value):
        if isinstance(value, dict):
            found.operators.update(value)
            for operand in value.values():
                expression(operand)

    def fields(value):
        if isinstance(value, dict):
            for name, inner in value.items():
                (found.operators if name == "$or" else found.names).add(name)
                if isinstance(inner, list):
                    for entry in inner:
                        fields(entry) if name == "$or" else expression(entry)
                else:
                    fields(inner)

    fields(pattern)
    return found


def leaves(pattern: dict, path: tuple = ()) -> Iterator[tuple]:
    """The paths of all fields with a list, including those inside a `$or`."""
    for name, test in pattern.items():
        if name == "$or":
            for branch in test:
                yield from leaves(branch, path)
        elif isinstance(test, dict):
            yield from leaves(test, (*path, name))
        else:
            yield (*path, name)


def without(pattern: dict, tested: set[tuple], path: tuple = ()) -> dict:
    """The pattern without the fields at, above or below these paths. A `$or` is removed with any of its fields."""
    kept = {}
    for name, test in pattern.items():
        below = (*path, name)
        if name == "$or":
            if not any(clash(leaf, other) for leaf in leaves({"$or": test}, path) for other in tested):
                kept[name] = test
        elif isinstance(test, dict):
            if inner := without(test, tested, below):
                kept[name] = inner
        elif not any(clash(below, other) for other in tested):
            kept[name] = test
    return kept


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*")


def clash(one: tuple, other: tuple) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]


class Generator:
    def __init__(self, rng: random.Random):
        self.rng = rng

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    # Data.

    def scalar(self) -> object:
        kind = self.rng.random()
        if kind < 0.5:
            return self.rng.choice(WORDS)
        return self.rng.choice(NUMBERS) if kind < 0.85 else self.rng.choice([True, False, None])

    def value(self, depth: int) -> object:
        kind = self.rng.random()
        if depth and kind < 0.25:
            return self.object(depth - 1)
        if depth and kind < 0.5:
            # Mostly objects with the same fields, as in real data.
            element = self.object if self.chance(0.5) else self.value
            return [element(depth - 1) for _ in range(self.rng.choice([0, 1, 2, 2, 3]))]
        return self.scalar()

    def object(self, depth: int) -> dict:
        return {name: self.value(depth) for name in self.rng.sample(NAMES, self.rng.randint(1, 4))}

    # Patterns.

    def pattern_for(self, data: dict, depth: int = 3) -> dict:
        """A pattern over some of the fields of `data`, and rarely over another one."""
        names = list(data)
        pattern = {}
        for name in self.rng.sample(names, min(len(names), self.rng.choice([1, 1, 2, 3]))):
            pattern[name] = self.field_for(data[name], depth)
        if self.chance(0.08) or not pattern:
            pattern[self.rng.choice(NAMES)] = [{"exists": self.chance(0.3)}]
        if depth and self.chance(0.15):
            pattern = self.with_or(pattern, data, depth - 1)
        return pattern

    def with_or(self, pattern: dict, data: dict, depth: int) -> dict:
        """Adds alternatives about the same data, and removes most of the fields that they test from beside them."""
        branches = [self.pattern_for(data, depth) for _ in range(self.rng.choice([2, 2, 3]))]
        if self.chance(0.4):
            branches[0] = {self.rng.choice(NAMES): [self.rng.choice(WORDS)]}
        beside = pattern if self.chance(0.03) else without(pattern, {path for branch in branches for path in leaves(branch)})
        entries = [*beside.items(), ("$or", branches)]
        self.rng.shuffle(entries)
        return dict(entries)

    def field_for(self, found: object, depth: int) -> object:
        objects, scalars = [], []

        def flatten(value):
            if isinstance(value, list):
                for element in value:
                    flatten(element)
            else:
                (objects if isinstance(value, dict) else scalars).append(value)

        flatten(found)
        if objects and depth and self.chance(0.9):
            # Mixes two elements, so that some patterns match only across elements, which must not count.
            merged = dict(self.rng.choice(objects))
            if self.chance(0.3):
                merged |= self.rng.choice(objects)
            return self.pattern_for(merged, depth - 1) if merged else {self.rng.choice(NAMES): [{"exists": False}]}
        target = self.rng.choice(scalars) if scalars and self.chance(0.85) else self.scalar()
        tests = [self.test_for(target)]
        while self.chance(0.25):
            tests.append(self.test_for(self.scalar()))
        self.rng.shuffle(tests)
        return tests

    def test_for(self, target: object) -> object:
        """A test that accepts `target` more often than not."""
        if self.chance(0.12):
            return {"exists": self.chance(0.75)}
        if self.chance(0.2):
            return {"anything-but": self.excluded(target)}
        if isinstance(target, str):
            return self.text_test(target)
        if isinstance(target, (int, float)) and not isinstance(target, bool) and self.chance(0.7):
            return {"numeric": self.comparison(target)}
        return target

    def text_test(self, text: str) -> object:
        cut = self.rng.randint(0, len(text))
        if self.chance(0.15):
            text = text[::-1]
        return self.rng.choice([
            text,
            {"prefix": text[:cut]},
            {"suffix": text[cut:]},
            {"prefix": {"equals-ignore-case": text[:cut].swapcase()}},
            {"suffix": {"equals-ignore-case": text[cut:].swapcase()}},
            {"equals-ignore-case": text.swapcase()},
            {"wildcard": self.wildcard(text)},
            {"wildcard": self.wildcard(text)},
            {"wildcard": self.overlapping(text, cut)},
        ])

    def overlapping(self, text: str, cut: int) -> str:
        """Two parts of `text` that share a letter, which must not count twice."""
        begin, end = self.rng.choice([("", ""), ("*", ""), ("", "*")]) if cut else ("", "")
        return begin + escaped(text[:cut]) + "*" + escaped(text[max(cut - 1, 0) :]) + end

    def wildcard(self, text: str) -> str:
        """`text` with some stretches replaced by stars, and sometimes an escaped character too many."""
        pieces, at = [], 0
        while at < len(text):
            if self.chance(0.3) and (not pieces or pieces[-1] != "*"):
                pieces.append("*")
                at += self.rng.choice([0, 1, 1, 2, 4])
            else:
                pieces.append(escaped(text[at]))
                at += 1
        if self.chance(0.2) and (not pieces or pieces[-1] != "*"):
            pieces.append("*")
        if self.chance(0.08):
            pieces.insert(self.rng.randint(0, len(pieces)), self.rng.choice(["\\*", "\\\\"]))
        return "".join(pieces)

    def comparison(self, target: float) -> list:
        step = self.rng.choice([0, 0.5, 1, 3, -1])
        if self.chance(0.4):
            low, high = self.rng.choice([">", ">="]), self.rng.choice(["<", "<="])
            return [low, target - abs(step), high, target + abs(step) + self.rng.choice([0, 1, 2])]
        return [self.rng.choice(["=", "<", "<=", ">", ">="]), target + step if self.chance(0.6) else target]

    def excluded(self, target: object) -> object:
        text = isinstance(target, str)
        if text and self.chance(0.5):
            operator = self.rng.choice(["prefix", "suffix", "equals-ignore-case", "wildcard"])
            words = [word for word in WORDS if word and word != target]
            if operator == "wildcard":
                excluded = [self.wildcard(self.rng.choice([target, *words])) for _ in range(self.rng.randint(1, 3))]
            else:
                excluded = [self.rng.choice([target[:2] or "z", *words]) for _ in range(self.rng.randint(1, 3))]
            return {operator: excluded if len(excluded) > 1 or self.chance(0.3) else excluded[0]}
        options = WORDS if text else NUMBERS
        number = isinstance(target, (int, float)) and not isinstance(target, bool)
        excluded = [target] if (text or number) and self.chance(0.4) else []
        excluded += self.rng.sample(options, self.rng.randint(0 if excluded else 1, 2))
        return excluded if len(excluded) > 1 or self.chance(0.3) else excluded[0]

    # Patterns that both implementations, or one of them, must refuse.

    def broken(self, pattern: dict) -> dict:
        """The pattern with one field, at any depth, replaced by something malformed or odd."""
        pattern = copy.deepcopy(pattern)
        place = pattern
        while self.chance(0.6):
            inner = [value for value in place.values() if isinstance(value, dict)]
            inner += [branch for branch in place.get("$or", []) if isinstance(branch, dict)]
            if not inner:
                break
            place = self.rng.choice(inner)
        name = self.rng.choice([name for name in place if name != "$or"] or ["a"])
        place[name] = copy.deepcopy(self.rng.choice(MALFORMED if self.chance(0.8) else ODD))
        if self.chance(0.15):
            place["$or"] = copy.deepcopy(self.rng.choice(MALFORMED_ORS))
        return pattern


MALFORMED = [
    "failed", 5, None, True, {}, [], [[]], [["a"]], [{}], [{"a": []}], {"prefix": "a"}, {"exists": True},
    [{"prefix": 5}], [{"prefix": ["a"]}], [{"prefix": "a", "suffix": "b"}], [{"prefix": {}}], [{"prefix": {"wildcard": "a"}}],
    [{"suffix": None}], [{"suffix": ["a"]}], [{"suffix": {"equals-ignore-case": 5}}],
    [{"equals-ignore-case": ["a"]}], [{"equals-ignore-case": 5}], [{"equals-ignore-case": "a", "prefix": "a"}],
    [{"exists": "true"}], [{"exists": None}], [{"exists": [True]}], [{"exists": 1}],
    [{"wildcard": "**"}], [{"wildcard": "a**b"}], [{"wildcard": "a\\b"}], [{"wildcard": "a\\"}], [{"wildcard": ["a"]}],
    [{"anything-but": []}], [{"anything-but": None}], [{"anything-but": True}], [{"anything-but": ["a", 1]}],
    [{"anything-but": ["a", None]}], [{"anything-but": [["a"]]}], [{"anything-but": {}}], [{"anything-but": {"prefix": ""}}],
    [{"anything-but": {"prefix": []}}], [{"anything-but": {"suffix": ["a", 1]}}], [{"anything-but": {"numeric": [">", 1]}}],
    [{"anything-but": {"prefix": "a", "suffix": "b"}}], [{"anything-but": {"wildcard": "**"}}],
    [{"anything-but": {"prefix": {"equals-ignore-case": "a"}}}], [{"anything-but": {"exists": True}}],
    [{"numeric": []}], [{"numeric": 5}], [{"numeric": [">"]}], [{"numeric": [">", "5"]}], [{"numeric": ["!=", 5]}],
    [{"numeric": [5, ">"]}], [{"numeric": [">", 5, "<", 3]}], [{"numeric": [">", 5, "<", 5]}], [{"numeric": [">=", 5, "<=", 5]}],
    [{"numeric": ["<", 5, ">", 3]}], [{"numeric": ["=", 5, "<", 9]}], [{"numeric": [">", 1, ">", 2]}], [{"numeric": [">", 1, "<"]}],
    [{"numeric": [">", 1, "<", 2, "<", 3]}], [{"numeric": [">", True]}], [{"numeric": [">", 1], "exists": True}],
    [{"regex": "a"}], [{"Prefix": "a"}], [{"": "a"}], {"$or": [{"a": [1]}]}, {"$or": [{"a": [1]}, {}]}, {"$or": []},
    {"$or": [{"a": [1]}, {"prefix": ["a"]}]}, {"$or": [{"a": [1]}, {"b": {"exists": [True]}}]}, {"$or": [{"a": 1}, {"b": [1]}]},
]
MALFORMED_ORS = [[], "a", [{"a": [1]}], [{"a": [1]}, {}], [{"a": [1]}, {"exists": ["x"]}], [["a"], ["b"]], [{"a": []}, {"b": [1]}]]
# Valid for only one of the two, or easily mistaken for something else.
ODD = [
    [{"cidr": "10.0.0.0/8"}], [{"exactly": "failed"}], {"$or": {"a": [1]}}, {"$or": ["a", 1]}, {"$or": [{"prefix": "a"}, {"prefix": "b"}]},
    {"numeric": [">", 0]}, {"anything-but": ["a"]}, {"a.b": [1]}, {"a.b": [{"exists": False}]}, {"$or": [{"a": [1]}, {"a": [2]}]},
    {"a": [1], "$or": [{"a": [{"exists": True}]}, {"b": [{"exists": False}]}]}, ["x" * 2_040], ["x" * 2_100],
    {"a": {"b": {"c": {"a": {"b": {"c": {"a": {"b": {"c": {"a": [{"exists": False}]}}}}}}}}}},
    [{"numeric": ["=", 2**53 + 1]}], [{"anything-but": 2**53 + 1}], [2**53 + 1], [2**53], [{"numeric": ["<=", 2**53]}],
    [{"prefix": ""}], [{"suffix": ""}], [{"wildcard": ""}], [{"wildcard": "*"}], [{"prefix": {"equals-ignore-case": ""}}],
]
LETTERS = ["stra\u00dfe", "STRASSE", "strasse", "\u1e9e", "\u03bf\u03b4\u03bf\u03c2", "\u039f\u0394\u039f\u03a3", "\u212a", "k", "\u017f", "s", "\u0130", "i"]


def pairs(rng: random.Random, count: int) -> Iterator[tuple[dict, dict]]:
    generator = Generator(rng)
    for _ in range(count):
        data = generator.object(3)
        kind = rng.random()
        if kind < 0.02:
            operator = rng.choice(["equals-ignore-case", "prefix", "suffix"])
            text = rng.choice(LETTERS)
            test = {operator: text} if operator == "equals-ignore-case" else {operator: {"equals-ignore-case": text}}
            yield {"a": [test]}, data | {"a": rng.choice(LETTERS)}
        elif kind < 0.03:
            yield {rng.choice(NAMES): rng.choice(ODD)}, data | {"a": rng.choice([2**53, 2**53 + 1, 2**53 + 2, -(2**53) - 1])}
        elif kind < 0.04:
            yield {"a.b": generator.field_for("failed", 0)}, data | {"a": {"b": rng.choice(["failed", 1])}}
        elif kind < 0.17:
            yield generator.broken(generator.pattern_for(data)), data
        else:
            pattern = generator.pattern_for(data)
            # Sometimes from other data.
            yield pattern, data if generator.chance(0.85) else generator.object(3)
