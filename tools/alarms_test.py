"""Checks that the alarms and the dashboard of template.yaml leave nothing out: what runs by a queue, by the clock or by a request is
watched, docs/alarms.md has a section for each alarm, and the prices of alarms and metrics are those in docs/cost.md.

Run: `python tools/alarms_test.py`, like template_test.py, which has the other rules for alarms.
"""

import copy
import json
import re
import unittest

from template_test import ROOT, dead_letter_queues, functions, listed, of_type, read_template, schedules, short_name, target

PRICE_OF_A_METRIC = 0.10  # dollars a month, for each metric that an alarm looks at; CloudWatch's price list, us-east-1, November 2026
PRICE_OF_A_COMPOSITE = 0.50
PRICE_OF_OUR_METRIC = 0.30  # dollars a month, for each metric that we make, while it gets values
MOST_AT_REST = 4.99       # dollars a month, for everything
# What a producer has to correct. It wakes nobody.
NOT_OURS = {"RejectedEventsAlarm"}

RULES = []


def rule(function):
    RULES.append(function)
    return function


def alarms(template):
    return of_type(template, "AWS::CloudWatch::Alarm")


def composites(template):
    return of_type(template, "AWS::CloudWatch::CompositeAlarm")


def watched(template, namespace, metric):
    """The resources whose metric an alarm looks at."""
    return {target(dimension["Value"]) for alarm in alarms(template).values() for dimension in alarm.get("Dimensions", [])
            if (alarm.get("Namespace"), alarm.get("MetricName")) == (namespace, metric)}


def fed_by_queues(template):
    """Functions that work on a queue, each with its queue."""
    return {name: target(event["Properties"]["Queue"]) for name, function in functions(template).items()
            for event in function.get("Events", {}).values() if event["Type"] == "SQS"}


@rule
def what_works_on_a_queue_is_watched(template):
    problems = []
    for name, queue in fed_by_queues(template).items():
        for metric in ("Errors", "Throttles", "Duration"):
            if name not in watched(template, "AWS/Lambda", metric):
                problems.append(f"no alarm is on {metric} of {name}")
        if queue not in watched(template, "AWS/SQS", "ApproximateAgeOfOldestMessage"):
            problems.append(f"no alarm is on the age of what waits in {queue}")
    return problems


@rule
def records_that_fail_are_counted_for_an_alarm(template):
    """A record that goes back to its queue is no error of the function, and SQS leaves it out of the age from the third receive on."""
    problems = []
    for name in fed_by_queues(template):
        group = target(functions(template)[name]["LoggingConfig"]["LogGroup"])
        counted = {each["MetricTransformations"][0]["MetricName"] for each in of_type(template, "AWS::Logs::MetricFilter").values()
                   if target(each["LogGroupName"]) == group and each["FilterPattern"] == '{ $.counted = "failed_record" }'}
        if not counted & {alarm.get("MetricName") for alarm in alarms(template).values()}:
            problems.append(f"no alarm counts the records that {name} fails on")
    return problems


@rule
def what_runs_by_the_clock_is_missed_when_it_stops(template):
    """A function that does not run reports nothing, so missing data has to count."""
    stopped = {target(dimension["Value"]) for alarm in alarms(template).values() for dimension in alarm.get("Dimensions", [])
               if (alarm.get("MetricName"), alarm.get("ComparisonOperator"), alarm.get("Threshold")) == ("Invocations", "LessThanThreshold", 1)
               and alarm.get("TreatMissingData") == "breaching" and alarm["Period"] * alarm["EvaluationPeriods"] <= 180}
    return [f"nobody is told within three minutes that {name} does not run" for name, *_ in schedules(template) if name not in stopped]


@rule
def failed_requests_raise_an_alarm(template):
    apis = of_type(template, "AWS::ApiGatewayV2::Api")
    return [f"no alarm is on 5xx of {name}" for name in apis if name not in watched(template, "AWS/ApiGateway", "5xx")]


