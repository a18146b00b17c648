#!/usr/bin/env python3
"""The dashboard for Grafana, as code: writes headcount.json beside this file.

    python kit/grafana/dashboard.py            writes it
    python kit/grafana/dashboard.py --check    fails if it is not what this would write

Its queries are in QUERIES, where tests find them: they run on Prometheus and on VictoriaMetrics alike, so none needs a recording
rule.
"""

import sys
from pathlib import Path

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, units
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

OUTPUT = Path(__file__).with_name("headcount.json")
SOURCE = common.DataSourceRef(type_val="prometheus", uid="${source}")

# What the variables choose: of a service all its instances, or some; of its groups all, or some.
OF = 'job="$job",instance=~"$instance"'
TASKS = f'{OF},task=~"$task"'

STAGES = ["running", "announcing", "draining", "aborting", "lingering", "done"]
STAGE_COLOURS = ["green", "yellow", "orange", "red", "blue", "text"]

# By panel: each legend and its query.
QUERIES: dict[str, dict[str, str]] = {
    # Service
    "Instances": {"instances": f"count(headcount_shutdown_stage{{{OF}}})"},
    "Live tasks": {"live": f"sum(headcount_tasks_live{{{TASKS}}})"},
    "Would cut work if stopped now": {
        "instances": f"count(headcount_stop_expected_abandoned{{{OF}}} >= 0.5) or vector(0)"
    },
    "Blocked tasks": {"blocked": f"sum(headcount_tasks_blocked{{{TASKS}}})"},
    "Failures": {
        "failures": f'sum(rate(headcount_tasks_finished_total{{{TASKS},outcome=~"error|panic|timeout"}}[$__rate_interval]))'
                    f" / sum(rate(headcount_tasks_finished_total{{{TASKS}}}[$__rate_interval]))"
    },
    "Spawned a second": {"{{task}}": f"sum by (task) (rate(headcount_tasks_spawned_total{{{TASKS}}}[$__rate_interval]))"},
    "Finished a second": {
        "{{outcome}}": f"sum by (outcome) (rate(headcount_tasks_finished_total{{{TASKS}}}[$__rate_interval])) > 0"
    },
    "Live tasks by name": {"{{task}}": f"sum by (task) (headcount_tasks_live{{{TASKS}}})"},
    "Failed a second": {
        "{{task}} {{outcome}}":
            f'sum by (task, outcome) (rate(headcount_tasks_finished_total{{{TASKS},outcome!~"ok|cancelled"}}[$__rate_interval])) > 0'
    },
    "Durations": {
        "{{task}} p50": "histogram_quantile(0.5, sum by (task, le) "
                        f"(rate(headcount_task_duration_seconds_bucket{{{TASKS}}}[$__rate_interval])))",
        "{{task}} p99": "histogram_quantile(0.99, sum by (task, le) "
                        f"(rate(headcount_task_duration_seconds_bucket{{{TASKS}}}[$__rate_interval])))",
    },
    "Threads kept busy": {"{{task}}": f"sum by (task) (rate(headcount_task_busy_seconds_total{{{TASKS}}}[$__rate_interval]))"},
    "Slow polls a second": {
        "{{task}}": f"sum by (task) (rate(headcount_task_slow_polls_total{{{TASKS}}}[$__rate_interval]))"
    },
    "Oldest tasks": {"age": f"topk(20, max by (instance, task, kind) (time() - headcount_task_oldest_start_timestamp_seconds{{{TASKS}}}))"},
    "Waiting for a limit": {"{{task}}": f"sum by (task) (headcount_tasks_limited{{{TASKS}}})"},
    "Rejected a second": {
        "{{task}} {{reason}}": f"sum by (task, reason) (rate(headcount_tasks_rejected_total{{{TASKS}}}[$__rate_interval])) > 0"
    },
    "Services down": {"{{instance}} {{task}}": f"headcount_service_up{{{TASKS}}} == 0"},
    "Restarts of services": {"{{task}}": f"sum by (task) (increase(headcount_service_restarts_total{{{TASKS}}}[$__rate_interval]))"},
    "Since the last success of a timer": {
        "{{instance}} {{task}}": f"time() - (headcount_timer_last_success_timestamp_seconds{{{TASKS}}} > 0)"
    },
    # Instance
    "Live tasks by instance": {"{{instance}}": f"sum by (instance) (headcount_tasks_live{{{TASKS}}})"},
    "Not known to headcount": {"{{instance}}": f"headcount_tasks_untracked{{{OF}}}"},
    "Threads kept busy by instance": {
        "{{instance}}": f"sum by (instance) (rate(headcount_task_busy_seconds_total{{{TASKS}}}[$__rate_interval]))"
    },
    "Blocked tasks by instance": {"{{instance}}": f"sum by (instance) (headcount_tasks_blocked{{{TASKS}}})"},
    "A stop now would take": {"{{instance}}": f"headcount_stop_forecast_seconds{{{OF}}}"},
    "A stop now would abandon": {"{{instance}}": f"headcount_stop_expected_abandoned{{{OF}}}"},
    "Dropped for want of room": {
        "{{instance}} groups": f"increase(headcount_groups_overflowed_total{{{OF}}}[$__rate_interval])",
        "{{instance}} finished tasks": f"increase(headcount_history_dropped_total{{{OF}}}[$__rate_interval])",
        "{{instance}} log lines": f"increase(headcount_log_lines_suppressed_total{{{OF}}}[$__rate_interval])",
        "{{instance}} events": f"increase(headcount_sse_dropped_total{{{OF}}}[$__rate_interval])",
    },
    # Drain
    "Stage": {"{{instance}}": f"headcount_shutdown_stage{{{OF}}}"},
    "Tasks waited for": {"{{instance}}": f"headcount_shutdown_pending_tasks{{{OF}}} and on (job, instance) headcount_shutdown_stage > 0"},
    "Time left": {"{{instance}}": f"(headcount_shutdown_deadline_timestamp_seconds{{{OF}}} > 0) - time()"},
    "Drains took": {"{{instance}}": f"max_over_time(headcount_shutdown_duration_seconds{{{OF}}}[$__rate_interval]) > 0"},
    "Abandoned by stops": {
        "abandoned": f"sum by (instance, task) (max_over_time(headcount_shutdown_abandoned_total{{{TASKS}}}[$__range])) > 0"
    },
    "Spawned while draining": {"{{instance}}": f"sum by (instance) (max_over_time(headcount_late_spawns_total{{{OF}}}[$__range]))"},
}

