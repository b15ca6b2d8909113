"""How quickly pages are there, in a real browser whose processor is slowed down four times.

`python -m bench.pages [--url http://… --demo FILE] [--times 5] [--json FILE]`. Without an address it starts the product
with its demo and stops it again. Each load begins with an empty cache. Measured by Chromium itself: largest contentful
paint (LCP), cumulative layout shift (CLS), total blocking time (TBT: what long tasks take beyond 50 ms each, from the
first paint to two seconds after the load), and the bytes of script that were sent. Lighthouse, which needs Node, is not
run here; these are the numbers that its category performance is made of.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from bench import output
from bench.speed.machine import device_name
from deploy.local.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = "/usr/bin/chromium"
PAGES = {"landing": "/", "dashboard": "/dashboard/", "studio": "/studio/"}
STARTS_WITHIN = 300
SLOWED = 4
# What must not be exceeded, by figure.
TARGETS = {"lcp_ms": 1500.0, "cls": 0.02, "script_kb": 60.0}
QUIET_MS = 2000
OBSERVE = """
window.seen = {lcp: 0, cls: 0, tasks: [], paint: 0};
const watch = (type, take) =>
  new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({type, buffered: true});
watch('largest-contentful-paint', (entry) => { seen.lcp = entry.startTime; });
watch('layout-shift', (entry) => { if (!entry.hadRecentInput) seen.cls += entry.value; });
watch('longtask', (entry) => seen.tasks.push([entry.startTime, entry.duration]));
watch('paint', (entry) => { if (entry.name === 'first-contentful-paint') seen.paint = entry.startTime; });
"""
READ = """() => ({
  lcp_ms: seen.lcp, cls: seen.cls,
  tbt_ms: seen.tasks.filter(([at]) => at >= seen.paint).reduce((sum, [, took]) => sum + Math.max(0, took - 50), 0),
  script_kb: performance.getEntriesByType('resource')
    .filter((one) => one.initiatorType === 'script' || one.name.endsWith('.js'))
    .reduce((sum, one) => sum + one.encodedBodySize, 0) / 1000,
})"""


@contextlib.contextmanager
def product() -> Iterator[dict[str, Any]]:
    """Starts the product with its demo in a folder of its own; what its demo file says."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {key: value for key, value in os.environ.items() if key not in {"DATABASE_URL", "REDIS_URL"}}
        environment |= {"MILLRACE_VAR": folder, "PORT": str(free_port()), "LOG_LEVEL": "WARNING"}
        environment.pop("MAKELEVEL", None)
        command = [sys.executable, "-m", "deploy.local.run"]
        running = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            yield json.loads(_when_there(Path(folder) / "run" / "demo.json", running))
        finally:
            running.send_signal(signal.SIGTERM)
            running.wait(60)


def _when_there(path: Path, running: subprocess.Popen[bytes]) -> str:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and running.poll() is None:
        if path.is_file():
            return path.read_text(encoding="utf-8")
        time.sleep(0.2)
    raise RuntimeError("the product did not start")


def signed_in(browser: Browser, url: str, demo: dict[str, Any]) -> Any:
    """The cookies of the owner of the first demo organization."""
    context = browser.new_context(base_url=url)
    page = context.new_page()
    page.goto("/accounts/login/")
    page.locator("[name=login]").fill(demo["organizations"][0]["owner_email"])
    page.locator("[name=password]").fill(demo["organizations"][0]["owner_password"])
    page.locator(".entrance-card button[type=submit]").first.click()
    page.wait_for_url("**/dashboard/")
    state = context.storage_state()
    context.close()
    return state


def load(browser: Browser, url: str, path: str, state: Any) -> dict[str, float]:
    """One cold load of a page, measured by the browser."""
    context = browser.new_context(base_url=url, storage_state=state, viewport={"width": 1350, "height": 940})
    page = context.new_page()
    page.add_init_script(OBSERVE)
    context.new_cdp_session(page).send("Emulation.setCPUThrottlingRate", {"rate": SLOWED})
    page.goto(path, wait_until="load")
    page.wait_for_timeout(QUIET_MS)
    found: dict[str, float] = page.evaluate(READ)
    context.close()
    return found


def measure(url: str, demo: dict[str, Any], times: int, chromium: str) -> dict[str, dict[str, float]]:
    """Of each page the median of some loads; one load before them warms the server."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        state, result = signed_in(browser, url, demo), {}
        for name, path in PAGES.items():
            kept = None if path == "/" else state
            load(browser, url, path, kept)
            found = [load(browser, url, path, kept) for _ in range(times)]
            result[name] = {figure: round(statistics.median(one[figure] for one in found), 3) for figure in found[0]}
        browser.close()
    return result


def missed(pages: dict[str, dict[str, float]]) -> list[str]:
    """Which figures are beyond their targets."""
    return [
        f"{name}: {figure} is {found[figure]:g}, at most {most:g}"
        for name, found in pages.items()
        for figure, most in TARGETS.items()
        if found[figure] > most
    ]


def tables(result: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [
        [name, f"{one['lcp_ms']:.0f}", f"{one['cls']:.3f}", f"{one['tbt_ms']:.0f}", f"{one['script_kb']:.1f}"]
        for name, one in result["pages"].items()
    ]
    note = (
        f"Chromium on the same machine, its processor slowed {SLOWED} times, cold cache; medians of {result['times']}. "
        f"Targets: LCP {TARGETS['lcp_ms']:.0f} ms, CLS {TARGETS['cls']:g}, {TARGETS['script_kb']:.0f} kB of script."
    )
    return [{"columns": ["page", "LCP, ms", "CLS", "TBT, ms", "script, kB"], "rows": rows, "note": note}]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="of a product that runs already")
    parser.add_argument("--demo", type=Path, help="its demo file, var/run/demo.json")
    parser.add_argument("--chromium", default=CHROMIUM, help="the browser's program")
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--json", type=Path, default=output("pages"))
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": device_name(), "times": options.times, "load_before": os.getloadavg()[0]}
    if options.url:
        demo = json.loads(options.demo.read_text(encoding="utf-8"))
        result["pages"] = measure(options.url, demo, options.times, options.chromium)
    else:
        with product() as demo:
            result["pages"] = measure(demo["base_url"], demo, options.times, options.chromium)
    result["tables"] = tables(result)
    options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result["pages"], indent=2))
    for line in missed(result["pages"]):
        print(line, file=sys.stderr)
    return 1 if missed(result["pages"]) else 0


if __name__ == "__main__":
    sys.exit(main())
