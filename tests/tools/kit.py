"""The rules, alerts and routes of kit/prometheus: complete, and as a real Alertmanager takes them. Called by
scripts/prometheus-check."""

import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

import yaml

KIT = pathlib.Path("kit/prometheus")
ROUTES = {"critical": "page", "warning": "ticket", "none": "none"}
PATIENCE = 30


def rules(name):
    groups = yaml.safe_load((KIT / name).read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def check_names():
    """Every family that a rule names is in docs/METRICS.md, or recorded by a rule."""
    families = set(re.findall(r"^\| `(headcount_\w+)` \|", pathlib.Path("docs/METRICS.md").read_text(), re.M))
    recorded = {rule["record"] for rule in rules("rules.yml")}
    for rule in rules("rules.yml") + rules("alerts.yml"):
        for name in re.findall(r"(?:[a-z_]+:)?headcount_\w+(?::\w+)?", rule["expr"]):
            family = re.sub(r"_(bucket|sum|count)$", "", name)
            assert {name, family} & families or name in recorded, f"{name} is not a family of headcount: {rule}"
    print(f"{len(recorded)} recording rules name {len(families)} families rightly")


def check_recorded():
    """Each recording rule has a test that expects samples of it."""
    tests = yaml.safe_load((KIT / "rules.test.yml").read_text())["tests"]
    samples = [sample["labels"] for test in tests for case in test["promql_expr_test"] for sample in case["exp_samples"]]
    missing = {rule["record"] for rule in rules("rules.yml")} - {labels.split("{")[0] for labels in samples}
    assert not missing, f"no test expects {missing}"
    print("each recording rule has a test")


def check_alerts():
    """Each alert has a severity that is routed, a section of the runbook, a test that raises it, and one that does not."""
    runbook = pathlib.Path("docs/RUNBOOK.md").read_text()
    sections = {f"docs/RUNBOOK.md#{title.lower()}" for title in re.findall(r"^## (\w+)$", runbook, re.M)}
    tests = yaml.safe_load((KIT / "alerts.test.yml").read_text())["tests"]
    cases = [case for test in tests for case in test["alert_rule_test"]]
    raised = {case["alertname"] for case in cases if case["exp_alerts"]}
    quiet = {case["alertname"] for case in cases if not case["exp_alerts"]}
    alerts = rules("alerts.yml")
    for alert in alerts:
        name = alert["alert"]
        assert alert["labels"]["severity"] in ROUTES, name
        assert alert["annotations"]["runbook"] == f"docs/RUNBOOK.md#{name.lower()}", name
        assert alert["annotations"]["runbook"] in sections, f"docs/RUNBOOK.md has no section {name}"
        assert name in raised, f"no test raises {name}"
        assert name in quiet, f"no test has series that must not raise {name}"
    stale = sections - {alert["annotations"]["runbook"] for alert in alerts}
    assert not stale, f"no alert leads to {stale}"
    print(f"{len(alerts)} alerts have a test and a section of the runbook")


def amtool(*arguments):
    return subprocess.run(["amtool", *arguments], check=True, capture_output=True, text=True).stdout


def check_routes():
    for alert in rules("alerts.yml"):
        severity = alert["labels"]["severity"]
        labels = [f"alertname={alert['alert']}", f"severity={severity}", "job=shop"]
        receiver = amtool("config", "routes", "test", f"--config.file={KIT}/alertmanager.yml", *labels).strip()
        assert receiver == ROUTES[severity], (alert["alert"], receiver)
    print("each severity goes to its receiver")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def eventually(what, check):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if result := check():
                return result
        except subprocess.CalledProcessError:
            pass
        time.sleep(0.1)
    sys.exit(f"in vain: {what}")


# What fires: alert, instance, task.
FIRING = [
    ("HeadcountInstanceDown", "stopped", None),
    ("HeadcountDraining", "stopped", None),
    ("HeadcountInstanceDown", "crashed", None),
    ("HeadcountTaskBlocked", "stopped", "thumbnail"),
    ("HeadcountTaskStuck", "stopped", "thumbnail"),
    ("HeadcountTaskStuck", "stopped", "push"),
    ("HeadcountTaskPanicked", "stopped", "mail"),
    ("HeadcountTasksFailing", "stopped", "mail"),
    ("HeadcountServiceDown", "stopped", "consumer"),
    ("HeadcountServiceRestarting", "stopped", "consumer"),
    ("HeadcountServiceRestarting", "crashed", "consumer"),
]
INHIBITED = {
    ("HeadcountInstanceDown", "stopped", None),
    ("HeadcountTaskStuck", "stopped", "thumbnail"),
    ("HeadcountTasksFailing", "stopped", "mail"),
    ("HeadcountServiceRestarting", "stopped", "consumer"),
}


def check_inhibition(directory):
    """A real Alertmanager holds back what another alert explains, and nothing else."""
    url = f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        ["prometheus-alertmanager", f"--config.file={KIT}/alertmanager.yml", f"--storage.path={directory}",
         f"--web.listen-address={url.removeprefix('http://')}", "--cluster.listen-address="],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def names(*filters):
        alerts = json.loads(amtool("--alertmanager.url", url, "--output", "json", "alert", "query", *filters))
        labels = [alert["labels"] for alert in alerts]
        return {(each["alertname"], each["instance"], each.get("task")) for each in labels}

    def add(alert, instance, task):
        more = [f"task={task}"] if task else []
        amtool("--alertmanager.url", url, "alert", "add", f"alertname={alert}", "job=shop", f"instance={instance}", *more)

    try:
        eventually("Alertmanager answers", lambda: names() is not None)
        for alert in FIRING:
            add(*alert)
        # Its state is worked out when a group is flushed, or it is asked for.
        eventually("all alerts are there", lambda: names("--active", "--inhibited") == set(FIRING))
        eventually("the right ones are inhibited", lambda: names("--inhibited") == INHIBITED)
        assert names("--active") == set(FIRING) - INHIBITED
    finally:
        process.terminate()
        process.wait(PATIENCE)
    print(f"{len(INHIBITED)} of {len(FIRING)} alerts are inhibited")


def main():
    check_names()
    check_recorded()
    check_alerts()
    check_routes()
    with tempfile.TemporaryDirectory() as directory:
        check_inhibition(directory)


if __name__ == "__main__":
    main()
