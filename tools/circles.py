"""Finds circles among source files: files of a crate that use each other, directly or through other files.

A parent module and its own child may use each other. Nothing else may: neither files, nor the folders at the top of a crate (the
chapters of `domain`, the floors of `api`). Paths are followed through re-exports to the file that defines a name. Tests are left out:
they may use anything. Run by `make check`; prints each circle and exits 1.
"""

import pathlib
import re
import sys
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent
PATH = re.compile(r"(?<![\w:$])((?:crate|super|self)(?:::\w+)+|\w+(?:::\w+)+)")
USE = re.compile(r"\b(pub(?:\([\w ]+\))?\s+)?use\s+([^;]+);")
MOD = re.compile(r"\bmod\s+(\w+)\s*;")

Module = tuple[str, ...]


@dataclass
class File:
    """One source file: its module, its child modules, what it uses, and what it re-exports under another path."""

    path: pathlib.Path
    module: Module
    children: set[str] = field(default_factory=set)
    uses: set[tuple[str, ...]] = field(default_factory=set)
    passes_on: dict[str, tuple[str, ...]] = field(default_factory=dict)


def without_comments_and_tests(text: str) -> str:
    text = re.sub(r"//[^\n]*", "", text)
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', text)
    text = re.sub(r"#\[cfg\(test\)\]\s*mod\s+\w+\s*;", "", text)
    # A module of tests is always the last part of a file.
    return re.split(r"#\[cfg\(test\)\]\s*mod\s+\w+\s*\{", text)[0]


def leaves(tree: str, before: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    """The paths of a `use` tree, each with the name it gets here."""
    tree = tree.strip()
    found, depth, part = [], 0, ""
    for char in tree + ",":
        depth += (char == "{") - (char == "}")
        if char != "," or depth:
            part += char
            continue
        part = part.strip()
        if part:
            group = re.fullmatch(r"((?:[\w]+\s*::\s*)*)\{(.*)\}", part, re.DOTALL)
            if group:
                names = tuple(name.strip() for name in group[1].split("::") if name.strip())
                found += leaves(group[2], before + names)
            else:
                path, _, alias = part.partition(" as ")
                names = tuple(name.strip() for name in path.split("::"))
                if names[-1] == "self":
                    names = names[:-1]
                full = before + names
                found.append((full, alias.strip() or full[-1]))
        part = ""
    return found


def read(path: pathlib.Path, module: Module) -> File:
    file = File(path, module)
    text = without_comments_and_tests(path.read_text(encoding="utf-8"))
    file.children = set(MOD.findall(text))
    for public, tree in USE.findall(text):
        for names, alias in leaves(tree):
            own = names[names[0] == "self" :][:1]
            if public:
                file.passes_on[alias] = names
            # Re-exporting what a child defines does not count as using it.
            if not (public and own and own[0] in file.children):
                file.uses.add(names)
    file.uses |= {tuple(path.split("::")) for path in PATH.findall(USE.sub("", text))}
    return file


def crate(source: pathlib.Path) -> dict[Module, File]:
    """The files of one crate by their modules. Programs beside the library are left out."""
    top = source / "lib.rs"
    found: dict[Module, File] = {}

    def visit(path: pathlib.Path, module: Module, folder: pathlib.Path) -> None:
        file = found[module] = read(path, module)
        for child in sorted(file.children):
            for candidate in (folder / f"{child}.rs", folder / child / "mod.rs"):
                if candidate.exists():
                    visit(candidate, (*module, child), folder / child)

    if top.exists():
        visit(top, (), source)
    return found


def resolve(files: dict[Module, File], at: Module, names: tuple[str, ...], seen: frozenset = frozenset()) -> Module | None:
    """The module that defines what `names` means in the file `at`; None if it belongs to another crate."""
    if (at, names) in seen:
        return None
    seen |= {(at, names)}
    module, rest = at, list(names)
    if rest[0] == "crate":
        module, rest = (), rest[1:]
    elif rest[0] in ("self", "super"):
        while rest and rest[0] in ("self", "super"):
            module = module[:-1] if rest[0] == "super" else module
            rest = rest[1:]
    elif rest[0] not in files[at].children:
        return None
    while rest and (*module, rest[0]) in files:
        module, rest = (*module, rest[0]), rest[1:]
    if module not in files:
        return None
    if rest and rest[0] in files[module].passes_on:
        passed = resolve(files, module, files[module].passes_on[rest[0]] + tuple(rest[1:]), seen)
        return passed if passed is not None else module
    return module


def edges(files: dict[Module, File]) -> dict[Module, set[Module]]:
    used = {}
    for module, file in files.items():
        found = {resolve(files, module, names) for names in file.uses}
        used[module] = {other for other in found if other is not None and other != module}
    return used


def way(used: dict, start, goal) -> list | None:
    """A shortest way from `start` to `goal`."""
    before, row = {start: None}, [start]
    for here in row:
        if here == goal:
            steps = []
            while here is not None:
                steps.append(here)
                here = before[here]
            return steps[::-1]
        for there in sorted(used.get(here, ())):
            if there not in before:
                before[there] = here
                row.append(there)
    return None


def parent_and_child(one: Module, other: Module) -> bool:
    return one[:-1] == other and one != () or other[:-1] == one and other != ()


def circles(files: dict[Module, File]) -> list[str]:
    """The problems of a crate, one line for each circle of files or of top folders."""
    used = edges(files)
    name = lambda module: "::".join(("crate", *module))
    found: dict[frozenset, str] = {}

    def add(what: str, ring: list[Module]) -> None:
        # The same files in another order are the same circle.
        found.setdefault(frozenset(ring), what + " -> ".join(map(name, ring)))

    for module in sorted(used):
        for other in sorted(used[module]):
            back = None if parent_and_child(module, other) else way(used, other, module)
            if back:
                add("", [module, *back])
    tops: dict[Module, set[Module]] = {}
    for module, others in used.items():
        if module:
            tops.setdefault(module[:1], set()).update(other[:1] for other in others if other and other[:1] != module[:1])
    for top in sorted(tops):
        for other in sorted(tops[top]):
            back = way(tops, other, top)
            if back:
                add("folders: ", [top, *back])
    return list(found.values())


def main() -> int:
    wrong = 0
    sources = sorted(manifest.parent / "src" for manifest in ROOT.glob("*/**/Cargo.toml") if "target" not in manifest.parts)
    for source in sources:
        for circle in circles(crate(source)):
            print(f"{source.relative_to(ROOT)}: {circle}", file=sys.stderr)
            wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
