"""The files in deploy/ for Prometheus and Grafana: valid by Prometheus's own tools, and tested with a real service."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
from support.brokers import mosquitto, publish
from support.compose_stack import REPLICAS, assert_limits, read_compose
from support.services import Service, running
from support.waiting import require, wait_until

from jobindex.cli.demo.nats import free_port
from jobindex.storage.sqlite.wal import LONG_BYTES

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy" / "prometheus"
GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARD = GRAFANA / "dashboards" / "jobindex.json"
ALERTS = re.findall(r"- alert: (\w+)", (PROMETHEUS / "alerts.yml").read_text())
VARIABLES = {"$__rate_interval": "1m", "$instance": ".*", "$namespace": ".*"}
LABELS = {
    *("alertname", "alertstate", "instance", "job", "kind", "le", "namespace_id", "outcome", "state", "status"),
    "version",
}
PROMETHEUS_OWN = {"ALERTS", "up"}


def promtool(*arguments: str | Path, given: str = "") -> str:
    """Run promtool, which must succeed, and return its output."""
    program = shutil.which("promtool")
    require("promtool", found=program is not None)
    done = subprocess.run([str(program), *arguments], input=given, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def dashboard() -> dict[str, Any]:
    """Return the dashboard."""
    return dict(json.loads(DASHBOARD.read_text()))


def expressions() -> dict[str, str]:
    """Return the dashboard's queries, with values for its variables, by panel and query."""
    found = {}
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", []):
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            found[f"{panel['title']} ({panel['type']}) {target['refId']}"] = expression
    return found


def metric_names(expression: str) -> set[str]:
    """Return the metrics in an expression: the names other than functions, keywords, labels and strings."""
    bare = re.sub(r'"[^"]*"|\[[^]]*\]|\w+ by', "", expression)
    names = set(re.findall(r"\b[a-zA-Z_]\w*\b(?!\s*\()", bare))
    return names - {"on", "or", "and", "offset", "unless"} - LABELS


@contextmanager
def told(directory: Path, **settings: str) -> Iterator[Service]:
    """Run a service that has received each kind of message, including an execution queued two hours ago."""
    with mosquitto(directory) as broker:
        service = Service(directory, MQTT_URL=f"mqtt://127.0.0.1:{broker.port}", **settings)
        with running(service):
            hours_ago = (datetime.now(UTC) - timedelta(hours=2)).timestamp()
            pending = {"timestamp": hours_ago, "jobs": {"QUEUED": [{"jobId": "slow", "queuedAt": hours_ago}]}}
            publish(
                broker.port,
                [
                    ("$aws/things/pump/jobs/quick/notify-namespace-acme", '{"status": "COMPLETED"}'),
                    ("$aws/things/pump/jobs/notify-namespace-acme", json.dumps(pending)),
                    ("$aws/things/pump/jobs/bad/notify-namespace-acme", "no JSON"),
                    ("$aws/things/pump/jobs/quick/update", "{}"),
                ],
            )
            wait_until(lambda: service.metric("messages_received_total") == 4, "the messages")
            wait_until(lambda: service.metric("oldest_unwritten_timestamp_seconds") == 0, "their commit")
            yield service


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Run such a service with default settings."""
    with told(tmp_path) as service:
        yield service


@contextmanager
def prometheus(directory: Path, service: Service) -> Iterator[str]:
    """Run Prometheus with the shipped configuration, but faster and with the service's address; yield its URL."""
    program = shutil.which("prometheus")
    require("prometheus", found=program is not None)
    configuration = (PROMETHEUS / "prometheus.yml").read_text()
    for shipped, here in (
        ('"jobindex:8080"', f'"{service.url.removeprefix("http://")}"'),
        ("interval: 15s", "interval: 1s"),
        ("- alerts.yml", f"- {PROMETHEUS / 'alerts.yml'}"),
    ):
        assert shipped in configuration
        configuration = configuration.replace(shipped, here)
    file = directory / "prometheus.yml"
    file.write_text(configuration)
    url = f"http://127.0.0.1:{free_port()}"
    options = [f"--config.file={file}", f"--storage.tsdb.path={directory / 'tsdb'}", f"--web.listen-address={url[7:]}"]
    with (directory / "prometheus.log").open("wb") as log, subprocess.Popen([str(program), *options], stderr=log) as it:
        try:
            yield url
        finally:
            it.terminate()


