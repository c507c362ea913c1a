"""Compares our matcher of conditions with an independent implementation of EventBridge event patterns: ministack's.

It generates 10,000 pairs of pattern and data from a fixed seed, asks both whether they match, and fails on every difference that
is not in KNOWN, on a known difference whose example no longer differs, and when the pairs cover too little. Run by the
test `pattern_agreement`; by hand, after `cargo build --workspace --all-features --examples`:

    .venv/ministack/bin/python -B tools/pattern_agreement.py target/debug/examples/match_pattern

ministack (PyPI, pinned in tools/requirements-ministack.txt) answers EventBridge's TestEventPattern, with AWS's rules for what is
refused. Looked at and not used: localstack-core 2026.3.0 (matches the fields of an object across elements of a list, takes `*`
for at least one character, knows no escapes, takes 1 for true) and event-ruler 0.3.0 (no numeric, $or or equals-ignore-case).
"""

import collections
import dataclasses
import importlib.metadata
import json
import random
import re
import subprocess
import sys
from collections.abc import Callable

from ministack.services import eventbridge
from pattern_pairs import OPERATORS, pairs, parts

PAIRS = 10_000
SEED = 3


@dataclasses.dataclass
class Known:
    """A kind of pair about which we differ on purpose."""

    name: str
    reason: str
    example: tuple[dict, dict]
    applies: Callable[[dict, dict, object, object], bool]


def refusal(*phrases: str) -> Callable[[dict, dict, object, object], bool]:
    """We refuse, with one of these phrases, what the other implementation accepts."""
    return lambda pattern, data, ours, theirs: (
        isinstance(ours, str) and isinstance(theirs, bool) and any(re.search(phrase, ours) for phrase in phrases)
    )


def has_dotted_name(pattern, data, ours, theirs) -> bool:
    return isinstance(ours, bool) and isinstance(theirs, bool) and any("." in name for name in parts(pattern).names)


def has_large_integer(pattern, data, ours, theirs) -> bool:
    # This does not check ministack's reason, which is different within a $or: ministack then reads the $or as a field.
    integers = map(int, re.findall(r"(?<![\w.\"])-?\d{16,}(?![\w.\"])", json.dumps(pattern)))
    return isinstance(ours, bool) and isinstance(theirs, str) and any(int(float(number)) != number for number in integers)


def has_letter_of_unusual_case(pattern, data, ours, theirs) -> bool:
    def unusual(letter):
        lower, upper = letter.lower(), letter.upper()
        return len(lower) != 1 or len(upper) != 1 or upper.lower() != lower or lower.upper() != upper

    ignores_case = "equals-ignore-case" in parts(pattern).operators
    text = json.dumps([pattern, data], ensure_ascii=False)
    return isinstance(ours, bool) and isinstance(theirs, bool) and ignores_case and any(map(unusual, text))


TWO = [{"a": [1]}, {"b": [1]}]
KNOWN = [
    Known(
        "operator not offered",
        "`cidr` is for addresses, and events contain none; `exactly` is undocumented, and a plain value means the same",
        ({"a": [{"cidr": "10.0.0.0/8"}]}, {"a": "10.1.2.3"}),
        refusal("/cidr`: is not an operator here", "/exactly`: is not an operator here"),
    ),
    Known(
        "$or as a field",
        "EventBridge reads a malformed $or as a field of that name, for rules older than the operator; that would never match",
        ({"$or": [{"prefix": "a"}, {"prefix": "b"}]}, {"a": "a"}),
        refusal(r"/\$or`: must be a list of two or more", r"/\$or/\d+`: must be an object", r"/\$or/\d+/.*: is an operator where"),
    ),
    Known(
        "one field tested twice",
        "EventBridge silently keeps only the last test, beside or inside the $or; we require that there is only one",
        ({"a": [1], "$or": [{"a": [2]}, {"b": [1]}]}, {"a": 2}),
        refusal("the same field is tested at"),
    ),
    Known(
        "forgotten brackets",
        'without its list, EventBridge reads {"numeric": [">", 0]} as a field named numeric; that would never match',
        ({"a": {"numeric": [">", 0]}}, {"a": 1}),
        refusal("must be a list, as `"),
    ),
    Known(
        "limits",
        "ministack has no limit on bytes, but EventBridge has one; our limits on depth and on tests keep matching fast",
        ({"a": ["x" * 2_048]}, {"a": "x"}),
        refusal("is too large", "is nested too deeply", "fields once those beside"),
    ),
    Known(
        "dots in names",
        "EventBridge reads a name with a dot as a path into an object, which AWS says not to rely on; we read it as a name",
        ({"a.b": [1]}, {"a": {"b": 1}}),
        has_dotted_name,
    ),
    Known(
        "integers a double cannot hold",
        "EventBridge refuses them in numeric and anything-but; we compare integers exactly",
        ({"a": [{"numeric": ["=", 2**53 + 1]}]}, {"a": 2**53 + 1}),
        has_large_integer,
    ),
    Known(
        "letters of unusual case",
        "EventBridge accepts the upper and the lower case of each letter of the pattern, but not the reverse; we ignore case",
        ({"a": [{"equals-ignore-case": "strasse"}]}, {"a": "stra\u00dfe"}),
        has_letter_of_unusual_case,
    ),
]


