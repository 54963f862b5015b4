"""One palette for both themes, told apart without colour where it matters."""

import tomllib
from pathlib import Path

import pytest

import tokenpnl_dashboard.processes.show
from tokenpnl.model import WITHOUT_DIRECT_RESULT, CostCategory
from tokenpnl_dashboard.charts import theme

# Streamlit looks for it beside the module that launches the pages, and goes on with its own theme where there is none.
CONFIG = Path(tokenpnl_dashboard.processes.show.__file__).parent / ".streamlit" / "config.toml"


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_streamlit_and_plotly_draw_with_the_same_palette() -> None:
    colours = tomllib.loads(CONFIG.read_text())["theme"]["chartCategoricalColors"]
    assert colours == list(dict.fromkeys(theme.COLOUR.values()))
    assert len(colours) >= 10


def test_the_inks_are_those_of_the_configured_themes() -> None:
    themes = tomllib.loads(CONFIG.read_text())["theme"]
    for name, ink in (("light", theme.LIGHT), ("dark", theme.DARK)):
        assert (themes[name]["textColor"], themes[name]["backgroundColor"]) == (ink.text, ink.ground)
        assert themes[name]["grayTextColor"] == ink.muted


def test_every_category_has_a_colour_and_only_cost_without_result_a_pattern() -> None:
    assert set(theme.COLOUR) == set(CostCategory)
    assert set(theme.PATTERN) == set(WITHOUT_DIRECT_RESULT)
    assert len(set(theme.PATTERN.values())) == len(theme.PATTERN)


def test_text_is_legible_in_both_themes() -> None:
    for ink in (theme.LIGHT, theme.DARK):
        assert contrast(ink.text, ink.ground) >= 7
        assert contrast(ink.muted, ink.ground) >= 4.5


def test_white_labels_are_legible_on_the_bars_that_carry_them() -> None:
    assert contrast(theme.TOTAL, "#FFFFFF") >= 4.5
    assert contrast(theme.COLOUR[CostCategory.PRODUCTIVE], "#FFFFFF") >= 4.5


def test_the_theme_that_the_browser_did_not_name_is_light() -> None:
    assert theme.ink(None) is theme.LIGHT
    assert theme.ink("dark") is theme.DARK


@pytest.mark.parametrize("category", list(CostCategory))
def test_text_in_a_mark_stands_out_from_it(category: CostCategory) -> None:
    assert contrast(theme.colour(category), theme.text_on(category)) >= 3.9
