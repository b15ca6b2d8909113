"""`make bench`: run every script of bench/, each of which leaves its figures in var/bench/NAME.json.

`python -m deploy.local.bench house` runs only the named ones. A script is given the file to write in BENCH_OUTPUT.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# In bench/ beside the scripts that measure: one builds models, the other writes the figures into the README.
TOOLS = {"report", "shapes"}


def main(names: list[str]) -> int:
    """Run the named scripts, or all; return 1 when one fails or leaves no figures."""
    files = (path.stem for path in (ROOT / "bench").glob("*.py"))
    scripts = sorted(name for name in files if not name.startswith("_") and name not in TOOLS)
    if unknown := [name for name in names if name not in scripts]:
        print(f"There is no bench/{unknown[0]}.py; there are {', '.join(scripts) or 'none'}.", file=sys.stderr)
        return 2
    folder = Path(os.environ.get("MILLRACE_VAR") or ROOT / "var").resolve() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    failed = [name for name in names or scripts if not measure(name, folder / f"{name}.json")]
    if failed:
        print(f"Failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def measure(name: str, output: Path) -> bool:
    """Run one script and tell whether it left its figures in `output`."""
    print(f"bench/{name}.py …", flush=True)
    started, output_before = time.monotonic(), output.stat().st_mtime_ns if output.exists() else None
    environment = {**os.environ, "BENCH_OUTPUT": str(output)}
    code = subprocess.run([sys.executable, "-m", f"bench.{name}"], cwd=ROOT, env=environment, check=False).returncode
    if code or not output.exists() or output.stat().st_mtime_ns == output_before:
        print(f"  failed with code {code}, or wrote no {output}", flush=True)
        return False
    try:
        json.loads(output.read_text())
    except ValueError as error:
        print(f"  {output} is not JSON: {error}", flush=True)
        return False
    print(f"  {output} after {time.monotonic() - started:.0f} s", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