ABOUT = {
    "Would cut work if stopped now": "Instances that would abandon a task if they were stopped now, by their own forecast.",
    "Failures": "The share of finished tasks that ended with an error, a panic or a timeout.",
    "Oldest tasks": "The age of the oldest task of each group. Open the page of the instance to see what it does.",
    "Not known to headcount": "Tasks of the runtime, about: connections, pools, plain tokio::spawn.",
    "Threads kept busy": "Seconds a second spent in polls and closures.",
    "A stop now would take": "In how long a stop would likely be over. Absent where nothing is known.",
    "Abandoned by stops": "Needs a scrape after the drain: set linger to Auto.",
    "Drains took": "Until now, or in the end. Exact if the process lingered for a scrape.",
}


def targets(panel, title, query=None):
    """Adds the queries of the panel with this title."""
    for index, (legend, expression) in enumerate(QUERIES[title].items()):
        target = prometheus.Dataquery().ref_id(chr(ord("A") + index)).expr(expression).legend_format(legend).datasource(SOURCE)
        panel.with_target(query(target) if query else target.range())
    if about := ABOUT.get(title):
        panel.description(about)
    return panel.title(title).datasource(SOURCE)


def figure(title, unit=units.Short, span=4, warn_at=None):
    panel = stat.Panel().unit(unit).span(span).height(4)
    panel.graph_mode(common.BigValueGraphMode.AREA).reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    if warn_at is not None:
        steps = [models.Threshold(value=None, color="green"), models.Threshold(value=warn_at, color="orange")]
        panel.thresholds(dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps))
    return targets(panel, title)


