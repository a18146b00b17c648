"""Reads what examples/traces exported with OpenTelemetry's own definitions for Python.

    python tests/tools/otlp.py FOLDER
"""

import sys
from pathlib import Path

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def read(folder, kind, message):
    """The requests of one kind, in the order in which they came."""
    files = sorted(folder.glob(f"*.{kind}"))
    assert files, f"no {kind} in {folder}"
    requests = []
    for file in files:
        request = message()
        request.ParseFromString(file.read_bytes())
        requests.append(request)
    return requests


def main():
    folder = Path(sys.argv[1])
    spans = {}
    for request in read(folder, "spans", ExportTraceServiceRequest):
        for resource in request.resource_spans:
            names = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
            assert names["service.name"] == "traces", names
            for scope in resource.scope_spans:
                for span in scope.spans:
                    assert span.name not in spans, f"{span.name} was exported twice"
                    spans[span.name] = span
    request = spans["POST /signup"]
    assert request.trace_id.hex() == TRACE
    for name, to in {"send-email": "POST /signup", "thumbnail": "POST /signup", "push": "POST /signup", "audit": "send-email"}.items():
        task, target = spans[name], spans[to]
        assert task.parent_span_id == b"", f"{name} has a parent"
        assert [(link.trace_id, link.span_id) for link in task.links] == [(target.trace_id, target.span_id)], name
    last = read(folder, "metrics", ExportMetricsServiceRequest)[-1]
    finished = {}
    for resource in last.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name == "headcount.tasks.finished":
                    assert metric.sum.is_monotonic
                    for point in metric.sum.data_points:
                        pairs = {pair.key: pair.value.string_value for pair in point.attributes}
                        finished[pairs["task"], pairs["outcome"]] = point.as_int
    assert finished == {("send-email", "ok"): 1, ("thumbnail", "ok"): 1, ("audit", "ok"): 1, ("push", "error"): 1}, finished
    print(f"{len(spans)} spans and the last metrics are read by opentelemetry-proto as they were sent")


if __name__ == "__main__":
    main()
