import pytest

from tokenpnl.errors import ConfigurationError
from tokenpnl_analytics.rules.experiments import EXPERIMENT, ByDate, ByHash, Metric

FILE = """
experiment:
  name: cheaper drafts
  workflow: support_reply
  started: 2026-11-01T00:00:00+01:00
  margin: 0.02
  assignment: {by: hash, unit: conversation, salt: drafts-1, treated_share: 0.5}
"""


def test_a_file_says_who_is_in_which_arm_and_what_was_promised():
    found = EXPERIMENT.parse(FILE).experiment
    assert isinstance(found.assignment, ByHash)
    assert found.assignment.unit.column == "session_id"
    assert (found.metric, str(found.margin)) == (Metric.USD_PER_RUN, "0.02")
    assert found.started.isoformat() == "2026-10-31T23:00:00+00:00"


def test_a_change_by_date_names_untouched_workflows():
    found = EXPERIMENT.parse(
        FILE.replace(
            "by: hash, unit: conversation, salt: drafts-1, treated_share: 0.5", "by: date, untouched: [search]"
        )
    )
    assert isinstance(found.experiment.assignment, ByDate)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("treated_share: 0.5", "treated_share: 0.02", "each arm needs"),
        ("margin: 0.02", "margin: 0", "greater than 0"),
        ("margin: 0.02", "margin: 0.02\n  until: 2026-10-01T00:00:00Z", "before it starts"),
        ("margin: 0.02", "margin: 0.02\n  arms: {control: x, treated: x}", "two names"),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(old, new, told):
    with pytest.raises(ConfigurationError, match=told):
        EXPERIMENT.parse(FILE.replace(old, new))
