"""labels.yaml: what a person says of a step, after having read some of its inputs and answers."""

from datetime import date
from typing import Literal

from pydantic import Field

from tokenpnl_analytics.rules.reading import RuleFile, Rules


class Label(Rules):
    """One person's judgement of one step."""

    workflow: str = Field(description="Name of the workflow.")
    step: str = Field(description="Name of the step, as reports show it.")
    label: Literal["reasoning", "glue"] = Field(
        description="`reasoning` is evidence; `glue` is one sign, and needs a measured one beside it."
    )
    reviewer: str = Field(description="Who looked.")
    n_seen: int = Field(gt=0, description="How many pairs of input and answer were read.")
    on: date | None = Field(None, description="When.")


class LabelsFile(Rules):
    """The labels of all steps; of several for one step the last one counts."""

    labels: tuple[Label, ...] = ()


LABELS = RuleFile("labels.yaml", LabelsFile, "What a person says of a step: reasoning or glue, and on how many cases.")
