"""Checks that the documentation agrees with the repository: the tests it names exist, and its links and paths lead somewhere.

Run: `python3 tools/check_docs.py`. It prints one line for each mistake, `file:line: what`, and exits with 1 if there is any.
It reads every *.md file and every doc comment (`//!`, `///`) of every *.rs file, and checks that

- a name in backticks that reads like the name of a test (lower case, four words or more, such as `a_bad_event_is_rejected_alone`) is
  a function, or some other name that the code uses;
- each name in a list `(tests: …)` is a function, however short the name is, and each invariant (`Invariant: …`) has such a list, or
  names with `(checked by …)` what else checks it;
- a path in backticks that begins with a folder of the repository exists, unless it has a placeholder (`<name>`) in it;
- a relative link of a *.md file leads to a file that exists, and its anchor to a heading.

It does not read text between code fences, and does not follow links to other sites. Its tests are in check_docs_test.py.
"""

import pathlib
import re
import sys
from collections.abc import Callable, Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
NOT_OURS = {"target", "node_modules"}  # and whatever begins with a dot: .git, .venv, .aws-sam

FENCE = re.compile(r"^([ \t]*)(```+|~~~+).*?^[ \t]*\2[ \t]*$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
DOC_COMMENT = re.compile(r"^[ \t]*//[/!](?!/)[ ]?(.*)$")
TEST_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+){3,}")
PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*")
TESTS = re.compile(r"\(tests?:([^()]*(?:\([^()]*\)[^()]*)*)\)")
INVARIANT = re.compile(r"^(?:- )?(?:\*\*)?Invariant:", re.MULTILINE)
KEPT = re.compile(r"\((?:tests?:|checked by)")
LINK = re.compile(r"\]\(([^()\s]+)(?:\s+\"[^\"]*\")?\)|^\[[^\]^]+\]:\s+(\S+)", re.MULTILINE)
HEADING = re.compile(r"^#{1,6}[ \t]+(.*?)[ \t]*#*$", re.MULTILINE)
# Matches comments, and also raw strings, strings and characters, so that a `//` inside of those does not count as a comment.
RUST_TOKEN = re.compile(r"""(r(#*)".*?"\2|"(?:\\.|[^"\\])*"|'(?:\\.|[^\\'])')|//[^\n]*|/\*.*?\*/""", re.DOTALL)


def blank(text: str) -> str:
    """The same number of empty lines, so that cutting a text out does not change the numbers of the lines after it."""
    return "\n" * text.count("\n")


def without_fences(text: str) -> str:
    return FENCE.sub(lambda fence: blank(fence[0]), text)


def doc_comments(rust: str) -> str:
    """The doc comments of a file, each on its own line; lines of code are empty."""
    comments = (DOC_COMMENT.match(line) for line in rust.splitlines())
    return "\n".join(comment[1] if comment else "" for comment in comments) + "\n"


def without_comments(rust: str) -> str:
    return RUST_TOKEN.sub(lambda token: token[1] or blank(token[0]), rust)


