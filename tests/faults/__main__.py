"""The command line: `python -m tests.faults --minutes 10 --seed 1`, from the root of the checkout."""

import argparse
import sys
import tempfile
from pathlib import Path

from faults.backlog import Drained, drain
from faults.bench import Result, run
from faults.cluster import run_on_cluster
from faults.replicas import Outcome, fail_over, kill_replicas
from faults.steadiness import Steadiness, stay_on_full_disk, stay_through_silence


def main() -> int:
    """Run the bench and print what it found; 1 where something is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Break everything around the service.")
    parser.add_argument("--minutes", type=float, default=10, help="how long (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="what decides the moments and messages (%(default)s)")
    parser.add_argument("--keep", type=Path, help="an empty directory for ledger, logs and databases")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--silent-minute", action="store_true", help="instead, a broker that is silent for a minute")
    instead.add_argument("--full-disk", action="store_true", help="instead, a disk that is full for half a minute")
    instead.add_argument(
        "--cluster", choices=["nats"], help="instead, a cluster of brokers, one of them killed every 20 s"
    )
    instead.add_argument("--backlog", type=int, metavar="COUNT", help="instead, messages queued while it was away")
    parser.add_argument(
        "--database", choices=["sqlite", "postgresql", "pair"], default="sqlite", help="of the index (%(default)s)"
    )
    parser.add_argument("--replicas", type=int, default=2, help="of the service, where they are several (%(default)s)")
    instead.add_argument("--kills", type=int, metavar="COUNT", help="instead, on postgresql: kill who ingests")
    instead.add_argument("--failovers", type=int, metavar="COUNT", help="instead, on a pair: kill the primary")
    arguments = parser.parse_args()
    if bool(arguments.failovers) != (arguments.database == "pair"):
        parser.error("--failovers and --database pair go together")
    if arguments.kills and arguments.database != "postgresql":
        parser.error("--kills needs --database postgresql")
    if arguments.database != "sqlite" and (arguments.silent_minute or arguments.full_disk or arguments.backlog):
        parser.error("what is done alone is done to SQLite")
    with tempfile.TemporaryDirectory(prefix="jobindex-faults-") as temporary:
        directory = arguments.keep or Path(temporary)
        directory.mkdir(exist_ok=True)
        result: Result | Steadiness | Drained | Outcome
        if arguments.silent_minute:
            result = stay_through_silence(directory, seed=arguments.seed, seconds=60)
        elif arguments.full_disk:
            result = stay_on_full_disk(directory, seed=arguments.seed, seconds=30)
        elif arguments.cluster:
            result = run_on_cluster(directory, seed=arguments.seed, seconds=arguments.minutes * 60)
        elif arguments.backlog:
            result = drain(directory, messages=arguments.backlog)
        elif arguments.kills:
            result = kill_replicas(directory, seed=arguments.seed, kills=arguments.kills, replicas=arguments.replicas)
        elif arguments.failovers:
            result = fail_over(
                directory, seed=arguments.seed, failovers=arguments.failovers, replicas=arguments.replicas
            )
        else:
            result = run(directory, seed=arguments.seed, seconds=arguments.minutes * 60, kind=arguments.database)
    print(result)  # noqa: T201
    return 1 if result.wrong else 0


sys.exit(main())