def ask(url: str, path: str, **parameters: str) -> Any:
    """Return the data of an answer of Prometheus's API; None while it does not answer."""
    try:
        with urlopen(f"{url}/api/v1/{path}?{urlencode(parameters)}", timeout=10) as answer:
            return json.load(answer)["data"]
    except OSError:
        return None


def test_the_scrape_file_and_the_rules_are_valid() -> None:
    """Promtool, Prometheus's own checker, accepts both files."""
    assert f"SUCCESS: {len(ALERTS)} rules found" in promtool("check", "rules", PROMETHEUS / "alerts.yml")
    assert "is valid prometheus config" in promtool("check", "config", PROMETHEUS / "prometheus.yml")


def test_the_lines_for_replicas_are_valid(tmp_path: Path) -> None:
    """With the lines for replicas uncommented, the scrape file is valid and names the replicas of compose.yaml."""
    configuration = (PROMETHEUS / "prometheus.yml").read_text()
    taken_in = re.sub(r'#(- targets: \["jobindex-)', r"\1", configuration)
    assert taken_in != configuration
    file = tmp_path / "prometheus.yml"
    file.write_text(taken_in.replace("- alerts.yml", f"- {PROMETHEUS / 'alerts.yml'}"))
    assert "is valid prometheus config" in promtool("check", "config", file)
    names = set(re.findall(r'"(jobindex[^:"]*):8080"', taken_in))
    assert {"jobindex", *REPLICAS} == names


def test_the_alerts_fire_when_they_must_and_not_otherwise() -> None:
    """The alerts' unit tests pass, and each alert has some."""
    assert "SUCCESS" in promtool("test", "rules", PROMETHEUS / "alerts_test.yml")
    tested = (PROMETHEUS / "alerts_test.yml").read_text()
    assert not [alert for alert in ALERTS if f'"{alert}"' not in tested and f"alertname: {alert}\n" not in tested]


def test_every_alert_says_what_is_wrong_and_how_bad_it_is() -> None:
    """Each alert has a severity, a summary, a description, and a row in the documentation."""
    rules = (PROMETHEUS / "alerts.yml").read_text().split("- alert: ")[1:]
    assert re.findall(r"^\| `(Jobindex\w+)`", (ROOT / "docs" / "monitor.md").read_text(), re.MULTILINE) == ALERTS
    wanted = [r"severity: (critical|warning)\n", r"summary: \S", r"description: >-\n +\S"]
    assert not [(rule.split()[0], pattern) for rule in rules for pattern in wanted if not re.search(pattern, rule)]


def test_the_alert_of_a_long_log_knows_the_limit() -> None:
    """The alert's limit is the length of the WAL above which messages wait for readers."""
    assert LONG_BYTES == 64 * 1024 * 1024
    assert "jobindex_wal_bytes > 64 * 1024 * 1024\n" in (PROMETHEUS / "alerts.yml").read_text()


def test_metrics_keep_to_the_conventions(service: Service) -> None:
    """Promtool's linter accepts the metrics of the service."""
    assert promtool("check", "metrics", given=service.get("/metrics")[1]) == ""


@pytest.mark.parametrize(("setting", "stuck"), [({}, 1), ({"STUCK_SECONDS": "10800"}, 0)])
def test_the_setting_says_when_an_execution_is_stuck(tmp_path: Path, setting: dict[str, str], stuck: int) -> None:
    """An execution is stuck after one hour by default, and otherwise after the time in the setting."""
    with told(tmp_path, **setting) as service:
        assert stuck == service.metric("executions_stuck")


def test_every_metric_of_alerts_and_dashboard_is_served(service: Service) -> None:
    """Every metric in alerts and dashboard is served: a misspelt name would silence an alert or leave a panel empty."""
    served = set(re.findall(r"^(\w+)[ {]", service.get("/metrics")[1], re.MULTILINE))
    rules = re.findall(r"expr: (?:>-\n)?(.+?)\n +(?:for|labels):", (PROMETHEUS / "alerts.yml").read_text(), re.DOTALL)
    assert len(ALERTS) == len(rules)
    asked = set.union(*map(metric_names, [*rules, *expressions().values()]))
    assert not asked - served - PROMETHEUS_OWN
    suffix = re.compile("_(bucket|sum|count)$")
    own = {suffix.sub("", name) for name in served if name.startswith("jobindex_")}
    unseen = {"build_info", "live_watchers", "connected_since_timestamp_seconds", "members_dropped_total"}
    assert {f"jobindex_{name}" for name in unseen} == own - {suffix.sub("", name) for name in asked}


