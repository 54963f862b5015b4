"""Which line items a rule is for: wildcards on their dimensions, as one Polars expression."""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated

import polars as pl
from pydantic import BeforeValidator

from tokenpnl_analytics.rules.reading import Rules

NONE = "(none)"

COLUMN_OF: Mapping[str, str] = {
    "tenant": "tenant",
    "workflow": "workflow",
    "customer": "customer_id",
    "feature": "feature",
    "environment": "environment",
    "release": "release",
    "service": "service_name",
    "step": "step",
    "provider": "provider",
    "model": "model",
    "deployment": "deployment",
    "pool": "pool",
    "kind": "usage_kind",
    "charge": "charge_category",
    "category": "cost_category",
    "evaluation": "evaluation",
}
"""Name in a rule file -> column of the line items."""


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Globs = Annotated[tuple[str, ...], BeforeValidator(_listed)]
"""One wildcard pattern or several, of which one must fit; `*` and `?` as in a shell; `(none)` is what names nothing."""


class LineMatch(Rules):
    """The line items that a rule is for: every dimension that is given must fit one of its patterns."""

    tenant: Globs = ()
    workflow: Globs = ()
    customer: Globs = ()
    feature: Globs = ()
    environment: Globs = ()
    release: Globs = ()
    service: Globs = ()
    step: Globs = ()
    provider: Globs = ()
    model: Globs = ()
    deployment: Globs = ()
    pool: Globs = ()
    kind: Globs = ()
    charge: Globs = ()
    category: Globs = ()
    evaluation: Globs = ()

    def expr(self) -> pl.Expr:
        """Return whether a line item is meant; never NULL."""
        fits = pl.lit(value=True)
        for name, column in COLUMN_OF.items():
            if patterns := getattr(self, name):
                fits = fits & fitting(pl.col(column), patterns)
        return fits


def fitting(text: pl.Expr, patterns: Sequence[str]) -> pl.Expr:
    """Return whether the text fits one of the wildcard patterns; NULL text reads `(none)`."""
    return text.fill_null(NONE).str.contains("|".join(f"^(?s:{_regex(glob)})$" for glob in patterns))


def first_match(rules: Sequence[LineMatch]) -> pl.Expr:
    """Return the place of the first rule that a line item fits, from 0; NULL where it fits none."""
    if not rules:
        return pl.lit(None, pl.Int64)
    return pl.coalesce(pl.when(rule.expr()).then(pl.lit(place, pl.Int64)) for place, rule in enumerate(rules))


def _regex(glob: str) -> str:
    wild = {"*": ".*", "?": "."}
    return "".join(wild.get(letter) or re.escape(letter) for letter in glob)
