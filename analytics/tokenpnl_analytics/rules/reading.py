"""A YAML rule file: text to a checked model, and errors that name file and line."""

import json
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from tokenpnl.errors import ConfigurationError

_MOST_ERRORS = 5


class Rules(BaseModel):
    """The base of every model of a rule file: frozen, and an unknown key is an error, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


M = TypeVar("M", bound=Rules)


@dataclass(frozen=True)
class RuleFile(Generic[M]):
    """One kind of file: its name in the configuration folder, its model, and what it is for in one sentence."""

    name: str
    model: type[M]
    doc: str

    def parse(self, text: str, *, name: str | None = None) -> M:
        """Return the rules in the text.

        Args:
            text: YAML; empty text gives the model's defaults. Numbers with a point are read as Decimal, so that no
                price passes through a float.
            name: what to call the file in errors; default its usual name.

        Raises:
            ConfigurationError: the text is no YAML or breaks the model; the message names file, line, what was
                expected and what came.
        """
        called = name or self.name
        data = _json(text)
        root = None
        if data is None:
            root, data = _composed(text, called)
        try:
            return self.model.model_validate({} if data is None else data)
        except ValidationError as error:
            root = root or _composed(text, called)[0]
            told = [_sentence(detail, root, called) for detail in error.errors()[:_MOST_ERRORS]]
            more = error.error_count() - len(told)
            raise ConfigurationError("; ".join(told) + (f"; and {more} more" if more else "")) from None

    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of the file."""
        return {"$id": self.name, "description": self.doc, **self.model.model_json_schema(by_alias=True)}


class _Loader(yaml.SafeLoader):
    """YAML as PyYAML reads it, but money stays exact and a key may stand once."""


def _exact(loader: _Loader, node: yaml.ScalarNode) -> Decimal:
    text = str(loader.construct_scalar(node)).replace("_", "")
    try:
        return Decimal(text)
    except InvalidOperation:
        raise yaml.constructor.ConstructorError(None, None, f"{text!r} is no plain number", node.start_mark) from None


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:float", _exact)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _json(text: str) -> Any:
    """Return what a JSON text holds, None for any other: JSON is YAML, and lists of thousands of prices need its speed.

    A key that stands twice is left to the reader of YAML, which refuses it with its line.
    """
    if not text.startswith("{"):
        return None

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError
        return dict(pairs)

    try:
        return json.loads(text, parse_float=Decimal, object_pairs_hook=once)
    except ValueError:
        return None


def _composed(text: str, name: str) -> tuple[yaml.Node | None, Any]:
    try:
        return yaml.compose(text, Loader=_Loader), yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"{name}:{mark.line + 1}" if mark else name
        raise ConfigurationError(f"{where}: this is not the YAML expected here: {error.problem}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name}: this is not YAML: {error}") from None


def _sentence(detail: ErrorDetails, root: yaml.Node | None, name: str) -> str:
    # A check of a whole file knows which of its rules is at fault; pydantic only knows the file.
    path: tuple[int | str, ...] = detail.get("ctx", {}).get("loc", detail["loc"])
    spelled = ".".join(str(part) for part in path) or "the file"
    came = detail["input"]
    # The whole of a map that lacks a key says less than its line.
    told = "" if isinstance(came, (dict, list, Rules)) else f", got {came!r}"
    return f"{name}:{_line(root, path)}: {spelled}: {detail['msg']}{told}"


def _line(node: yaml.Node | None, path: Sequence[int | str]) -> int:
    """Return the line of the deepest node on the path that the file has."""
    line = 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                continue  # the name of a choice of models, or a key that is missing
            line, node = found[0][0].start_mark.line + 1, found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
