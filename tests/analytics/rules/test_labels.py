"""labels.yaml: what a person says of a step, or an error that names the line."""

import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.labels import LABELS

GOOD = "labels: [{workflow: w, step: s, label: reasoning, reviewer: ana, n_seen: 20}]"


def test_a_label_names_the_step_who_looked_and_on_how_many_cases() -> None:
    one = LABELS.parse(GOOD, name="labels.yaml").labels[0]
    assert (one.workflow, one.step, one.label, one.reviewer, one.n_seen) == ("w", "s", "reasoning", "ana", 20)


def test_no_file_is_no_label() -> None:
    assert LABELS.parse("", name="labels.yaml").labels == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [("label: reasoning", "label: maybe"), ("n_seen: 20", "n_seen: 0"), (", reviewer: ana", "")],
    ids=["another word", "nothing seen", "nobody"],
)
def test_a_judgement_without_word_person_or_cases_is_refused(old: str, new: str) -> None:
    with pytest.raises(ConfigurationError, match=r"labels\.yaml"):
        LABELS.parse(GOOD.replace(old, new), name="labels.yaml")