def graph(title, unit=units.Short, span=8, exemplars=False):
    panel = timeseries.Panel().unit(unit).span(span).height(8).min(0).fill_opacity(8).line_width(1)
    panel.show_points(common.VisibilityMode.NEVER)
    panel.legend(common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
                 .placement(common.LegendPlacement.BOTTOM).show_legend(True))
    panel.tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
    return targets(panel, title, (lambda target: target.range().exemplar(True)) if exemplars else None)


def listing(title, unit, span=8):
    panel = table.Panel().unit(unit).span(span).height(8)
    panel.with_transformation(models.DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}}))
    panel.sort_by([common_builders.TableSortByFieldState().display_name("Value").desc(True)])
    return targets(panel, title, lambda target: target.instant().format(PromQueryFormat.TABLE))


def stages(title):
    panel = statetimeline.Panel().span(24).height(6).show_value(common.VisibilityMode.AUTO).merge_values(True)
    texts = {str(number): models.ValueMappingResult(text=name, color=STAGE_COLOURS[number], index=number)
             for number, name in enumerate(STAGES)}
    panel.mappings([models.ValueMap(options=texts)])
    return targets(panel, title)


def variable(name, label, query, many):
    chosen = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(query)
    chosen.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)
    return chosen.multi(True).include_all(True).all_value(".*").current(ALL) if many else chosen


ALL = models.VariableOption(selected=True, text="All", value="$__all")


def built():
    board = (
        dashboard.Dashboard("headcount")
        .uid("headcount")
        .description("Tasks that headcount watches: of a service, of its instances, and of their drains.")
        .tags(["headcount", "tokio"])
        .time("now-1h", "now")
        .refresh("30s")
        .timezone("browser")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.DatasourceVariable("source").label("Source").type("prometheus"))
        .with_variable(variable("job", "Service", "label_values(headcount_shutdown_stage, job)", False))
        .with_variable(variable("instance", "Instance", 'label_values(headcount_shutdown_stage{job="$job"}, instance)', True))
        .with_variable(variable("task", "Task", 'label_values(headcount_tasks_spawned_total{job="$job"}, task)', True))
    )
    rows = {
        "Service": [
            figure("Instances"),
            figure("Live tasks"),
            figure("Would cut work if stopped now", span=6, warn_at=1),
            figure("Blocked tasks", span=5, warn_at=1),
            figure("Failures", units.PercentUnit, span=5, warn_at=0.05),
            graph("Spawned a second"),
            graph("Finished a second"),
            graph("Live tasks by name"),
            graph("Failed a second"),
            graph("Durations", units.Seconds, exemplars=True),
            graph("Threads kept busy"),
            graph("Slow polls a second", span=12),
            listing("Oldest tasks", units.Seconds, span=12),
            graph("Waiting for a limit", span=12),
            graph("Rejected a second", span=12),
            graph("Services down"),
            graph("Restarts of services"),
            graph("Since the last success of a timer", units.Seconds),
        ],
        "Instance": [
            graph("Live tasks by instance"),
            graph("Not known to headcount"),
            graph("Threads kept busy by instance"),
            graph("Blocked tasks by instance"),
            graph("A stop now would take", units.Seconds),
            graph("A stop now would abandon"),
            graph("Dropped for want of room", span=24),
        ],
        "Drain": [
            stages("Stage"),
            graph("Tasks waited for"),
            graph("Time left", units.Seconds),
            graph("Drains took", units.Seconds),
            listing("Abandoned by stops", units.Short, span=12),
            graph("Spawned while draining", span=12),
        ],
    }
    for title, panels in rows.items():
        board.with_row(dashboard.Row(title))
        for panel in panels:
            board.with_panel(panel)
    return board.build()


def text():
    return JSONEncoder(sort_keys=True, indent=2).encode(built()) + "\n"


def main():
    if sys.argv[1:] == ["--check"]:
        if OUTPUT.read_text() != text():
            sys.exit(f"{OUTPUT.name} is not fresh: run {sys.argv[0]}")
    else:
        OUTPUT.write_text(text())


if __name__ == "__main__":
    main()
