"""Every stable code of the sources, by syntax tree: where it is said, in which words, with which remedy.

A code is what a class says with ``code = "…"``, and what is handed to ``Reason``, ``deny`` and their like. A function
that hands its own argument on (``Reason(f"access.{code}", …)``) says the codes that its callers give. Where the end
of a code is known at run time only, its beginning is a *family*, written with a star: ``terms.requires_*``.
"""

from __future__ import annotations

import ast
import functools
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

CODE = re.compile(r"^[a-z0-9_]+(\.[a-z0-9_-]+)+\*?$")
SAYERS = frozenset({"Reason", "deny", "BadMessage", "Unread", "Flag", "RawFinding", "EngineFault", "Fault", "_Told"})
ROUNDS = 4
_NO_CODES = (".toml", ".json", ".csv", ".py", ".parquet", ".key", ".db", ".salt", ".txt")


@dataclass(frozen=True)
class Use:
    """One place that says a code; words and remedy are None where they are put together at run time."""

    place: str
    words: str | None = None
    remedy: str | None = ""


@dataclass
class Module:
    """A source: its tree, and the texts that its names stand for."""

    path: Path
    name: str
    tree: ast.Module
    constants: dict[str, str] = field(default_factory=dict)
    says: bool = False

    @functools.cached_property
    def functions(self) -> list[tuple[str, list[str], list[ast.Call]]]:
        """Every function's name, its arguments without ``self``, and the calls in it."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                names = [one.arg for one in node.args.args if one.arg not in ("self", "cls")]
                found.append((node.name, names, [one for one in ast.walk(node) if isinstance(one, ast.Call)]))
        return found


@dataclass(frozen=True)
class Wrapper:
    """A function that says a code made of one of its arguments."""

    head: str
    at: int
    keyword: str


def codes(sources: Path) -> dict[str, list[Use]]:
    """Every code with its uses; ``sources`` is the folder of the package."""
    modules = modules_of(sources)
    saying = [module for module in modules if module.says]
    found: dict[str, list[Use]] = defaultdict(list)
    for module in modules:
        for code, use in _of_classes(module):
            found[code].append(use)
    wrappers: dict[str, dict[str, list[Wrapper]]] = {module.name: {} for module in saying}
    for _ in range(ROUNDS):
        for module in saying:
            for name, wrapper in _wrappers(module, wrappers[module.name]):
                known = wrappers[module.name].setdefault(name, [])
                if wrapper not in known:
                    known.append(wrapper)
    for module in saying:
        for code, use in _of_calls(module, wrappers[module.name]):
            found[code].append(use)
    known = {code.split(".")[0] for code in found}
    for module in modules:
        for name, text in module.constants.items():
            if name.isupper() and _is_code(text) and text.split(".")[0] in known and text not in found:
                found[text].append(Use(f"{module.path}:{name}", None, None))
    return dict(sorted(found.items()))


def raised(sources: Path) -> dict[str, list[Use]]:
    """Codes of error classes with the words of every ``raise``."""
    trees = modules_of(sources)
    by_class = {name: code for module in trees for name, code in _class_codes(module.tree)}
    found: dict[str, list[Use]] = defaultdict(list)
    for module in trees:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and _called(node) in by_class:
                place = f"{module.path}:{node.lineno}"
                words = " ".join(filter(None, (_constant(one, module) or "" for one in node.args[-1:])))
                whole = bool(node.args) and all(_constant(one, module) is not None for one in node.args[-1:])
                why, remedy = _keyword(node, "why", module), _keyword(node, "remedy", module)
                whole = whole and why is not None
                found[by_class[_called(node)]].append(Use(place, f"{words} {why}".strip() if whole else None, remedy))
    return dict(found)


@functools.cache
def modules_of(sources: Path) -> tuple[Module, ...]:
    """Every module of a package but its catalogues' room, read once."""
    return tuple(_module(path, sources) for path in sorted(sources.rglob("*.py")) if "words" not in path.parts)


