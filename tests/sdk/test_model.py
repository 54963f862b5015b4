from tokenpnl.model import INPUT_KINDS, OUTPUT_KINDS, WITHOUT_DIRECT_RESULT, CostCategory, UsageKind


def test_every_usage_kind_is_input_or_output() -> None:
    assert set(INPUT_KINDS) | set(OUTPUT_KINDS) == set(UsageKind)
    assert not set(INPUT_KINDS) & set(OUTPUT_KINDS)


def test_a_usage_kind_names_its_column() -> None:
    assert UsageKind.INPUT_CACHE_WRITE_1H.column == "input_cache_write_1h_tokens"


def test_productive_cost_has_a_direct_result() -> None:
    assert CostCategory.PRODUCTIVE not in WITHOUT_DIRECT_RESULT
