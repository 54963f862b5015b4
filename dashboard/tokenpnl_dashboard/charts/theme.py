"""Colours and patterns: one palette for both themes, so that a category looks the same in every screenshot."""

from dataclasses import dataclass

from tokenpnl.model import WITHOUT_DIRECT_RESULT, CostCategory

COLOUR: dict[str, str] = {
    CostCategory.PRODUCTIVE: "#0A66B7",
    CostCategory.FALLBACK: "#56A9DE",
    CostCategory.EVALUATION: "#7C6BC4",
    CostCategory.PENDING: "#8A93A0",
    CostCategory.ESCALATION: "#B5739D",
    CostCategory.TIMEOUT: "#C8571B",
    CostCategory.SCHEMA_VIOLATION: "#D99100",
    CostCategory.RETRY: "#A3486B",
    CostCategory.LOOP: "#94812B",
    CostCategory.FAILED_RUN: "#B03A2E",
    CostCategory.ABANDONED_RUN: "#8B5A44",
    CostCategory.UNATTRIBUTED: "#5B6675",
    CostCategory.IDLE_CAPACITY: "#3F7F7A",
}

PATTERN: dict[str, str] = {
    CostCategory.TIMEOUT: "/",
    CostCategory.SCHEMA_VIOLATION: "\\",
    CostCategory.RETRY: "x",
    CostCategory.LOOP: "-",
    CostCategory.FAILED_RUN: "+",
    CostCategory.ABANDONED_RUN: ".",
}
"""Only cost without direct result carries a pattern, so that it can be told apart without colour."""

TOTAL = "#5B6675"
SAVING = "#1F8A5B"
NO_COST = "#B8BFC9"


@dataclass(frozen=True)
class Ink:
    """What differs between light and dark: text, lines and ground, as CSS colours."""

    text: str
    muted: str
    line: str
    ground: str


LIGHT = Ink(text="#1B2330", muted="#5A6472", line="#DDE1E7", ground="#FFFFFF")
DARK = Ink(text="#E8EBF0", muted="#A6AFBC", line="#323A46", ground="#12161C")


def ink(theme: str | None) -> Ink:
    """Return the inks of the reader's theme, `light` or `dark`; light where the browser did not say."""
    return DARK if theme == "dark" else LIGHT


def colour(category: str | None) -> str:
    """Return the colour of a cost category, or the one of spans that cost nothing."""
    return COLOUR.get(category or "", NO_COST)


def text_on(category: str | None) -> str:
    """Return the colour of text in a mark of the category: white or dark, whichever stands out more (WCAG 2)."""
    ground = _luminance(colour(category))
    white, dark = 1.05 / (ground + 0.05), (ground + 0.05) / (_luminance(LIGHT.text) + 0.05)
    return "#FFFFFF" if white >= dark else LIGHT.text


def _luminance(colour_code: str) -> float:
    parts = [int(colour_code[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def pattern(category: str | None) -> str:
    """Return the fill pattern of a cost category; empty unless it is without direct result."""
    return PATTERN.get(category or "", "")


assert set(PATTERN) == set(WITHOUT_DIRECT_RESULT)
