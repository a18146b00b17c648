"""Every query of the dashboard for Grafana runs against a real Prometheus and a real VictoriaMetrics. Each has scraped a service that
stays and one of its own that drained, since a process lingers for one scrape, not for one of each server. Called by
scripts/grafana-check."""

import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

from prometheus import PATIENCE, QUICKSTART, eventually, free_port, get

JOB, WORKER, STUCK = "shop", "worker", "stuck"
# Panels that are looked at for another job than the shop.
JOBS = {
    "Services down": WORKER,
    "Restarts of services": WORKER,
    "Since the last success of a timer": WORKER,
    "Blocked tasks": STUCK,
    "Blocked tasks by instance": STUCK,
}
DRAIN = 3
CUT = 5
WINDOW = "5s"


class Service:
    """The quickstart, whose longest tasks take twice as long as its drain may."""

    def __init__(self, directory, name):
        self.instance, self.address = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.report = pathlib.Path(directory, f"{name}.json")
        flags = ["--listen", self.address, "--admin", self.instance, "--load", "12", "--seconds-per-number", "0.03"]
        environment = os.environ | {
            "RUST_LOG": "error",
            "HEADCOUNT_DRAIN_TIMEOUT": f"{DRAIN}s",
            "HEADCOUNT_LINGER": "Auto",
            "HEADCOUNT_LIMIT": "send-email=8/1",
            # Each poll is slow then, and the history is full at once.
            "HEADCOUNT_SLOW_POLL": "1us",
            "HEADCOUNT_HISTORY": "1",
            "HEADCOUNT_REPORT_FILE": str(self.report),
        }
        self.process = subprocess.Popen(
            [QUICKSTART, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        eventually("the service is alive", lambda: get(f"http://{self.instance}/livez"))

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


class Example(Service):
    """Another example, for what the quickstart does not use: services and timers, a task that blocks its thread."""

    def __init__(self, directory, name, *arguments):
        self.instance = f"127.0.0.1:{free_port()}"
        environment = os.environ | {"RUST_LOG": "off", "HEADCOUNT_ADMIN": self.instance, "HEADCOUNT_DRAIN_TIMEOUT": f"{DRAIN}s"}
        self.process = subprocess.Popen(
            [pathlib.Path(QUICKSTART).with_name(name).absolute(), *arguments], cwd=directory, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=environment)
        eventually(f"{name} is alive", lambda: get(f"http://{self.instance}/livez"))


class Store:
    """A server that scrapes the services, and answers the queries of Prometheus' API."""

    def __init__(self, name, url, command):
        self.name, self.url = name, url
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def get(self, path, **arguments):
        answer = json.loads(get(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(arguments)}"))
        assert answer["status"] == "success", (self.name, path, arguments, answer)
        return answer["data"]["result"]

    def range(self, expression, begin, end):
        """Series as pairs of labels and values, oldest first. The last point is at the end itself."""
        start = end - math.ceil(end - begin)
        found = self.get("query_range", query=expression, start=start, end=end, step="1", nocache="1")
        return [(series["metric"], [float(value) for _, value in series["values"]]) for series in found]

    def at(self, expression, moment):
        found = self.get("query", query=expression, time=moment, nocache="1")
        return [(series["metric"], [float(series["value"][1])]) for series in found]

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


def configured(directory, name, services, worker, stuck):
    targets = {JOB: [service.instance for service in services], WORKER: [worker.instance], STUCK: [stuck.instance]}
    config = {
        "global": {"scrape_interval": "500ms"},
        "scrape_configs": [{"job_name": job, "static_configs": [{"targets": each}]} for job, each in targets.items()],
    }
    path = pathlib.Path(directory, f"{name}.yml")
    path.write_text(json.dumps(config))
    return path


def prometheus(directory, *targets):
    address, path = f"127.0.0.1:{free_port()}", configured(directory, "prometheus", *targets)
    return Store("Prometheus", f"http://{address}", [
        "prometheus", f"--config.file={path}", f"--storage.tsdb.path={directory}/prometheus", f"--web.listen-address={address}"])


def victoria(directory, *targets):
    address, path = f"127.0.0.1:{free_port()}", configured(directory, "victoria", *targets)
    return Store("VictoriaMetrics", f"http://{address}", [
        "victoria-metrics", f"-promscrape.config={path}", f"-storageDataPath={directory}/victoria", f"-httpListenAddr={address}",
        "-search.latencyOffset=0s", "-memory.allowedBytes=128MiB"])


def filled(expression, job, seconds):
    """With values for the variables, as Grafana fills them in."""
    values = {"job": job, "instance": ".*", "task": ".*", "__rate_interval": WINDOW, "__range": f"{seconds}s"}
    text = re.sub(r"\$(\w+)", lambda found: values[found[1]], expression)
    assert "$" not in text, text
    return text


def panels():
    """Title, legend, query, and whether it asks for one moment, of each query in the file that Grafana gets."""
    board = json.loads(pathlib.Path("kit/grafana/headcount.json").read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["legendFormat"], target["expr"], target.get("instant", False)


class Answer:
    def __init__(self, series):
        self.series = series

    def of(self, label):
        return {labels.get(label) for labels, _ in self.series}

    def values(self, **labels):
        fits = lambda own: labels.items() <= own.items()  # noqa: E731
        return [value for own, values in self.series if fits(own) for value in values]

    def within(self, least, most):
        return bool(self.values()) and all(least <= value <= most for value in self.values())


def expected(gone, stays, stuck, report, untracked):
    """What each panel must show, by its title, or by title and legend: of the service that has gone, whose report this is; of the one
    that stays, whose API said these numbers of untracked tasks meanwhile; and of the one with a task that blocks its thread."""
    both = {gone, stays}
    names = {"send-email", "push-notification", "thumbnail"}
    grows = lambda answer: answer.of("instance") == both and answer.within(0, 1e6) and max(answer.values(instance=stays)) > 0  # noqa: E731
    never = lambda answer: answer.of("instance") == both and set(answer.values()) == {0}  # noqa: E731
    return {
        "Instances": lambda answer: max(answer.values()) == 2 and answer.within(1, 2),
        "Live tasks": lambda answer: max(answer.values()) > 10,
        "Would cut work if stopped now": lambda answer: max(answer.values()) == 2 and answer.within(0, 2),
        "Blocked tasks": lambda answer: max(answer.values()) == 1 and answer.within(0, 1),
        "Failures": lambda answer: 0 < max(answer.values()) < 1,
        "Spawned a second": lambda answer: names <= answer.of("task") and max(answer.values(task="thumbnail")) > 1,
        "Finished a second": lambda answer: {"ok", "error", "abandoned"} <= answer.of("outcome"),
        "Live tasks by name": lambda answer: names <= answer.of("task") and max(answer.values()) > 10,
        "Failed a second": lambda answer: ("send-email", "error") in {(own["task"], own["outcome"]) for own, _ in answer.series},
        "Durations": lambda answer: names <= answer.of("task") and 0.01 < max(answer.values(task="thumbnail")) < 5,
        "Threads kept busy": lambda answer: 0 < max(answer.values(task="thumbnail")) < 64,
        "Slow polls a second": lambda answer: names <= answer.of("task") and answer.within(0, 1e6)
        and max(answer.values(task="send-email")) > 0 and set(answer.values(task="thumbnail")) == {0},
        "Oldest tasks": lambda answer: both >= answer.of("instance") and 5 < max(answer.values()) < 60 and answer.within(0, 60),
        "Waiting for a limit": lambda answer: "send-email" in answer.of("task") and answer.within(0, 20),
        "Rejected a second": lambda answer: max(answer.values(task="send-email")) > 0 and None not in answer.of("reason"),
        "Services down": lambda answer: answer.of("task") == {"consumer"} and set(answer.values()) == {0},
        "Restarts of services": lambda answer: answer.of("task") == {"consumer"} and max(answer.values()) > 0,
        "Since the last success of a timer": lambda answer: "orders" in answer.of("task") and answer.within(0, 60),
        "Live tasks by instance": lambda answer: answer.of("instance") == both and max(answer.values(instance=stays)) > 10,
        # The server is one; connections of the load come and go.
        "Not known to headcount": lambda answer: answer.of("instance") == both and answer.within(0, 100)
        and min(untracked) - 5 <= min(answer.values(instance=stays)) and 0 < max(answer.values(instance=stays)) <= max(untracked) + 5,
        "Threads kept busy by instance": lambda answer: answer.of("instance") == both and max(answer.values()) > 0,
        "Blocked tasks by instance": lambda answer: answer.of("instance") == {stuck} and set(answer.values()) <= {0, 1}
        and answer.values()[-1] == 1,
        "A stop now would take": lambda answer: answer.of("instance") == both and answer.within(0, DRAIN + 1),
        "A stop now would abandon": lambda answer: answer.of("instance") == both and max(answer.values(instance=stays)) > 1,
        "Dropped for want of room: {{instance}} groups": never,
        "Dropped for want of room: {{instance}} finished tasks": grows,
        "Dropped for want of room: {{instance}} log lines": lambda answer: answer.of("instance") == both and answer.within(0, 1e6),
        "Dropped for want of room: {{instance}} events": never,
        "Stage": lambda answer: {0, 2} <= set(answer.values(instance=gone)) and set(answer.values(instance=stays)) == {0},
        "Tasks waited for": lambda answer: answer.of("instance") == {gone} and max(answer.values()) > 3,
        "Time left": lambda answer: answer.of("instance") == {gone} and answer.within(-5, DRAIN + 1) and max(answer.values()) > 1,
        "Drains took": lambda answer: answer.of("instance") == {gone} and DRAIN <= max(answer.values()) < DRAIN + 2,
        "Abandoned by stops": lambda answer: answer.of("instance") == {gone} and sum(answer.values()) == report["abandoned_total"],
        "Spawned while draining": lambda answer: answer.of("instance") == both and set(answer.values(instance=stays)) == {0}
        and max(answer.values(instance=gone)) == report["late_spawns"],
    }


def record(stores, gone):
    """Each store sees its services at work, and one of them drain."""
    for store in stores:
        eventually(f"{store.name} scrapes both", lambda store=store: len(store.get("query", query="up == 1")) == 4)
    # Forecasts have to know how long the long tasks take, which is 6 s.
    known = f'min(headcount_stop_expected_abandoned{{job="{JOB}"}}) > 1'
    for store in stores:
        eventually("forecasts know the tasks", lambda store=store: store.get("query", query=known))
    # What happens now and then has happened, and there are some points before the drain.
    wanted = {
        "mail has failed": f'sum(increase(headcount_tasks_finished_total{{job="{JOB}",task="send-email",outcome="error"}}[60s])) > 0',
        "the consumer has restarted": f'sum(increase(headcount_service_restarts_total{{job="{WORKER}"}}[60s])) > 0',
        "a task is blocked": f'sum(headcount_tasks_blocked{{job="{STUCK}"}}) == 1',
        "all are known for a while": f'min(count_over_time(headcount_shutdown_stage{{job="{JOB}"}}[60s])) > 10',
    }
    for store in stores:
        for what, query in wanted.items():
            eventually(f"{store.name}: {what}", lambda store=store, query=query: store.get("query", query=query))
    for service in gone:
        # Each leaves a task that the drain has to cut.
        for _ in range(CUT):
            get(f"http://{service.address}/")
        service.process.terminate()
    for store, service in zip(stores, gone, strict=True):
        service.process.wait(PATIENCE)
        query = f'headcount_shutdown_stage{{instance="{service.instance}"}}'
        eventually(f"{store.name} sees that it has gone", lambda store=store, query=query: not store.get("query", query=query))


def read_untracked(service, over, readings):
    """What the API says of untracked tasks, again and again: connections of the load come and go."""
    while True:
        readings.append(json.loads(get(f"http://{service.instance}/api/v1/summary"))["untracked"])
        if over.wait(0.2):
            return


def check(store, gone, stays, stuck, untracked, begin, end):
    """The wrong answers of a store."""
    report = json.loads(gone.report.read_text())
    assert CUT <= report["abandoned_total"], "the drain was to cut these"
    checks = expected(gone.instance, stays.instance, stuck.instance, report, untracked)
    queries = list(panels())
    named = {title if title in checks else f"{title}: {legend}" for title, legend, *_ in queries}
    assert named == checks.keys(), named ^ checks.keys()
    for title, legend, query, instant in queries:
        expression = filled(query, JOBS.get(title, JOB), int(end - begin))
        # A table shows the present: the oldest tasks are those of the service that is left.
        series = store.at(expression, end) if instant else store.range(expression, begin, end)
        if not (checks.get(title) or checks[f"{title}: {legend}"])(Answer(series)):
            yield f"{store.name}: {title}: {legend}: {expression}\n    {series}"
    print(f"{store.name}: {len(queries)} queries of {len({title for title, *_ in queries})} panels")


def main():
    begin = time.time()
    stores, services = [], []
    with tempfile.TemporaryDirectory() as directory:
        try:
            services += [Service(directory, name) for name in ("gone-1", "gone-2", "stays")]
            *gone, stays = services
            worker = Example(directory, "service", "refused")
            services.append(worker)
            # Nothing writes to the pipe that its task reads.
            os.mkfifo(pathlib.Path(directory, "prices.fifo"))
            stuck = Example(directory, "stuck", "blocking-call")
            services.append(stuck)
            stores += [prometheus(directory, [gone[0], stays], worker, stuck), victoria(directory, [gone[1], stays], worker, stuck)]
            over, untracked = threading.Event(), []
            reader = threading.Thread(target=read_untracked, args=(stays, over, untracked))
            reader.start()
            try:
                record(stores, gone)
            finally:
                over.set()
                reader.join()
            end = time.time()
            get(f"{stores[1].url}/internal/force_flush")
            wrong = [each for store, service in zip(stores, gone, strict=True)
                     for each in check(store, service, stays, stuck, untracked, begin, end)]
            if wrong:
                sys.exit("not what was expected:\n" + "\n".join(wrong))
        finally:
            for started in stores + services:
                if started.process.poll() is None:
                    started.stop()
    print("all of them return what is expected")


if __name__ == "__main__":
    main()