@rule
def one_alarm_sums_up_the_others(template):
    named = {name for alarm in composites(template).values() for name in re.findall(r'ALARM\("\$\{(\w+)\}"\)', str(alarm["AlarmRule"]))}
    problems = [f"{name} wakes nobody" for name in sorted(set(alarms(template)) - named - NOT_OURS)]
    return problems + [f"{name} wakes somebody who cannot mend it" for name in sorted(named & NOT_OURS)]


def suffix(alarm):
    return str(alarm["AlarmName"].get("Fn::Sub", "")).removeprefix("${AWS::StackName}-")


@rule
def each_alarm_has_a_section_in_the_runbook(template, text=None):
    text = (ROOT / "docs/alarms.md").read_text() if text is None else text
    headed = set(re.findall(r"`…-([a-z0-9-]+)`", "\n".join(re.findall(r"^### .*", text, re.M))))
    wanted = {suffix(alarm) for alarm in [*alarms(template).values(), *composites(template).values()]}
    return [f"docs/alarms.md has no section for {name}" for name in sorted(wanted - headed)] + \
           [f"docs/alarms.md has a section for {name}, which is no alarm" for name in sorted(headed - wanted)]


@rule
def each_alarm_says_what_to_do(template):
    """Its description is all that somebody reads who is woken by it. CloudWatch allows 1,024 characters."""
    return [f"the description of {name} has {len(alarm.get('AlarmDescription', ''))} characters" for name, alarm in
            [*alarms(template).items(), *composites(template).items()] if not 80 <= len(alarm.get("AlarmDescription", "")) <= 1024]


def price(template):
    """What the alarms cost a month, and the sum as docs/cost.md writes it."""
    counts = [max(1, sum("MetricStat" in metric for metric in alarm.get("Metrics", []))) for alarm in alarms(template).values()]
    dollars = sum(counts) * PRICE_OF_A_METRIC + len(composites(template)) * PRICE_OF_A_COMPOSITE
    return sum(counts), round(dollars, 2)


@rule
def the_price_of_the_alarms_is_the_one_that_is_told(template, text=None):
    text = (ROOT / "docs/cost.md").read_text() if text is None else text
    metrics, dollars = price(template)
    row = next((line for line in text.splitlines() if line.startswith("| the alarms")), "")
    in_all = next((line for line in text.splitlines() if line.startswith("| **in all**")), "")
    problems = [] if f"| {metrics} metrics" in row and row.rstrip(" |").endswith(f"{dollars:.2f}") else [
        f"docs/cost.md does not say that the alarms look at {metrics} metrics and cost {dollars:.2f} a month: {row}"]
    found = re.findall(r"\d+\.\d\d", in_all)
    if not found or float(found[-1]) > MOST_AT_REST:
        problems.append(f"at rest the stack may cost {MOST_AT_REST} a month: {in_all}")
    return problems


def body(board):
    """Its text, and the names that are set for it alone."""
    found = board["DashboardBody"]["Fn::Sub"]
    return found if isinstance(found, list) else [found, {}]


def our_metrics():
    """The names of the metrics that functions write, read from the code."""
    code = (ROOT / "shared/runtime/src/metrics/names.rs").read_text()
    return re.findall(r"^ {8}([A-Z]\w+),$", code, re.M)


def lanes():
    """The parts of a run of redrive, which are the dimension of two metrics."""
    return re.findall(r"Lane::new\(\s*\"", (ROOT / "functions/redrive/src/lib.rs").read_text())


def price_under_load(template):
    """How many metrics there are of flow and at most, when all that can go wrong does, and what they cost a month."""
    transformations = {(each["MetricName"], "Dimensions" in each) for metric in of_type(template, "AWS::Logs::MetricFilter").values()
                       for each in metric["MetricTransformations"]}
    flow = len(our_metrics())
    most = flow + sum(len(lanes()) if by_lane else 1 for _, by_lane in transformations)
    return [(count, round(count * PRICE_OF_OUR_METRIC, 2)) for count in (flow, most)]