def our_answers(program: str, questions: list[tuple[dict, dict]]) -> list[object]:
    """For each question true, false, or the reason why the pattern is refused."""
    lines = "".join(json.dumps({"pattern": pattern, "data": data}) + "\n" for pattern, data in questions)
    output = subprocess.run([program], input=lines, stdout=subprocess.PIPE, text=True, check=True).stdout
    answers = [json.loads(line) for line in output.splitlines()]
    if len(answers) != len(questions):
        sys.exit(f"{program} answered {len(answers)} of {len(questions)} questions")
    return [answer if isinstance(answer, bool) else answer["refused"] for answer in answers]


def their_answer(pattern: dict, data: dict) -> object:
    """The same, from ministack's answer to a TestEventPattern call."""
    request = {"Event": json.dumps({"detail": data}), "EventPattern": json.dumps({"detail": pattern})}
    status, _, body = eventbridge._test_event_pattern(request)
    answer = json.loads(body)
    if status == 200:
        return answer["Result"]
    if answer["__type"] != "InvalidEventPatternException":
        sys.exit(f"ministack failed at {pattern} {data}: {answer}")
    return answer["message"]


def agree(ours: object, theirs: object) -> bool:
    return ours == theirs if isinstance(ours, bool) or isinstance(theirs, bool) else True


def verdict(answer: object) -> str:
    return {True: "matched", False: "did not match"}.get(answer, "refused")


def too_little(answers: collections.Counter, by_operator: dict[str, collections.Counter]) -> list[str]:
    """What the pairs cover too little of, so that an agreement would mean nothing."""
    found = [f"only {answers[kind]} pairs {kind}" for kind in ("matched", "did not match") if answers[kind] < PAIRS // 5]
    if answers["refused"] < PAIRS // 20:
        found.append(f"only {answers['refused']} pairs refused by both")
    for operator in OPERATORS:
        for kind in ("matched", "did not match", "refused"):
            if by_operator[operator][kind] < 25:
                found.append(f"only {by_operator[operator][kind]} pairs with {operator} {kind}")
    return found


def main(program: str) -> None:
    generated = list(pairs(random.Random(SEED), PAIRS))
    examples = [known.example for known in KNOWN]
    ours = our_answers(program, generated + examples)
    theirs = [their_answer(pattern, data) for pattern, data in generated + examples]

    failures = []
    answers, differences = collections.Counter(), collections.Counter()
    by_operator = {operator: collections.Counter() for operator in OPERATORS}
    for (pattern, data), our, their in zip(generated, ours, theirs):
        if agree(our, their):
            answers[verdict(our)] += 1
            for operator in parts(pattern).operators & set(OPERATORS):
                by_operator[operator][verdict(our)] += 1
            continue
        known = next((known for known in KNOWN if known.applies(pattern, data, our, their)), None)
        if known is None:
            failures.append(f"unexplained: {json.dumps(pattern)} {json.dumps(data)}\n  ours: {our}\n  theirs: {their}")
        else:
            differences[known.name] += 1
    for known, our, their in zip(KNOWN, ours[PAIRS:], theirs[PAIRS:]):
        if agree(our, their) or not known.applies(*known.example, our, their):
            failures.append(f"no longer a difference: {known.name}: remove it from KNOWN")
        if not differences[known.name]:
            failures.append(f"not among the pairs: {known.name}")
    failures += too_little(answers, by_operator)

    reference = f"ministack {importlib.metadata.version('ministack')}"
    print(f"{PAIRS} pairs, ours and {reference}: {answers.total()} agree, {differences.total()} differ as known")
    for kind in ("matched", "did not match", "refused"):
        print(f"  both {kind}: {answers[kind]}")
    for known in KNOWN:
        print(f"  differ, {known.name}: {differences[known.name]} ({known.reason})")
    for operator, counts in by_operator.items():
        print(f"  {operator}: " + ", ".join(f"{counts[kind]} {kind}" for kind in ("matched", "did not match", "refused")))
    print(f"unexplained differences and other failures: {len(failures)}")
    if failures:
        sys.exit("\n".join(failures[:20]))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
