"""A rate card as bytes: a stored version of prices gives the same lines again, whatever genai-prices is installed.

The bytes are a ZIP of the published slots and rates (Parquet), of how model names are recognised (JSON, in the shape of
genai-prices' own data), and of the rules laid over them (JSON). Equal cards give equal bytes.
"""

import io
import json
import zipfile
from dataclasses import fields, is_dataclass
from typing import Any

import polars as pl
from genai_prices.data_snapshot import DataSnapshot
from genai_prices.types import Provider
from pydantic import ConfigDict, TypeAdapter, ValidationError

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.pricing.ratecard import RateCard
from tokenpnl_analytics.pricing.rulebook import Layers

_FORMAT = 1
_LONG_AGO = (1980, 1, 1, 0, 0, 0)
_MATCHED_BY = ("id", "name", "api_pattern", "model_match", "provider_match", "fallback_model_providers")
_PROVIDERS = TypeAdapter(list[Provider], config=ConfigDict(arbitrary_types_allowed=True, defer_build=True))


def to_bytes(card: RateCard) -> bytes:
    """Return the card as bytes.

    Raises:
        ValueError: the card is several in a row; each of them is a version of its own.
    """
    if card.sections:
        raise ValueError("a card of several sections is a schedule; store each section's card as a version of its own")
    content = {
        "card.json": json.dumps({"format": _FORMAT, "version": card.version}).encode(),
        "names.json": json.dumps([_names(provider) for provider in card.snapshot.providers]).encode(),
        "rates.parquet": _parquet(card.rates),
        "rules.json": card.layers.model_dump_json(by_alias=True, exclude_defaults=True).encode(),
        "slots.parquet": _parquet(card.slots),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def from_bytes(content: bytes) -> RateCard:
    """Return the card that `to_bytes` stored; its lines and its version are the same to the last digit.

    Raises:
        ConfigurationError: the bytes are no card, or one of a newer format.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            head = json.loads(archive.read("card.json"))
            if head["format"] != _FORMAT:
                raise ConfigurationError(
                    f"the stored rate card has format {head['format']}; this release reads format {_FORMAT}: update it"
                )
            slots = pl.read_parquet(archive.read("slots.parquet"))
            rates = pl.read_parquet(archive.read("rates.parquet"))
            providers = _PROVIDERS.validate_python(json.loads(archive.read("names.json")))
            layers = Layers.model_validate_json(archive.read("rules.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, ValidationError, pl.exceptions.PolarsError) as error:
        raise ConfigurationError(f"this is no stored rate card: {error}") from error
    named = slots.select("provider", "model", "context", "card_key").unique(maintain_order=True)
    keys = {(provider, model, context): key for provider, model, context, key in named.iter_rows()}
    snapshot = DataSnapshot(providers=providers, from_auto_update=False)
    return RateCard(slots, rates, keys, head["version"], snapshot, layers)


def _parquet(frame: pl.DataFrame) -> bytes:
    written = io.BytesIO()
    frame.write_parquet(written, compression="zstd")
    return written.getvalue()


def _names(provider: Provider) -> dict[str, Any]:
    """Return how a provider and its models are recognised, without their prices."""
    found = {name: _plain(getattr(provider, name)) for name in _MATCHED_BY}
    models = [{"id": model.id, "match": _plain(model.match), "prices": []} for model in provider.models]
    return {name: value for name, value in found.items() if value is not None} | {"models": models}


def _plain(value: Any) -> Any:
    """Return a matching clause as genai-prices' data file writes it."""
    if is_dataclass(value):
        return {field.name.rstrip("_"): _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value