def test_every_expression_of_the_dashboard_is_valid(tmp_path: Path) -> None:
    """Promtool accepts each expression as a rule."""
    groups = [{"record": f"dashboard:{number}", "expr": it} for number, it in enumerate(expressions().values())]
    file = tmp_path / "dashboard.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": groups}]}))  # JSON is YAML
    assert f"SUCCESS: {len(groups)} rules found" in promtool("check", "rules", file)


def test_the_dashboard_holds_together() -> None:
    """Panels have unique ids, do not overlap, use the chosen data source, and have a title and a description."""
    panels = dashboard()["panels"]
    assert len(panels) == len({panel["id"] for panel in panels})
    cells = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert 24 > max(x for x, _ in cells)
    shown = [panel for panel in panels if panel["type"] != "row"]
    source = {"type": "prometheus", "uid": "${datasource}"}
    assert all(it["datasource"] == source for panel in shown for it in (panel, *panel["targets"]))
    assert all(panel["title"] and panel["description"] for panel in shown)
    names = [variable["name"] for variable in dashboard()["templating"]["list"]]
    assert ["datasource", "instance", "namespace"] == names
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(panels))) - {"__rate_interval"}
    assert set(names) == used


def test_the_dashboard_shows_a_real_service(service: Service, tmp_path: Path) -> None:
    """Prometheus, as shipped, scrapes the service, evaluates every rule without an error, and answers every panel."""
    with prometheus(tmp_path, service) as url:
        # A rate needs two scrapes.
        scrapes = 'count_over_time(up{job="jobindex"}[1m]) > 2'
        wait_until(lambda: (ask(url, "query", query=scrapes) or {}).get("result"), "three scrapes", 30)
        wait_until(lambda: {rule["health"] for rule in rules(url)} == {"ok"}, "the rules to be evaluated", 30)
        assert ALERTS == [rule["name"] for rule in rules(url)]
        active = {"JobindexExecutionsStuck"}
        wait_until(lambda: active == {it["name"] for it in rules(url) if it["state"] != "inactive"}, "just this alert")
        empty = [name for name, it in expressions().items() if not ask(url, "query", query=it)["result"]]
        # No alert fires yet, and the sync with AWS is off.
        assert ["Alerts (stat) A", "Filled (stat) A", "Compared with AWS (stat) A"] == empty
        (pending,) = ask(url, "query", query=expressions()["Pending executions by namespace (timeseries) A"])["result"]
        assert (pending["metric"], pending["value"][1]) == ({"namespace_id": "acme"}, "1")


def rules(url: str) -> list[dict[str, Any]]:
    """Return the alerts as Prometheus evaluates them."""
    return [rule for group in ask(url, "rules")["groups"] for rule in group["rules"]]


@pytest.fixture
def compose() -> Any:
    """Return compose.yaml with its profile, as Compose parses it."""
    return read_compose("monitoring")


def test_the_profile_adds_two_services_without_rights(compose: Any) -> None:
    """Prometheus and Grafana start only with the profile, are published to this host only, and change nothing."""
    services = compose["services"]
    assert {"credentials", "mosquitto", "jobindex", "prometheus", "grafana"} == set(services)
    added = {name for name, service in services.items() if service.get("profiles") == ["monitoring"]}
    assert {"prometheus", "grafana"} == added
    for name in added:
        service = services[name]
        assert_limits(service)
        assert ["127.0.0.1"] == [port["host_ip"] for port in service["ports"]]
        assert [volume for volume in service["volumes"] if volume["type"] == "bind"]


def test_grafana_finds_what_it_is_given(compose: Any) -> None:
    """Paths and addresses in the provisioning match the containers."""
    grafana, prometheus = compose["services"]["grafana"], compose["services"]["prometheus"]
    targets = {Path(mount["source"]): mount["target"] for mount in grafana["volumes"] if mount["type"] == "bind"}
    provider = (GRAFANA / "provisioning" / "dashboards" / "jobindex.yml").read_text()
    assert f"path: {targets[DASHBOARD.parent]}\n" in provider
    home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert f"{targets[DASHBOARD.parent]}/{DASHBOARD.name}" == home
    source = (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text()
    assert f"url: http://prometheus:{prometheus['ports'][0]['target']}\n" in source
