"""A trace id that tasks carry from their request is an exemplar in a real Prometheus. Called by scripts/otlp-check."""

import os
import subprocess
import tempfile
import urllib.request

from prometheus import PATIENCE, TRACE, Prometheus, eventually, free_port, get

SERVICE = "target/debug/headcount-traces"
TASKS = {"send-email", "thumbnail", "push", "audit"}


def stored(prometheus):
    """The trace ids of the exemplars, by task, once each task has one."""
    series = prometheus.get("query_exemplars?query=headcount_task_duration_seconds_bucket&start=0&end=4000000000")
    found = {one["seriesLabels"]["task"]: {each["labels"]["trace_id"] for each in one["exemplars"]} for one in series}
    return found if TASKS <= found.keys() else None


def main():
    service, admin = free_port(), free_port()
    # Nobody takes the spans: what Prometheus reads does not depend on it.
    environment = os.environ | {"HEADCOUNT_ADMIN": f"127.0.0.1:{admin}", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    command = [SERVICE, "--listen", f"127.0.0.1:{service}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    prometheus = None
    try:
        eventually("the service is alive", lambda: get(f"http://127.0.0.1:{admin}/livez"))
        with tempfile.TemporaryDirectory() as directory:
            prometheus = Prometheus(directory, admin)
            headers = {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
            request = urllib.request.Request(f"http://127.0.0.1:{service}/signup", method="POST", headers=headers)
            eventually("the request is answered", lambda: urllib.request.urlopen(request, timeout=PATIENCE).read())
            found = eventually("each task's exemplar is stored", lambda: stored(prometheus))
            assert found == dict.fromkeys(TASKS, {TRACE}), found
            prometheus.stop()
    finally:
        for started in (process, prometheus and prometheus.process):
            if started and started.poll() is None:
                started.terminate()
                started.wait(PATIENCE)
    print(f"Prometheus stored the request's trace id with {len(found)} tasks")


if __name__ == "__main__":
    main()
