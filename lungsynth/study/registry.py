"""Plug-ins: a kind is a folder, a metric or exporter a file; a registry finds it by name and imports it late."""

import importlib
import importlib.util
import pkgutil
from collections.abc import Callable
from typing import Any

from lungsynth.study.errors import StudyError


class Registry:
    """The kinds of one room.

    Args:
        package: where they live, for example "lungsynth.generate".
        module: the module of a kind's folder that registers it ("network", "reader"); it is imported on `get` only.
        what: what a person calls such a thing, for messages.
        flat: True where an entry is a file of the package and not a folder.
    """

    def __init__(self, package: str, module: str = "network", what: str = "kind", flat: bool = False):
        self.package, self.module, self.what, self.flat = package, module, what, flat
        self._entries: dict[str, Any] = {}

    def names(self) -> list[str]:
        """The names on disk, sorted; nothing of them is imported."""
        found = pkgutil.iter_modules(importlib.import_module(self.package).__path__)
        if self.flat:
            return sorted(entry.name for entry in found if not entry.ispkg)
        return sorted(
            entry.name
            for entry in found
            if entry.ispkg and importlib.util.find_spec(f"{self.package}.{entry.name}.settings")
        )

    def register(self, name: str) -> Callable[[Any], Any]:
        """Decorator that files a kind under `name`, which must be the name of its folder or file.

        Raises:
            ValueError: the name is taken.
        """

        def file_under(entry: Any) -> Any:
            if name in self._entries:
                raise ValueError(f"{self.what} {name!r} is registered twice")
            self._entries[name] = entry
            return entry

        return file_under

    def check(self, name: str) -> str:
        """`name` itself, or a StudyError that lists what there is."""
        if name not in self.names():
            raise StudyError(f"no {self.what} is called {name!r}; there are: {', '.join(self.names())}")
        return name

    def settings(self, name: str) -> type:
        """The settings model of a kind: the class `Settings` of its `settings` module (pydantic only)."""
        return importlib.import_module(f"{self.package}.{self.check(name)}.settings").Settings

    def get(self, name: str) -> Any:
        """What the kind registered; imports it."""
        path = f"{self.package}.{self.check(name)}" + ("" if self.flat else f".{self.module}")
        importlib.import_module(path)
        if name not in self._entries:
            raise ValueError(f"{path} does not register {name!r}")
        return self._entries[name]
