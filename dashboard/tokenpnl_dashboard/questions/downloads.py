"""What pages read beside statements: sums fit for allocation, and the files that the statement is handed out as."""

from collections.abc import Callable
from dataclasses import replace

import polars as pl

from tokenpnl_analytics.rules.line_match import COLUMN_OF
from tokenpnl_dashboard import words
from tokenpnl_dashboard.closing.months import Closing
from tokenpnl_dashboard.closing.statement_rows import Shown, with_rows
from tokenpnl_dashboard.exports.pack import Pack, pack_of
from tokenpnl_dashboard.parts.filters import Choice, bounds
from tokenpnl_dashboard.questions.lines import line_items
from tokenpnl_dashboard.questions.pnl import RUN_FILTERS, over_limit, rests_on, the_cohort
from tokenpnl_dashboard.state import ask, book, edition, home
from tokenpnl_ingest.control import ControlStore


def hourly_sums(choice: Choice) -> pl.DataFrame:
    """Return the chosen line items of the period summed by hour and everything that an allocation rule may name."""
    return ask("line_item_sums", by=["hour", *COLUMN_OF.values()], where=choice.where, **bounds(choice.period))


def packer(choice: Choice, write: Callable[[Pack], bytes]) -> Callable[[], bytes]:
    """Return what makes a file of the chosen statement, once somebody wants it.

    It runs beside the page, where nothing of Streamlit answers; so it holds the book, the runs and the moment of this
    page.

    Args:
        choice: what the reader chose; successes stand in the file where every filter is one of runs.
        write: makes the file.
    """
    source, as_of, window, place = book(), edition().as_of, bounds(choice.period), home()
    runs = the_cohort(choice, choice.period) if set(choice.picked) <= set(RUN_FILTERS) else None
    picked = "; ".join(f"{name}: {', '.join(values)}" for name, values in choice.picked.items())
    told, over = rests_on(choice, "workflow"), over_limit(choice)
    named = " ".join(part for part in (words.days_of(choice.period), f"({picked})" if picked else "") if part)

    def made() -> bytes:
        lines = line_items(source, where=choice.where, **window)
        pack = pack_of(lines, runs, told, period=named, as_of=as_of, over_limit=over)
        if place is not None:
            shown = Shown(choice.period, as_of, where=choice.where)
            with ControlStore.of(place) as control:
                pack = replace(pack, total=with_rows(pack.total, Closing(place, source, control), shown))
        return write(pack)

    return made
