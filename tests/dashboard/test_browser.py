"""The pages in a real browser, over a real collector: cold links, clicks, themes, a phone."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, Response, expect, sync_playwright
from tests.conftest import BROWSER_FLAGS, ROOT

from tokenpnl_dashboard.charts import theme
from tokenpnl_dashboard.commands.ingest import load_files
from tokenpnl_dashboard.processes import serve
from tokenpnl_ingest.home import Home

PATIENCE_MS = 60_000
SAMPLE = ROOT / "sample_traces" / "contract_review.otlp.jsonl.gz"
QUESTIONS = {
    "/": "expensive glue?",
    "/pnl": "against before?",
    "/waste": "buy nothing?",
    "/units": "workflow and customer?",
    "/budgets": "who knows?",
    "/runs": "Which runs?",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of pages over the sample of one workflow."""
    home = Home.at(tmp_path_factory.mktemp("home"))
    load_files(home, (SAMPLE,))
    served = serve.start(home, serve.Ports(grpc=0, http=0, dashboard=0), say=print)
    yield served.addresses["dashboard"]
    for child in reversed(served.children):
        child.stop(10.0)


@pytest.fixture(scope="module")
def browser(chromium: Path) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=BROWSER_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1440, "height": 1600})
    page.set_default_timeout(PATIENCE_MS)
    yield page
    page.close()


def opened(page: Page, url: str, *, until: str = ".stPlotlyChart .main-svg, [data-testid=stDataFrame] canvas") -> Page:
    page.goto(url)
    page.wait_for_selector(until, state="attached")
    # The script has run to its end when nothing is running any more.
    expect(page.locator("[data-testid=stApp]")).to_have_attribute("data-test-script-state", "notRunning")
    return page


def query(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlsplit(page.url).query)


@pytest.mark.parametrize("path", QUESTIONS)
def test_a_page_opens_cold_without_errors_or_foreign_requests(page: Page, address: str, path: str) -> None:
    foreign: list[str] = []
    failed: list[str] = []
    page.on("request", lambda request: foreign.append(request.url) if "127.0.0.1" not in request.url else None)
    page.on("pageerror", lambda error: failed.append(str(error)))

    def note(response: Response) -> None:
        # Below a page's path Streamlit first probes for its server there; that 404 is its own manner.
        if response.status >= 400 and "/_stcore/" not in response.url:
            failed.append(f"{response.status} {response.url}")

    page.on("response", note)
    opened(page, address + path)
    assert page.locator("h1").count() == 1
    assert page.locator("h1").inner_text().endswith(QUESTIONS[path])
    assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []
    assert failed == []
    assert page.locator(".modebar-btn").count() == 0
    charts = page.locator(".stPlotlyChart")
    assert page.locator("[role=figure][aria-label]").count() >= charts.count()


def test_filters_in_the_address_are_restored_and_kept_from_page_to_page(page: Page, address: str) -> None:
    opened(page, f"{address}/runs?period=last-90d&workflow=contract_review")
    assert query(page) == {"period": ["Last 90 days"], "workflow": ["contract_review"]}
    page.get_by_test_id("stTopNavSection").get_by_text("P&L", exact=True).click()
    page.get_by_test_id("stTopNavDropdownLink").filter(has_text="P&L statement").click()
    expect(page.locator("h1")).to_contain_text("What did we spend")
    page.wait_for_url("**/pnl?**workflow=contract_review**")
    assert query(page)["period"] == ["Last 90 days"]


def test_a_bar_leads_to_the_runs_behind_it_and_a_row_to_its_run(page: Page, address: str) -> None:
    opened(page, address)
    bars = page.locator(".st-key-waterfall .bars .point path")
    # The steps hang between the totals above and the productive cost below; failed runs are the widest of this sample.
    steps = [box for box in (bars.nth(n).bounding_box() for n in range(3, bars.count() - 1)) if box]
    widest = max(steps, key=lambda box: box["width"])
    page.mouse.click(widest["x"] + widest["width"] / 2, widest["y"] + widest["height"] / 2)
    page.wait_for_url("**/runs?category=Failed+run")
    expect(page.locator("h1")).to_have_text("Which runs?")
    rows = page.locator("[data-testid=stDataFrame]").first
    rows.locator("canvas").first.wait_for()
    box = rows.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 50, box["y"] + 52)
    page.wait_for_url("**/run?run=**")
    expect(page.locator("h1")).to_contain_text("step by step?")


def test_a_link_wins_over_the_filters_of_the_page_before(page: Page, address: str) -> None:
    opened(page, f"{address}/pnl?by=month&period=all")
    table = page.locator("[data-testid=stDataFrame]").first.bounding_box()
    assert table is not None
    page.mouse.click(table["x"] + 300, table["y"] + 52)
    page.get_by_role("link", name="Runs behind List cost, Sep 2026").click()
    page.wait_for_url("**/runs?period=2026-09")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_productive_cost_has_its_colour_in_both_themes(browser: Browser, address: str, scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE_MS)
    opened(page, address)
    bar = page.locator(".st-key-waterfall .bars .point path").last
    red, green, blue = (int(theme.COLOUR["productive"][i : i + 2], 16) for i in (1, 3, 5))
    assert bar.evaluate("element => element.style.fill") == f"rgb({red}, {green}, {blue})"
    told = theme.ink(scheme).text
    red, green, blue = (int(told[i : i + 2], 16) for i in (1, 3, 5))
    expect(page.locator("h1")).to_have_css("color", f"rgb({red}, {green}, {blue})")
    page.close()


@pytest.mark.parametrize("path", QUESTIONS)
def test_a_phone_scrolls_one_way_only(browser: Browser, address: str, path: str) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.set_default_timeout(PATIENCE_MS)
    opened(page, address + path)
    main = page.locator("[data-testid=stMain]")
    assert main.evaluate("element => element.scrollWidth <= element.clientWidth")
    page.close()
