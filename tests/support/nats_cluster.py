"""Clusters of NATS servers on loopback that replicate their messages, each server with its own files."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from jobindex.cli.demo.nats import find_nats_server, free_port
from support.brokers import Broker
from support.waiting import require, wait_until

NODES = 3

# By default, an acknowledged message is on disk only within two minutes:
# https://docs.nats.io/running-a-nats-service/configuration#jetstream
_CONFIGURATION = """
server_name: "node-{number}"
listen: "127.0.0.1:{nats_port}"
log_file: "{directory}/nats.log"
cluster {{ name: "cluster", listen: "127.0.0.1:{route_port}", routes: [{routes}] }}
jetstream {{ store_dir: "{directory}/jetstream", sync_interval: always }}
mqtt {{
  listen: "127.0.0.1:{mqtt_port}", ack_wait: "{ack_wait_seconds}s", max_ack_pending: 1024
  stream_replicas: {replicas}
}}
"""


@contextmanager
def nats_cluster(directory: Path, *, ack_wait_seconds: int = 5) -> Iterator[Sequence[Broker]]:
    """Run three nats-servers, each with every message that any of them has acknowledged."""
    program = find_nats_server()
    require("nats-server", found=program is not None)
    route_ports = [free_port() for _ in range(NODES)]
    nodes = []
    logs = []
    for number, route_port in enumerate(route_ports, start=1):
        home = directory / f"node-{number}"
        home.mkdir()
        mqtt_port = free_port()
        configuration = home / "nats.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                number=number,
                nats_port=free_port(),
                route_port=route_port,
                routes=", ".join(f'"nats-route://127.0.0.1:{port}"' for port in route_ports if port != route_port),
                directory=home,
                mqtt_port=mqtt_port,
                ack_wait_seconds=ack_wait_seconds,
                replicas=NODES,
            )
        )
        logs.append(home / "nats.log")
        nodes.append(Broker([str(program), "-c", str(configuration)], mqtt_port))
    with ExitStack() as stack:
        for node in nodes:
            stack.callback(node.kill)
            node.start()
        # Without a leader, a client that connects waits five seconds in vain.
        wait_until(lambda: all("metadata leader" in log.read_text() for log in logs), "a leader of the cluster", 30)
        yield nodes


def cluster_url(nodes: Sequence[Broker]) -> str:
    """Return the URL that names every node, in order."""
    return "mqtt://" + ",".join(f"127.0.0.1:{node.port}" for node in nodes)
