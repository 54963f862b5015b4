"""Figures of capacity: what each pool was paid for, used and idle."""

import plotly.graph_objects as go
import polars as pl

from tokenpnl.model import CostCategory
from tokenpnl_dashboard import words
from tokenpnl_dashboard.charts.pnl import ROW_HEIGHT, Chart, fill, layout
from tokenpnl_dashboard.charts.theme import Ink

_PARTS = (("allocated_usd", "Allocated", CostCategory.PRODUCTIVE), ("idle_usd", "Idle", CostCategory.IDLE_CAPACITY))


def paid_and_idle(pools: pl.DataFrame, ink: Ink) -> Chart:
    """Return one bar a pool: what was allocated to requests, and what was paid and used by nothing.

    Args:
        pools: result of `pool_usage`, the dearest first.
        ink: the theme's inks.
    """
    figure = go.Figure(layout=layout(ink, height=44 + (ROW_HEIGHT + 14) * pools.height))
    for column, title, category in _PARTS:
        figure.add_bar(
            orientation="h",
            name=title,
            y=pools["pool"].to_list(),
            x=pools[column].cast(pl.Float64).to_list(),
            marker=fill(category.value),
            hovertext=[
                f"{pool}, {title.lower()}: {words.usd(usd)}" for pool, usd in pools.select("pool", column).rows()
            ],
            hovertemplate="%{hovertext}<extra></extra>",
        )
    for row in pools.iter_rows(named=True):
        figure.add_annotation(
            x=float(row["paid_usd"]),
            y=row["pool"],
            text=f"{words.usd(row['paid_usd'])}  <span style='opacity:.75'>{_idle(row)} idle</span>",
            xanchor="left",
            xshift=8,
            showarrow=False,
            font={"color": ink.text},
        )
    widest = float(pools["paid_usd"].max() or 0)  # type: ignore[arg-type]
    figure.update_layout(barmode="stack")
    # The label of the longest bar needs room to its right.
    figure.update_xaxes(visible=False, range=[0, widest * 1.75 or 1])
    figure.update_yaxes(autorange="reversed", automargin=True, tickfont={"color": ink.text}, ticksuffix="  ")
    table = pools.select(
        pl.col("pool").alias("Pool"),
        *(
            pl.Series(title, [words.usd(usd) for usd in pools[column]])
            for column, title in (("paid_usd", "Paid"), ("allocated_usd", "Allocated"), ("idle_usd", "Idle"))
        ),
    )
    told = [f"{row['pool']} {words.usd(row['paid_usd'])}, {_idle(row)} idle" for row in pools.iter_rows(named=True)]
    return Chart(figure, f"What each pool cost. {'; '.join(told)}.", table)


def _idle(row: dict[str, object]) -> str:
    paid, idle = row["paid_usd"], row["idle_usd"]
    return words.percent(float(idle) / float(paid)) if paid else words.UNKNOWN  # type: ignore[arg-type]
