"""A real Prometheus and a real quickstart: what one stores is what the other did. Called by scripts/prometheus-check."""

import http.server
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_text

QUICKSTART = "target/debug/examples/quickstart"
PATIENCE = 60
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def eventually(what, check):
    """The first true result of `check`, which may take some scrapes to come."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if result := check():
                return result
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit(f"in vain: {what}")


class Quickstart:
    def __init__(self, admin, load):
        flags = ["--listen", "127.0.0.1:0", "--admin", f"127.0.0.1:{admin}", "--load", str(load)]
        environment = os.environ | {"RUST_LOG": "error", "HEADCOUNT_DRAIN_TIMEOUT": "10s"}
        command = [QUICKSTART, *flags, "--seconds-per-number", "0.01"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        self.url = f"http://127.0.0.1:{admin}"
        eventually("the quickstart is alive", lambda: get(f"{self.url}/livez"))

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


class Prometheus:
    """With the rules of the kit, and exemplars."""

    def __init__(self, directory, target):
        config = {
            "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
            "rule_files": [str(pathlib.Path("kit/prometheus", name).resolve()) for name in ("rules.yml", "alerts.yml")],
            "scrape_configs": [{"job_name": "quickstart", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
        }
        path = pathlib.Path(directory, "prometheus.yml")
        path.write_text(json.dumps(config))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/api/v1/"
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={directory}/data-{port}",
             f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=exemplar-storage"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually("Prometheus has scraped", lambda: self.value("up") == 1)

    def get(self, path):
        answer = json.loads(get(self.url + path))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        return self.get("query?query=" + urllib.parse.quote(expression))["result"]

    def value(self, expression):
        result = self.query(expression)
        return float(result[0]["value"][1]) if result else None

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


def check_hostile_texts():
    """Other parsers than ours read them back as they were, from both formats."""
    hostile = set(json.loads(pathlib.Path("target/tmp/hostile.json").read_text()))
    for format, reader in (("prom", read_text), ("open", read_open)):
        text = pathlib.Path(f"target/tmp/hostile.{format}").read_text()
        families = {family.name: family for family in reader(text)}
        spawned = families["headcount_tasks_spawned"].samples
        read = {sample.labels["task"] for sample in spawned} & {sample.labels.get("value") for sample in spawned}
        assert hostile <= read, (format, hostile - read)
    durations = families["headcount_task_duration_seconds"]
    assert durations.unit == "seconds"
    exemplars = [(sample.labels["task"], sample.exemplar) for sample in durations.samples if sample.exemplar]
    [(task, exemplar)] = exemplars
    assert (task, exemplar.labels) == ("traced", {"trace_id": TRACE}), exemplars
    print(f"{len(hostile)} hostile texts read back from both formats, and an exemplar")


class OpenMetrics(http.server.BaseHTTPRequestHandler):
    """Serves the hostile texts as OpenMetrics."""

    def do_GET(self):
        body = pathlib.Path("target/tmp/hostile.open").read_bytes()
        self.send_response(200)
        self.send_header("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def check_exemplars(directory):
    """Prometheus stores the hostile texts and the exemplar."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), OpenMetrics)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    prometheus = Prometheus(directory, server.server_address[1])
    try:
        hostile = set(json.loads(pathlib.Path("target/tmp/hostile.json").read_text()))
        stored = {series["metric"]["task"] for series in prometheus.query("headcount_tasks_spawned_total")}
        assert hostile <= stored, hostile - stored
        path = "query_exemplars?query=headcount_task_duration_seconds_bucket&start=0&end=4000000000"
        [series] = eventually("the exemplar is stored", lambda: prometheus.get(path))
        assert series["seriesLabels"]["task"] == "traced", series
        assert {exemplar["labels"]["trace_id"] for exemplar in series["exemplars"]} == {TRACE}, series
    finally:
        prometheus.stop()
        server.shutdown()
    print("Prometheus stored an exemplar by its trace id")


def check_lint(quickstart):
    text = get(f"{quickstart.url}/metrics")
    lint = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert lint.returncode == 0 and not lint.stderr, lint.stderr + lint.stdout
    print(f"promtool has nothing to say of {len(text.splitlines())} lines")


