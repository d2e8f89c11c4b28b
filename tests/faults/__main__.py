"""The command line: `python -m tests.faults --minutes 10 --seed 1`, from the root of the checkout."""

import argparse
import sys
import tempfile
from pathlib import Path

from faults.backlog import Drained, drain
from faults.bench import Result, run
from faults.cluster import run_on_cluster
from faults.hostile import Beside, run_beside_hostile
from faults.hostile_publisher import USUAL_RATE, Rate
from faults.replicas import Outcome, fail_over, kill_replicas
from faults.steadiness import Steadiness, stay_on_full_disk, stay_through_silence


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Break everything around the service.")
    parser.add_argument("--minutes", type=float, default=10, help="duration (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the faults and messages (%(default)s)")
    parser.add_argument("--keep", type=Path, help="keep ledger, logs and databases in this empty directory")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--silent-minute", action="store_true", help="instead, silence the broker for a minute")
    instead.add_argument("--full-disk", action="store_true", help="instead, fill the disk for half a minute")
    instead.add_argument(
        "--cluster", choices=["nats"], help="instead, run a cluster of brokers, and kill one every 20 s"
    )
    instead.add_argument("--hostile", action="store_true", help="instead, add a hostile publisher to a normal fleet")
    parser.add_argument(
        "--hostile-messages",
        type=float,
        default=USUAL_RATE.messages,
        metavar="N",
        help="limit of the hostile publisher per second (%(default)s)",
    )
    parser.add_argument(
        "--hostile-kilobytes", type=float, default=USUAL_RATE.kilobytes, metavar="N", help="the same (%(default)s)"
    )
    instead.add_argument("--backlog", type=int, metavar="COUNT", help="instead, drain COUNT queued messages")
    parser.add_argument(
        "--database", choices=["sqlite", "postgresql", "pair"], default="sqlite", help="database engine (%(default)s)"
    )
    parser.add_argument("--replicas", type=int, default=2, help="for --kills and --failovers (%(default)s)")
    instead.add_argument("--kills", type=int, metavar="COUNT", help="instead, kill the ingesting replica (postgresql)")
    instead.add_argument("--failovers", type=int, metavar="COUNT", help="instead, kill the primary (pair)")
    arguments = parser.parse_args()
    if bool(arguments.failovers) != (arguments.database == "pair"):
        parser.error("--failovers and --database pair go together")
    if arguments.kills and arguments.database != "postgresql":
        parser.error("--kills needs --database postgresql")
    if arguments.database != "sqlite" and (arguments.silent_minute or arguments.full_disk or arguments.backlog):
        parser.error("--silent-minute, --full-disk and --backlog need --database sqlite")
    return arguments


def main() -> int:
    """Run the bench and print the result; return 1 if there are problems."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="jobindex-faults-") as temporary:
        directory = arguments.keep or Path(temporary)
        directory.mkdir(exist_ok=True)
        result: Result | Steadiness | Drained | Outcome | Beside
        if arguments.silent_minute:
            result = stay_through_silence(directory, seed=arguments.seed, seconds=60)
        elif arguments.full_disk:
            result = stay_on_full_disk(directory, seed=arguments.seed, seconds=30)
        elif arguments.cluster:
            result = run_on_cluster(directory, seed=arguments.seed, seconds=arguments.minutes * 60)
        elif arguments.hostile:
            result = run_beside_hostile(
                directory,
                seed=arguments.seed,
                seconds=arguments.minutes * 60,
                kind=arguments.database,
                rate=Rate(messages=arguments.hostile_messages, kilobytes=arguments.hostile_kilobytes),
            )
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