def _module(path: Path, sources: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    module = Module(path, str(path.relative_to(sources)), tree, says=any(f"{name}(" in text for name in SAYERS))
    for node in tree.body:
        for target, value in _assigned(node):
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                module.constants[target] = value.value
    return module


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
        yield node.target.id, node.value
    if isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value
            elif isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                yield from (
                    (one.id, value)
                    for one, value in zip(target.elts, node.value.elts, strict=False)
                    if isinstance(one, ast.Name)
                )


def _class_codes(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for inner in node.body:
                for name, value in _assigned(inner):
                    if name == "code" and isinstance(value, ast.Constant) and _is_code(value.value):
                        yield node.name, value.value


def _of_classes(module: Module) -> Iterator[tuple[str, Use]]:
    for name, code in _class_codes(module.tree):
        yield code, Use(f"{module.path}:{name}", None, None)


def _is_code(text: object) -> bool:
    return isinstance(text, str) and bool(CODE.match(text)) and not text.endswith(_NO_CODES)


def _called(node: ast.Call) -> str:
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _constant(node: ast.expr | None, module: Module) -> str | None:
    if node is None:
        return ""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.Name):
        return module.constants.get(node.id)
    return None


def _keyword(node: ast.Call, name: str, module: Module) -> str | None:
    return _constant(next((one.value for one in node.keywords if one.arg == name), None), module)


def _argument(node: ast.Call, at: int, keyword: str) -> ast.expr | None:
    named = next((one.value for one in node.keywords if one.arg == keyword), None)
    return named or (node.args[at] if len(node.args) > at else None)


def _wrappers(module: Module, known: dict[str, list[Wrapper]]) -> Iterator[tuple[str, Wrapper]]:
    for function, names, calls in module.functions:
        for call in calls:
            for head, hole in _said(call, module, known):
                if hole in names:
                    yield function, Wrapper(head, names.index(hole), hole)


def _said(call: ast.Call, module: Module, known: dict[str, list[Wrapper]]) -> Iterator[tuple[str, str]]:
    """The heads of codes that a call says whose end is a name."""
    for wrapper in _sayers(call, known):
        said = _argument(call, wrapper.at, wrapper.keyword)
        if isinstance(said, ast.Name) and said.id not in module.constants:
            yield wrapper.head, said.id
        elif isinstance(said, ast.JoinedStr) and len(said.values) == 2:
            head, hole = said.values
            if isinstance(head, ast.Constant) and isinstance(hole, ast.FormattedValue):
                yield wrapper.head + str(head.value), ast.unparse(hole.value)


def _sayers(call: ast.Call, known: dict[str, list[Wrapper]]) -> list[Wrapper]:
    name = _called(call)
    return [Wrapper("", 0, "code")] if name in SAYERS else known.get(name, [])


def _of_calls(module: Module, known: dict[str, list[Wrapper]]) -> Iterator[tuple[str, Use]]:
    parameters = {id(call): set(names) for _, names, calls in module.functions for call in calls}
    for call in (node for node in ast.walk(module.tree) if isinstance(node, ast.Call)):
        for wrapper in _sayers(call, known):
            said = _argument(call, wrapper.at, wrapper.keyword)
            for end in _ends(said, module):
                if _is_code(wrapper.head + end):
                    yield wrapper.head + end, _use(call, wrapper, module)
        for head, hole in _said(call, module, known):
            if head and hole not in parameters.get(id(call), set()) and _is_code(f"{head.rstrip('.')}*"):
                yield f"{head}*", Use(f"{module.path}:{call.lineno}", None, None)


def _ends(said: ast.expr | None, module: Module) -> list[str]:
    if isinstance(said, ast.IfExp):
        return [*_ends(said.body, module), *_ends(said.orelse, module)]
    text = _constant(said, module) if said is not None else None
    return [] if text is None else [text]


def _use(call: ast.Call, wrapper: Wrapper, module: Module) -> Use:
    place = f"{module.path}:{call.lineno}"
    rest = call.args[wrapper.at + 1 :]
    words = next((one.value for one in call.keywords if one.arg == "words"), rest[0] if rest else None)
    remedy = next((one.value for one in call.keywords if one.arg == "remedy"), rest[1] if len(rest) > 1 else None)
    return Use(place, _constant(words, module) or None, _constant(remedy, module))


def is_whole(uses: list[Use]) -> bool:
    """Whether a code is always said in the same fixed words."""
    said = {use.words for use in uses}
    return len(said) == 1 and None not in said
