"""The web page's weight, and how soon it is there, in a browser without a window.

python tests/benchmarks/page.py [--runs 9]

Deploys the demo model to a local cloud of its own, behind a gateway that compresses as API Gateway does. "again" is
the same browser coming back: the function is asked, and says that nothing has changed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "image")]

from tests.browser import chromium  # noqa: E402
from tests.browser.gateway import before  # noqa: E402
from tests.browser.screenshots import deployed  # noqa: E402
from tests.browser.tab import Tab  # noqa: E402

_SIZES = """() => {
  const [page] = performance.getEntriesByType("navigation");
  return [page.decodedBodySize, page.encodedBodySize, page.transferSize];
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description="The web page's weight, and how soon it is there.")
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    path = chromium.executable()
    if path is None:
        print("no Chromium, nothing measured: tests/browser/install installs it on Debian")
        return
    paints: dict[str, list[float]] = {"first visit": [], "again": []}
    with deployed() as api, chromium.running(path) as browser, before(api) as gateway:
        for _ in range(arguments.runs):
            with Tab.opened(browser, gateway.url) as tab:
                paints["first visit"].append(tab.first_paint)
                whole, body, _ = tab.page.evaluate(_SIZES)
                requests = len(tab.requested)
                tab.page.goto(gateway.url)
                paints["again"].append(tab.first_paint)
                _, _, again = tab.page.evaluate(_SIZES)
    print(
        f"page          {whole / 1000:.1f} kB, {body / 1000:.1f} kB compressed, {again / 1000:.1f} kB when it is there"
    )
    print(f"requests      {requests}")
    for visit, times in paints.items():
        print(f"{visit:<13} first paint after {statistics.median(times):.0f} ms (median of {len(times)})")


if __name__ == "__main__":
    main()
