"""Metrics are documented, follow Prometheus' conventions, and are what the dashboard and the alerts ask for."""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY

import apps.core.metrics.web
import workers.metrics
from tests.helpers.sources import ROOT

OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
DASHBOARD = ROOT / "deploy" / "grafana" / "millrace.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
SCRAPE = ROOT / "deploy" / "prometheus" / "prometheus.yaml"
# What every Python process shows without our doing, and what Prometheus adds.
FOREIGN = {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds", "up"}
METRIC = re.compile(r"\b(?:millrace|process)_\w+|\bup\b")
UNITS = ("_seconds", "_tokens", "_bytes")


@cache
def families() -> dict[str, str]:
    """The metrics of web and workers with their types, by the names that queries use; nothing is collected."""
    assert apps.core.metrics.web and workers.metrics, "their imports register the collectors"
    found = {}
    for collector in list(REGISTRY._collector_to_names):
        for family in getattr(collector, "describe", tuple)():
            if family.name.startswith("millrace_"):
                found[f"{family.name}_total" if family.type == "counter" else family.name] = family.type
    return found


def series(family: str, kind: str) -> set[str]:
    return {f"{family}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {family}


def test_names_follow_the_conventions() -> None:
    assert len(families()) > 30
    for name, kind in families().items():
        assert re.fullmatch(r"millrace_[a-z]+(_[a-z]+)*", name)
        assert name.endswith("_total") == (kind == "counter"), f"{name} is a {kind}"
        if kind == "histogram":
            assert name.endswith(UNITS), f"{name} names no unit"
        for wrong in ("_milliseconds", "_ms", "_minutes", "_kb", "_mb", "_percent"):
            assert wrong not in name, f"{name}: base units only"


def documented() -> set[str]:
    section = OPERATIONS.partition("\n## Metrics")[2].partition("\n## ")[0]
    return set(re.findall(r"^\| `(millrace_\w+)`", section, re.M))


def test_every_metric_is_documented_and_no_other() -> None:
    assert documented() == set(families())


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return found


def queries() -> Iterator[tuple[str, str]]:
    """(where, query) of the dashboard and the alerts."""
    for panel in panels():
        for target in panel.get("targets", []):
            yield f"the panel {panel['title']}", target["expr"]
    for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]:
        for rule in group["rules"]:
            yield f"the alert {rule['alert']}", rule["expr"]


def test_queries_ask_for_metrics_that_exist() -> None:
    known = FOREIGN.union(*(series(name, kind) for name, kind in families().items()))
    for where, query in queries():
        asked = set(METRIC.findall(query))
        assert asked, f"{where} asks for nothing of ours: {query}"
        assert asked <= known, f"{where} asks for {asked - known}"


def test_counters_are_asked_for_their_rate_and_others_never() -> None:
    kinds = {part: kind for name, kind in families().items() for part in series(name, kind)}
    for where, query in queries():
        rated = set(re.findall(r"(?:rate|increase)\((\w+)", query))
        for name in set(METRIC.findall(query)) & set(kinds):
            assert (name in rated) == (kinds[name] in {"counter", "histogram"}), f"{where}: {name}"


def test_figures_that_all_web_processes_report_are_not_added_up() -> None:
    shared = ("millrace_queue_", "millrace_store_", "millrace_broker_", "millrace_worker_seen_")
    shared += ("millrace_stripe_inbox_", "millrace_stripe_outbox_", "millrace_stripe_findings")
    shared += ("millrace_webhooks_", "millrace_inbound_calls_")
    for where, query in queries():
        for found in re.finditer(r"\b(millrace_\w+)", query.replace("millrace_queue_wait_seconds", "")):
            if found[1].startswith(shared):
                before = query[: found.start()]
                assert re.search(r"\b(max|min)( by \([a-z, ]+\))? \($|\b(max|min)\($", before), f"{where}: {found[1]}"


def test_the_dashboard_shows_every_kind_of_metric() -> None:
    shown = set().union(*(METRIC.findall(target["expr"]) for panel in panels() for target in panel.get("targets", [])))
    assert {name for name, kind in families().items() if not series(name, kind) & shown} == set()


def test_the_dashboard_is_well_formed() -> None:
    dashboard = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))
    variables = {each["name"]: each for each in dashboard["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    rows = [panel["title"] for panel in panels() if panel["type"] == "row"]
    assert rows == ["Now", "Demand", "Engine", "Latency", "Faults", "Payments", "Web", "Processes", "Webhooks"]
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}"
        used = set(re.findall(r"\$(\w+)", json.dumps(panel.get("targets", [])))) - {"__rate_interval"}
        assert used <= set(variables), f"{panel['title']} uses {used}"


@pytest.mark.parametrize(
    "wanted",
    [
        "queue_oldest_age",
        "worker_seen",
        "lease_losses",
        "http_requests",
        "stripe_inbox_oldest_age",
        "stripe_inbox_failing",
        "stripe_outbox_oldest_age",
        "stripe_outbox_unknown",
        "stripe_drifts",
        "webhooks_due_oldest_age",
    ],
)
def test_there_is_an_alert_for_what_must_wake_somebody(wanted: str) -> None:
    assert [where for where, query in queries() if where.startswith("the alert") and f"millrace_{wanted}" in query]


def test_alerts_say_what_is_wrong() -> None:
    for group in yaml.safe_load(ALERTS.read_text(encoding="utf-8"))["groups"]:
        names = [rule["alert"] for rule in group["rules"]]
        assert len(names) == len(set(names))
        for rule in group["rules"]:
            assert rule["annotations"]["summary"]
            assert rule["labels"]["severity"] in {"warning", "critical"}


def test_the_scrape_example_reads_every_process() -> None:
    example = yaml.safe_load(SCRAPE.read_text(encoding="utf-8"))
    [job] = example["scrape_configs"]
    processes = re.findall(r"^(\w+):", (ROOT / "Procfile").read_text(), re.M)
    assert [config["labels"]["process"] for config in job["static_configs"]] == processes
    assert example["rule_files"] == [ALERTS.name]
    # The alert on dead processes names the job.
    assert f'up{{job="{job["job_name"]}"}}' in ALERTS.read_text(encoding="utf-8")