def anchors(markdown: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found: set[str] = set()
    for heading in HEADING.findall(without_fences(markdown)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        unique, number = slug, 0
        while unique in found:
            number += 1
            unique = f"{slug}-{number}"
        found.add(unique)
    return found


class Repository:
    """The files below a folder, and the names that the code in them uses."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.files = sorted(self._below(root))
        self.folders = {entry.name for entry in self._ours(root) if entry.is_dir()}
        self.functions: set[str] = set()
        self.identifiers: set[str] = set()
        for path in self.files:
            if path.suffix == ".rs":
                code = without_comments(path.read_text(encoding="utf-8"))
                self.functions.update(re.findall(r"\bfn\s+(\w+)", code))
                self.identifiers.update(re.findall(r"\w+", code))
            elif path.suffix == ".py" and path.parent == root / "tools":
                self.functions.update(re.findall(r"^\s*(?:async )?def\s+(\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))
            elif path.suffix in (".json", ".yaml", ".html"):
                self.identifiers.update(re.findall(r"\w+", path.read_text(encoding="utf-8")))
        self.identifiers |= self.functions

    @staticmethod
    def _ours(folder: pathlib.Path) -> list[pathlib.Path]:
        return [entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.name not in NOT_OURS]

    def _below(self, folder: pathlib.Path) -> Iterator[pathlib.Path]:
        for entry in self._ours(folder):
            if entry.is_dir():
                yield from self._below(entry)
            else:
                yield entry

    def docs(self) -> Iterator[tuple[pathlib.Path, str]]:
        """Each file that documents something, with its prose; line numbers are those of the file."""
        for path in self.files:
            if path.suffix == ".md":
                yield path, without_fences(path.read_text(encoding="utf-8"))
            elif path.suffix == ".rs":
                yield path, without_fences(doc_comments(path.read_text(encoding="utf-8")))


# Each check yields the offset of a mistake within the prose, and its description.
Mistakes = Iterator[tuple[int, str]]


def names(repository: Repository, path: pathlib.Path, prose: str) -> Mistakes:
    for span in SPAN.finditer(prose):
        if TEST_NAME.fullmatch(span[1]) and span[1] not in repository.identifiers:
            yield span.start(), f"there is no test or other name `{span[1]}`"


def lists_of_tests(repository: Repository, path: pathlib.Path, prose: str) -> Mistakes:
    for tests in TESTS.finditer(prose):
        for span in SPAN.finditer(prose, tests.start(1), tests.end(1)):
            # `names` already reports a long name that does not exist.
            known = span[1] in repository.functions or TEST_NAME.fullmatch(span[1]) and span[1] not in repository.identifiers
            if re.fullmatch(r"\w+", span[1]) and not known:
                yield span.start(), f"there is no test `{span[1]}`"


def invariants(repository: Repository, path: pathlib.Path, prose: str) -> Mistakes:
    for invariant in INVARIANT.finditer(prose):
        rest = prose[invariant.end():]
        end = re.search(r"\n\s*\n|\n- |\n(?:\*\*)?Invariant:", rest)
        if not KEPT.search(rest[:end.start()] if end else rest):
            yield invariant.start(), "this invariant names nothing that keeps it: add `(tests: …)` or `(checked by …)`"


def paths(repository: Repository, path: pathlib.Path, prose: str) -> Mistakes:
    for span in SPAN.finditer(prose):
        named = span[1]
        ours = PATH.fullmatch(named) and named.split("/")[0] in repository.folders
        if ours and not (repository.root / named).exists():
            yield span.start(), f"there is no `{named}`"


def links(repository: Repository, path: pathlib.Path, prose: str) -> Mistakes:
    if path.suffix != ".md":
        return
    # Code is not a link, and a label may contain code: it is replaced by a text of the same length.
    for link in LINK.finditer(SPAN.sub(lambda span: "x" * len(span[0]), prose)):
        goal = link[1] or link[2]
        if re.match(r"[a-z][a-z0-9+.-]*:", goal):
            continue
        file, _, anchor = goal.partition("#")
        page = (repository.root / file[1:] if file.startswith("/") else path.parent / file) if file else path
        if not page.exists():
            yield link.start(), f"the link {goal} leads to no file"
        elif anchor and page.suffix == ".md" and anchor not in anchors(page.read_text(encoding="utf-8")):
            yield link.start(), f"the link {goal} leads to no heading of {page.name}"


CHECKS: list[Callable[[Repository, pathlib.Path, str], Mistakes]] = [names, lists_of_tests, invariants, paths, links]


def mistakes(root: pathlib.Path) -> list[str]:
    """All mistakes below a folder, each as `file:line: what`."""
    repository = Repository(root)
    found = []
    for path, prose in repository.docs():
        for check in CHECKS:
            for offset, what in check(repository, path, prose):
                line = prose.count("\n", 0, offset) + 1
                found.append((path, line, what))
    return [f"{path.relative_to(root)}:{line}: {what}" for path, line, what in sorted(found)]


def main() -> int:
    found = mistakes(ROOT)
    for mistake in found:
        print(mistake)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
