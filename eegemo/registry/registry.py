"""Registries: from names to objects, by built-in tables, entry points and import paths."""

import difflib
import hashlib
import importlib
import importlib.metadata
import importlib.util
import re
import sys
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eegemo.errors import ConfigError

__all__ = ["Code", "Registry"]

_IMPORT_PATH = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_LONGEST = 60  # characters of a name that is shown


@dataclass(frozen=True)
class Code:
    """Location and identity of the code behind a name.

    Attributes
    ----------
    module : str
    file : str or None
        None for a module without a file.
    distribution, version : str or None
        The installed package that the module belongs to, if any.
    sha256 : str or None
        Digest of the module's file; None for eegemo's own code, which its version identifies.
    """

    module: str
    file: str | None
    distribution: str | None
    version: str | None
    sha256: str | None


class Registry:
    """Names of one kind, such as models.

    Parameters
    ----------
    kind : str
        ``"models"``, ``"datasets"``, ...; other packages add names by the group of entry points
        ``eegemo.<kind>``.
    key : str
        The key of the experiment file that holds such a name; messages begin with it.
    built_in : mapping of str to str
        Name to ``"module:attribute"``.

    Examples
    --------
    >>> registry = Registry("models", "model.name", {"mean": "statistics:mean"})
    >>> registry.resolve("mean")([1, 3])
    2
    >>> registry.resolve("maen")
    Traceback (most recent call last):
    eegemo.errors.ConfigError: model.name: expected 'mean', found the text 'maen'; did you mean
    'mean'?
    """

    def __init__(self, kind: str, key: str, built_in: Mapping[str, str]) -> None:
        self.kind, self.key, self.built_in = kind, key, dict(built_in)

    def resolve(self, name: str, *, trust: bool = True) -> Any:
        """Return the object behind a name.

        Parameters
        ----------
        name : str
            A built-in name, the name of an entry point, or an import path ``"module:attribute"``.
        trust : bool
            Whether an import path may be imported, which runs its code. Installed plug-ins are
            trusted.

        Returns
        -------
        thing : callable

        Raises
        ------
        ConfigError
            If the name is unknown, is an import path without trust, or cannot be imported; the
            message names the module, its file and the error.
        """
        if name in self.built_in:
            return self._import(self.built_in[name], self.key)
        if _IMPORT_PATH.fullmatch(name):
            if not trust:
                raise ConfigError(
                    f"{self.key}: {name} is code from outside eegemo; add --trust to import it, if "
                    "you know what it does."
                )
            return self._import(name, f"{self.key}: {name}")
        point = self._entry_points().get(name)
        if point is None:
            raise ConfigError(f"{self.key}: {self._unknown(name)}")
        return self._import(point.value, f"{self.key}: plug-in {name!r} ({_origin(point)})")

    def names(self) -> dict[str, str]:
        """Return all known names and their origins, without importing anything.

        Returns
        -------
        names : dict of str to str
            Built-in names with the origin ``"eegemo"``, then names of plug-ins with their
            distribution and version.
        """
        points = {
            name: _origin(point)
            for name, point in sorted(self._entry_points().items())
            if name not in self.built_in
        }
        return dict.fromkeys(self.built_in, "eegemo") | points

    def expected(self) -> str:
        """Return the known names for a message: ``'a', 'b' or 'c'``."""
        names = [repr(name) for name in self.names()]
        return " or ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))

    def is_foreign(self, name: str) -> bool:
        """Return whether a name stands for code from outside eegemo."""
        return name not in self.built_in

    def describe_code(self, name: str) -> Code:
        """Return the location of the code behind a name, and the digest of its module's source.

        Parameters
        ----------
        name : str
            As in `resolve`. The parent packages of its module are imported to find it.

        Returns
        -------
        code : Code

        Raises
        ------
        ConfigError
            If the name is unknown, or its module cannot be found or read.
        """
        if name in self.built_in:
            module = self.built_in[name].partition(":")[0]
            file = _file_of(module)
            version = importlib.metadata.version("eegemo") if _is_installed("eegemo") else None
            return Code(module, file, "eegemo", version, None)
        distribution = version = None
        if _IMPORT_PATH.fullmatch(name):
            module = name.partition(":")[0]
            owners = importlib.metadata.packages_distributions().get(module.partition(".")[0], [])
            if owners:
                distribution, version = owners[0], importlib.metadata.version(owners[0])
        else:
            point = self._entry_points().get(name)
            if point is None:
                raise ConfigError(f"{self.key}: {self._unknown(name)}")
            module = point.value.partition(":")[0]
            if point.dist is not None:
                distribution, version = point.dist.name, point.dist.version
        file = _file_of(module)
        if file is None:
            raise ConfigError(f"{self.key}: {name}: the module {module!r} has no file.")
        try:
            digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        except OSError as error:
            raise ConfigError(f"{self.key}: {name}: {file} cannot be read ({error}).") from None
        return Code(module, file, distribution, version, digest)

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name, self.names(), n=1)
        shown = repr(name)
        shown = shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."
        hint = f"; did you mean {near[0]!r}?" if near else "."
        return f"expected {self.expected()}, found the text {shown}{hint}"

    def _entry_points(self) -> dict[str, importlib.metadata.EntryPoint]:
        """Return the entry points of this kind; needed only for names that are not built in."""
        found: dict[str, importlib.metadata.EntryPoint] = {}
        for point in importlib.metadata.entry_points(group=f"eegemo.{self.kind}"):
            other = found.setdefault(point.name, point)
            if other.value != point.value:
                raise ConfigError(
                    f"{self.key}: {point.name!r} is declared by two installed packages, "
                    f"{_origin(other)} and {_origin(point)}; uninstall one of them."
                )
        return found

    def _import(self, path: str, who: str) -> Any:
        """Import ``"module:attribute"``; `who` begins the message if that fails."""
        module_name, _, attribute = path.partition(":")
        try:
            thing: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            missing = error.name or module_name
            if f"{module_name}.".startswith(f"{missing}."):
                raise ConfigError(
                    f"{who}: there is no module {missing!r}; install it, or add the folder that "
                    "holds it to PYTHONPATH."
                ) from error
            raise ConfigError(
                f"{who}: {_file_of(module_name) or module_name} needs the module {missing!r}, "
                "which is not installed."
            ) from error
        except (Exception, SystemExit) as error:  # whatever the code of others raises
            raise ConfigError(
                f"{who}: {_where(module_name, error)} cannot be imported "
                f"({type(error).__name__}: {error})."
            ) from error
        file = _file_of(module_name) or module_name
        for part in attribute.split("."):
            if not hasattr(thing, part):
                near = difflib.get_close_matches(part, dir(thing), n=1)
                hint = f"; did you mean {near[0]!r}?" if near else "."
                raise ConfigError(f"{who}: {file} has no {attribute!r}{hint}")
            thing = getattr(thing, part)
        if not callable(thing):
            raise ConfigError(
                f"{who}: expected a function or a class; {attribute!r} of {file} is "
                f"{type(thing).__name__}."
            )
        return thing


def _origin(point: importlib.metadata.EntryPoint) -> str:
    """Return the distribution and version of an entry point."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else point.value


def _is_installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _file_of(module: str) -> str | None:
    """Return the file of a module, without importing the module itself."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        return getattr(loaded, "__file__", None)
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        return None
    return spec.origin if spec is not None and spec.has_location else None


def _where(module: str, error: BaseException) -> str:
    """Return the file and line at which an import failed."""
    file = _file_of(module)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno},"
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == file
    ]
    return f"{file}, line {lines[-1]}," if lines else file or module