@rule
def the_price_of_our_metrics_is_the_one_that_is_told(template, text=None):
    text = (ROOT / "docs/cost.md").read_text() if text is None else text
    (flow, dollars), (most, at_most) = price_under_load(template)
    row = next((line for line in text.splitlines() if line.startswith("| metrics of our own")), "")
    return [] if all(words in row for words in (f"{flow} metrics", f"{dollars:.2f}", f"at most {most}", f"{at_most:.2f}")) else [
        f"docs/cost.md does not say that there are {flow} metrics for {dollars:.2f} a month, and at most {most} for {at_most:.2f}: {row}"]


@rule
def each_metric_of_ours_is_shown_and_explained(template, text=None):
    text = (ROOT / "docs/monitoring.md").read_text() if text is None else text
    shown = {metric[1] for board in dashboards(template).values() for metric in metrics_of(board) if metric[0] == "AWS::StackName"}
    return [f"the dashboard does not show {name}" for name in our_metrics() if name not in shown] + \
           [f"docs/monitoring.md does not explain {name}" for name in our_metrics() if f"`{name}`" not in text]


def metrics_of(shown):
    """What the widgets of a dashboard show, without expressions."""
    return [metric for each in shown["widgets"] for metric in each["properties"]["metrics"] if isinstance(metric[0], str)]


def dashboards(template):
    """The bodies, with the names of resources in place of their values."""
    return {name: json.loads(re.sub(r"\$\{([\w:.]+)\}", r"\1", body(board)[0]))
            for name, board in of_type(template, "AWS::CloudWatch::Dashboard").items()}


@rule
def the_dashboard_shows_what_the_alarms_look_at(template):
    shown = {(metric[0], metric[1]) for board in dashboards(template).values() for metric in metrics_of(board)}
    problems = [] if dashboards(template) else ["there is no dashboard"]
    for name, alarm in alarms(template).items():
        for stat in [alarm] if "MetricName" in alarm else [metric["MetricStat"]["Metric"] for metric in alarm["Metrics"] if "MetricStat" in metric]:
            namespace = stat["Namespace"] if isinstance(stat["Namespace"], str) else "AWS::StackName"
            if (namespace, stat["MetricName"]) not in shown:
                problems.append(f"the dashboard does not show {namespace} {stat['MetricName']}, which {name} looks at")
    return problems


@rule
def the_dashboard_names_what_there_is(template):
    known = set(template["Resources"]) | {"AWS::StackName", "AWS::Region"}
    return [f"{name} names {word}, which is no resource" for name, board in of_type(template, "AWS::CloudWatch::Dashboard").items()
            for word in re.findall(r"\$\{([\w:]+)", body(board)[0]) if word not in known | set(body(board)[1])]


class TheTemplate(unittest.TestCase):
    def test_the_template_follows_every_rule(self):
        for each in RULES:
            with self.subTest(rule=each.__name__):
                self.assertEqual(each(read_template()), [])