def check_agreement(prometheus, quickstart):
    """Under load every scrape adds up; what Prometheus has is between what the API said before and after."""
    before = json.loads(get(f"{quickstart.url}/api/v1/summary"))
    eventually("a later scrape", lambda: prometheus.value("sum(headcount_tasks_spawned_total)") >= before["spawned"])
    stored = prometheus.value("sum(headcount_tasks_spawned_total)")
    after = json.loads(get(f"{quickstart.url}/api/v1/summary"))
    assert before["spawned"] <= stored <= after["spawned"], (before["spawned"], stored, after["spawned"])
    unbalanced = prometheus.query(
        "headcount_tasks_spawned_total - sum without (outcome) (headcount_tasks_finished_total) - headcount_tasks_live != 0"
    )
    assert not unbalanced, unbalanced
    miscounted = prometheus.query(
        "headcount_task_duration_seconds_count != sum without (outcome) (headcount_tasks_finished_total)"
    )
    assert not miscounted, miscounted
    assert prometheus.value('count(headcount_tasks_finished_total{task="send-email",outcome="abandoned"})') >= 1
    assert prometheus.value('time() - max(headcount_task_oldest_start_timestamp_seconds{task="load"})') < 3600
    quantile = 'histogram_quantile(0.5, sum by (le) (headcount_task_duration_seconds_bucket{task="thumbnail"}))'
    assert 0.05 < prometheus.value(quantile) < 5
    # Only OpenMetrics has units: so that is what Prometheus chose.
    [about] = prometheus.get("metadata?metric=headcount_task_duration_seconds")["headcount_task_duration_seconds"]
    assert (about["type"], about["unit"]) == ("histogram", "seconds"), about
    print(f"Prometheus stored {stored:.0f} spawns, between {before['spawned']} and {after['spawned']}")


def check_restart(prometheus, quickstart, admin):
    """A restart is a reset, and nothing else ever is."""
    resets = 'sum(resets(headcount_tasks_spawned_total{task="thumbnail"}[5m]))'
    assert prometheus.value(resets) == 0, prometheus.value(resets)
    before = prometheus.value('headcount_tasks_spawned_total{task="thumbnail"}')
    quickstart.stop()
    again = Quickstart(admin, 5)
    try:
        current = 'headcount_tasks_spawned_total{task="thumbnail"}'
        eventually("the new process is scraped", lambda: (prometheus.value(current) or before) < before)
        assert prometheus.value(resets) == 1, prometheus.value(resets)
        for counter in ("headcount_task_polls_total", "headcount_task_busy_seconds_total"):
            count = prometheus.value(f'max(resets({counter}[5m]))')
            assert count == 1, (counter, count)
    finally:
        again.stop()
    print("a restart is one reset")


def check_rules(prometheus):
    """Every rule is evaluated without an error, and those that must have a result here have one."""
    for group in prometheus.get("rules")["groups"]:
        bad = [rule for rule in group["rules"] if rule["health"] != "ok"]
        assert not bad, bad
        print(f"{group['name']}: {len(group['rules'])} rules evaluated in {group['evaluationTime'] * 1000:.1f} ms")
    for record in ("job_task:headcount_tasks_live:sum", "job:headcount_stop_would_cut:instances"):
        assert prometheus.query(record), record


def main():
    check_hostile_texts()
    admin = free_port()
    with tempfile.TemporaryDirectory() as directory:
        check_exemplars(directory)
        quickstart = Quickstart(admin, 50)
        prometheus = None
        try:
            check_lint(quickstart)
            prometheus = Prometheus(directory, admin)
            eventually("thumbnails", lambda: (prometheus.value('headcount_tasks_spawned_total{task="thumbnail"}') or 0) > 50)
            check_agreement(prometheus, quickstart)
            check_restart(prometheus, quickstart, admin)
            check_rules(prometheus)
        finally:
            for started in (quickstart, prometheus):
                if started and started.process.poll() is None:
                    started.stop()
    print("6 checks passed")


if __name__ == "__main__":
    main()
