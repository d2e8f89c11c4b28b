"""The command line: `python -m bench`, from the root of the checkout."""

import argparse
import json
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench import footprint, freshness, ingest, load, pages, postgres, watch
from bench.chart import draw
from bench.errors import BenchError
from bench.figures import Results
from bench.machine import machine
from bench.plan import FULL, QUICK
from bench.report import table, write
from bench.site import Site

_PARTS = {part.PART: part.run for part in (ingest, freshness, pages, load, footprint, watch, postgres)}
_HERE = Path(__file__).parent
_CHART = _HERE.parent / "docs" / "images" / "results.svg"


def main() -> int:
    """Measure, print the table and write the file; after an error, write nothing and return 1."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure jobindex, its limits and its alternatives, all on loopback.",
    )
    parser.add_argument("--quick", action="store_true", help="measure with less data, in less than two minutes")
    parser.add_argument("--only", choices=_PARTS, help="measure only one part")
    parser.add_argument("--output", type=Path, help="the results file; a full run also draws its chart")
    parser.add_argument(
        "--data", type=Path, default=Path(tempfile.gettempdir()) / "jobindex-bench", help="generated data (%(default)s)"
    )
    parser.add_argument("--references", default=sys.executable, help="a Python with moto and datasette (%(default)s)")
    arguments = parser.parse_args()
    is_whole = not arguments.quick and not arguments.only
    output = arguments.output or _HERE / ("results.json" if is_whole else "results-part.json")
    arguments.data.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # like Ctrl-C, this leaves every context
    site = Site(
        plan=QUICK if arguments.quick else FULL,
        results=Results(),
        data=arguments.data,
        references=arguments.references,
    )
    facts = machine()
    try:
        for name in [arguments.only] if arguments.only else _PARTS:
            started = time.monotonic()
            _PARTS[name](site)
            _tell(f"{name}: measured in {time.monotonic() - started:.0f} s")
    except (BenchError, KeyboardInterrupt) as error:
        _tell(f"The benchmark did not finish: {error!r}; no results are written")
        return 1
    finally:
        print(table(site.results))
    write(site.results, facts, output, is_quick=arguments.quick)
    if is_whole:
        chart = output.with_suffix(".svg") if arguments.output else _CHART
        chart.write_text(draw(json.loads(output.read_text())))
    return 0


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


sys.exit(main())