class ABrokenTemplate(unittest.TestCase):
    def setUp(self):
        self.template = copy.deepcopy(read_template())
        self.resources = self.template["Resources"]

    def properties(self, name):
        return self.resources[name]["Properties"]

    def assert_reports(self, check, words, *more):
        self.assertEqual(check(read_template()), [], "the rule must be silent about the template as it is")
        problems = check(self.template, *more)
        self.assertTrue(any(words in problem for problem in problems), f"{words!r} not reported, but: {problems}")

    def test_a_function_of_a_queue_without_alarms_is_reported(self):
        for alarm, words in (("DeliverErrorsAlarm", "Errors of DeliverFunction"), ("FanoutThrottlesAlarm", "Throttles of FanoutFunction"),
                             ("FanoutSlowAlarm", "Duration of FanoutFunction"), ("EventsLateAlarm", "waits in EventsQueue")):
            del self.resources[alarm]
            self.assert_reports(what_works_on_a_queue_is_watched, words)

    def test_records_that_nobody_counts_are_reported(self):
        self.properties("FailedDeliveriesMetric")["FilterPattern"] = '{ $.counted = "ignored" }'
        self.assert_reports(records_that_fail_are_counted_for_an_alarm, "DeliverFunction fails on")

    def test_a_schedule_whose_silence_is_no_alarm_is_reported(self):
        self.properties("RedriveStoppedAlarm")["TreatMissingData"] = "notBreaching"
        self.assert_reports(what_runs_by_the_clock_is_missed_when_it_stops, "RedriveFunction does not run")

    def test_an_api_without_an_alarm_is_reported(self):
        self.properties("ApiErrorsAlarm")["MetricName"] = "4xx"
        self.assert_reports(failed_requests_raise_an_alarm, "5xx of HttpApi")

    def test_an_alarm_that_wakes_nobody_is_reported(self):
        rule = self.properties("IllAlarm")["AlarmRule"]
        rule["Fn::Sub"] = rule["Fn::Sub"].replace('ALARM("${FanoutSlowAlarm}")', 'ALARM("${RejectedEventsAlarm}")')
        self.assert_reports(one_alarm_sums_up_the_others, "FanoutSlowAlarm wakes nobody")
        self.assert_reports(one_alarm_sums_up_the_others, "RejectedEventsAlarm wakes somebody")

    def test_an_alarm_without_a_section_is_reported(self):
        self.assert_reports(each_alarm_has_a_section_in_the_runbook, "no section for events-late", "### `…-ill`\n")
        self.assert_reports(each_alarm_has_a_section_in_the_runbook, "section for gone", "### `…-gone`\n")

    def test_an_alarm_that_says_nothing_is_reported(self):
        self.properties("IllAlarm")["AlarmDescription"] = "ill"
        self.assert_reports(each_alarm_says_what_to_do, "IllAlarm has 3 characters")

    def test_a_price_that_is_not_told_is_reported(self):
        self.properties("ApiErrorsAlarm")["AlarmName"] = "x"
        self.resources["Further"] = self.resources["ApiErrorsAlarm"]
        self.assert_reports(the_price_of_the_alarms_is_the_one_that_is_told, "does not say that the alarms")
        self.assert_reports(the_price_of_the_alarms_is_the_one_that_is_told, "may cost 4.99", "| **in all** | | **7.00** |")

    def test_a_price_of_metrics_that_is_not_told_is_reported(self):
        self.properties("KeyFailuresOfApi")["MetricTransformations"][0]["MetricName"] = "Another"
        self.assert_reports(the_price_of_our_metrics_is_the_one_that_is_told, "does not say that there are 18 metrics for 5.40")

    def test_a_metric_of_ours_that_is_not_shown_or_explained_is_reported(self):
        parts = body(self.properties("Dashboard"))
        parts[0] = parts[0].replace("EventsDuplicate", "EventsIgnored")
        self.assert_reports(each_metric_of_ours_is_shown_and_explained, "does not show EventsDuplicate")
        self.assert_reports(each_metric_of_ours_is_shown_and_explained, "does not explain EventLag", "`ColdStarts`")

    def test_what_is_counted_is_found_in_the_code(self):
        self.assertIn("EventsAccepted", our_metrics())
        self.assertEqual((len(our_metrics()), len(lanes())), (18, 7))

    def test_a_metric_that_is_not_shown_is_reported(self):
        parts = body(self.properties("Dashboard"))
        parts[0] = parts[0].replace("ApproximateAgeOfOldestMessage", "SentMessageSize")
        self.assert_reports(the_dashboard_shows_what_the_alarms_look_at, "AWS/SQS ApproximateAgeOfOldestMessage")

    def test_a_resource_that_is_not_there_is_reported(self):
        del self.resources["HttpApi"]
        self.assert_reports(the_dashboard_names_what_there_is, "HttpApi")


if __name__ == "__main__":
    unittest.main()
