"""Settings of a process: defaults, then a TOML file, then the environment, then flags; the last one wins.

A process declares one frozen Struct (``NodeSettings``, ``HubSettings`` …) and calls ``load_settings``
once. Every value keeps the name of the place it came from, for ``xinglin settings``.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Generic, TypeVar, Union, get_args, get_origin

import msgspec

from xinglin.kernel.errors import XinglinError
from xinglin.kernel.limits import Limit

T = TypeVar("T", bound=msgspec.Struct)

SETTINGS_BYTES = Limit("settings file size", 256 * 1024, "bytes")
_SECRET_ENDINGS = ("_secret", "_password", "_token", "_passphrase")
_HIDDEN = "(hidden)"


class SettingsError(XinglinError):
    """A setting that is unknown, missing or not of its type; carries the setting's name and its source."""

    code = "stores.settings"

    def __init__(self, what: str, *, setting: str = "", source: str = "", why: str = "", remedy: str = "") -> None:
        super().__init__(what, why=why, remedy=remedy)
        self.setting, self.source = setting, source


class Setting(msgspec.Struct, frozen=True):
    """One line of ``xinglin settings``: name, value as text (secrets hidden), and where it came from."""

    name: str
    value: str
    source: str


class Loaded(msgspec.Struct, Generic[T], frozen=True):
    """The frozen settings, and for each field the source that won."""

    settings: T
    sources: dict[str, str]

    def report(self) -> tuple[Setting, ...]:
        """Every setting in the order of its declaration."""
        names = [field.name for field in msgspec.structs.fields(self.settings)]
        return tuple(Setting(name, _shown(name, getattr(self.settings, name)), self.sources[name]) for name in names)


def load_settings(
    kind: type[T],
    role: str,
    *,
    environ: Mapping[str, str],
    file: Path | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Loaded[T]:
    """The settings ``kind`` of the process ``role``.

    ``environ`` is the environment, handed in; only ``XINGLIN_<ROLE>_<FIELD>`` is looked at. ``flags``
    holds what the command line gave; None means not given. Texts from the environment are read as
    the field's type, and as a comma-separated list where the field is a tuple. ``SettingsError`` is
    raised for an unknown name (with the nearest known one), a value of the wrong type, a missing
    value, or a file that cannot be read.

    >>> class Demo(msgspec.Struct, frozen=True):
    ...     port: int = 8443
    >>> loaded = load_settings(Demo, "demo", environ={"XINGLIN_DEMO_PORT": "9000"})
    >>> loaded.settings.port, loaded.sources["port"]
    (9000, 'environment XINGLIN_DEMO_PORT')
    """
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    sources = dict.fromkeys(fields, "default")
    for layer in (_from_file(file), _from_environment(role, fields, environ), _from_flags(flags or {})):
        for name, (value, source) in layer.items():
            _check_known(name, source, fields)
            values[name] = _convert(name, value, fields[name].type, source)
            sources[name] = source
    for name, field in fields.items():
        if field.required and name not in values:
            variable = f"XINGLIN_{role.upper()}_{name.upper()}"
            raise SettingsError(
                f"The setting '{name}' of the {role} is missing.",
                setting=name,
                remedy=f"Write it in the settings file, set {variable}, or give --{_flag(name)}.",
            )
    return Loaded(kind(**values), sources)


def folder_settings(
    kind: type[T], role: str, folder: Path, *, environ: Mapping[str, str], flags: Mapping[str, Any] | None = None
) -> Loaded[T]:
    """``load_settings`` with the file ``<role>.toml`` of the process's ``folder``, where it exists."""
    file = folder / f"{role}.toml"
    return load_settings(kind, role, environ=environ, file=file if file.exists() else None, flags=flags)


def settings_file_text(settings: msgspec.Struct, *, heading: str = "") -> str:
    """``settings`` as a TOML file that ``load_settings`` reads back (None is left out)."""
    lines = [f"# {line}" for line in heading.splitlines()]
    for field in msgspec.structs.fields(settings):
        value = getattr(settings, field.name)
        if value is not None:
            lines.append(f"{field.name} = {_toml(value)}")
    return "\n".join(lines) + "\n"


def _from_file(file: Path | None) -> dict[str, tuple[Any, str]]:
    if file is None:
        return {}
    try:
        data = file.read_bytes()
        SETTINGS_BYTES.check(len(data))
        table = tomllib.loads(data.decode("utf-8"))
    except OSError as error:
        raise SettingsError(
            f"The settings file {file} cannot be read.",
            source=str(file),
            why=error.strerror or "",
            remedy="Check the path.",
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"The settings file {file} is not TOML: {error}.", source=str(file)) from error
    return {name: (value, f"file {file}") for name, value in table.items()}


def _from_environment(role: str, fields: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    prefix = f"XINGLIN_{role.upper()}_"
    found = {}
    for variable, text in sorted(environ.items()):
        if variable.startswith(prefix):
            name = variable.removeprefix(prefix).lower()
            listed = name in fields and _is_list(fields[name].type)
            value: Any = [part.strip() for part in text.split(",") if part.strip()] if listed else text
            found[name] = (value, f"environment {variable}")
    return found


def _from_flags(flags: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    return {name: (value, f"flag --{_flag(name)}") for name, value in flags.items() if value is not None}


def _check_known(name: str, source: str, fields: Mapping[str, Any]) -> None:
    if name in fields:
        return
    near = difflib.get_close_matches(name, fields, n=1, cutoff=0.0)
    raise SettingsError(
        f"There is no setting '{name}'.",
        setting=name,
        source=source,
        why=f"It stands in: {source}.",
        remedy=f"Did you mean '{near[0]}'? `xinglin settings` lists every setting." if near else "",
    )


def _convert(name: str, value: Any, kind: Any, source: str) -> Any:
    try:
        return msgspec.convert(value, kind, strict=False, dec_hook=_decode)
    except (msgspec.ValidationError, ValueError, TypeError) as error:
        raise SettingsError(
            f"The setting '{name}' is not of its type: {error}.",
            setting=name,
            source=source,
            why=f"It stands in: {source}.",
            remedy="Correct the value there.",
        ) from error


def _decode(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str | Path):
        return Path(value).expanduser()
    raise TypeError(f"a {kind.__name__} cannot be read from settings")


def _is_list(kind: Any) -> bool:
    if get_origin(kind) in (Union, UnionType):
        return any(_is_list(part) for part in get_args(kind))
    return get_origin(kind) in (tuple, list, frozenset, set)


def _flag(name: str) -> str:
    return name.replace("_", "-")


def _shown(name: str, value: Any) -> str:
    if name.endswith(_SECRET_ENDINGS) and value:
        return _HIDDEN
    if isinstance(value, str) and "://" in value and "@" in value:
        scheme, _, rest = value.partition("://")
        user, _, place = rest.rpartition("@")
        return f"{scheme}://{user.partition(':')[0]}{':' + _HIDDEN if ':' in user else ''}@{place}"
    return ", ".join(str(part) for part in value) if isinstance(value, tuple | list) else str(value)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple | list | frozenset | set):
        return "[" + ", ".join(_toml(part) for part in value) + "]"
    # A TOML basic string escapes as JSON does, and additionally U+007F.
    return msgspec.json.encode(str(value)).decode().replace("\x7f", "\\u007f")
