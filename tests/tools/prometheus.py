"""A real Prometheus and a real quickstart: what one stores is what the other did. Called by scripts/prometheus-check."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

QUICKSTART = "target/debug/examples/quickstart"
PATIENCE = 60


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
    def __init__(self, directory, admin):
        config = {
            "global": {"scrape_interval": "500ms"},
            "rule_files": [str(pathlib.Path("examples/prometheus/alerts.yml").resolve())],
            "scrape_configs": [{"job_name": "quickstart", "static_configs": [{"targets": [f"127.0.0.1:{admin}"]}]}],
        }
        path = pathlib.Path(directory, "prometheus.yml")
        path.write_text(json.dumps(config))
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/api/v1/query?query="
        self.process = subprocess.Popen(
            ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={directory}/data", f"--web.listen-address=127.0.0.1:{port}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually("Prometheus has scraped", lambda: self.value("up") == 1)

    def query(self, expression):
        answer = json.loads(get(self.url + urllib.parse.quote(expression)))
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def value(self, expression):
        result = self.query(expression)
        return float(result[0]["value"][1]) if result else None

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


def check_hostile_texts():
    """Another parser than ours reads them back as they were."""
    hostile = json.loads(pathlib.Path("target/tmp/hostile.json").read_text())
    text = pathlib.Path("target/tmp/hostile.prom").read_text()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    spawned = families["headcount_tasks_spawned"].samples
    read = {sample.labels["task"] for sample in spawned} & {sample.labels["value"] for sample in spawned}
    assert set(hostile) <= read, set(hostile) - read
    print(f"{len(hostile)} hostile texts read back")


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


def main():
    check_hostile_texts()
    admin = free_port()
    with tempfile.TemporaryDirectory() as directory:
        quickstart = Quickstart(admin, 50)
        prometheus = None
        try:
            check_lint(quickstart)
            prometheus = Prometheus(directory, admin)
            eventually("thumbnails", lambda: (prometheus.value('headcount_tasks_spawned_total{task="thumbnail"}') or 0) > 50)
            check_agreement(prometheus, quickstart)
            check_restart(prometheus, quickstart, admin)
            loaded = json.loads(get(re.sub(r"query\?query=$", "rules", prometheus.url)))
            assert len(loaded["data"]["groups"][0]["rules"]) == 4
        finally:
            for started in (quickstart, prometheus):
                if started and started.process.poll() is None:
                    started.stop()
    print("4 checks passed")


if __name__ == "__main__":
    main()
