"""Checks on template.yaml that the linter does not make. They find mistakes that show only at run time, or only in an emergency:
visibility against timeouts, batch settings, permissions, dead-letter queues, what protects the data, who may call which route.

Run: `python tools/template_test.py`, with a Python that has aws-sam-cli installed (its YAML reader knows `!Ref` and friends).
Each rule is a function from the parsed template to a list of problems, and has a test with a copy of the template that breaks
the rule. It does not repeat `sam validate --lint`, and deploys and calls nothing.
"""

import copy
import inspect
import json
import pathlib
import tempfile
import unittest

try:
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER
    from samcli.yamlhelper import yaml_parse
except ImportError as missing:
    raise SystemExit(f"template_test.py needs the Python of an aws-sam-cli installation (pip install aws-sam-cli): {missing}")

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOURTEEN_DAYS = 14 * 24 * 3600  # the longest SQS keeps a message
HTTP_API_TIMEOUT = 30           # seconds until API Gateway gives up on an integration
AUTHORIZER_TIMEOUT = 10         # seconds until it gives up on an authorizer

RULES = []


def rule(function):
    """Registers a rule, so that the template is checked against all of them."""
    RULES.append(function)
    return function


# ---- Reading the template ------------------------------------------------------------------------------------------------------

def of_type(template, kind):
    """Logical id -> properties, of all resources of one type."""
    return {name: resource.get("Properties", {}) for name, resource in template["Resources"].items() if resource["Type"] == kind}


def functions(template):
    return of_type(template, "AWS::Serverless::Function")


def queues(template):
    return of_type(template, "AWS::SQS::Queue")


def roles(template):
    return of_type(template, "AWS::IAM::Role")


def of_its_own(value):
    """What a stack uses that has no restored table."""
    return value["Fn::If"][2] if isinstance(value, dict) and value.get("Fn::If", [None])[0] == "TableIsRestored" else value


def target(value):
    """The logical id that `!Ref X` or `!GetAtt X.Attribute` names; None for anything else."""
    value = of_its_own(value)
    if not isinstance(value, dict):
        return None
    if "Fn::GetAtt" in value:
        attribute = value["Fn::GetAtt"]
        return attribute.split(".")[0] if isinstance(attribute, str) else attribute[0]
    return value.get("Ref")


def text(value):
    """The text of `!Sub "..."`, or of a plain string."""
    value = of_its_own(value)
    return value.get("Fn::Sub", "") if isinstance(value, dict) else value or ""


def listed(value):
    return value if isinstance(value, list) else [value]


def number(template, value):
    """A number, or the smallest value of the parameter that it refers to; None if it is not known to be a number."""
    parameter = template.get("Parameters", {}).get(target(value))
    if parameter is not None:
        value = parameter.get("MinValue")
    return value if isinstance(value, int) else None


def short_name(function):
    """`fanout` for `${AWS::StackName}-fanout`."""
    return text(function.get("FunctionName")).removeprefix("${AWS::StackName}-")


def mappings(template):
    """(function id, function, mapping, queue id) of everything that feeds a function from a queue."""
    for name, function in functions(template).items():
        for event in function.get("Events", {}).values():
            if event["Type"] == "SQS":
                yield name, function, event["Properties"], target(event["Properties"]["Queue"])


def schedules(template):
    """(function id, function, schedule) of everything that runs a function by the clock."""
    for name, function in functions(template).items():
        for event in function.get("Events", {}).values():
            if event["Type"] == "ScheduleV2":
                yield name, function, event["Properties"]


def statements(role):
    """What a role allows without a VPC, also if a parameter says so. What it allows only in a VPC is `vpc_statements`."""
    for policy in role.get("Policies", []):
        if "Fn::If" not in policy:
            for statement in listed(policy["PolicyDocument"]["Statement"]):
                yield statement.get("Fn::If", [None, statement])[1]


def vpc_statements(role):
    """(condition, statement) of what a role allows under a condition only."""
    for policy in role.get("Policies", []):
        if "Fn::If" in policy:
            condition, conditional, otherwise = policy["Fn::If"]
            assert target(otherwise) == "AWS::NoValue", "a role allows something unless a condition holds"
            yield from ((condition, statement) for statement in listed(conditional["PolicyDocument"]["Statement"]))


def allows(template, function, action, resource):
    """Whether a function's role allows exactly this action on exactly this resource of the template."""
    role = roles(template).get(target(function.get("Role")), {})
    return any(action in listed(statement["Action"]) and resource in [target(each) for each in listed(statement["Resource"])]
               for statement in statements(role) if statement["Effect"] == "Allow")


# What the access log may have of a request.
LOGGED = {f"$context.{name}" for name in (
    "requestTime", "requestId", "identity.sourceIp", "routeKey", "status", "responseLatency", "integrationErrorMessage", "authorizer.error",
    "authorizer.account")}

# ---- Rules: functions ----------------------------------------------------------------------------------------------------------

@rule
def each_function_has_a_role_of_its_own(template):
    problems, owners = [], {}
    for name, function in functions(template).items():
        role = target(function.get("Role"))
        if role not in roles(template):
            problems.append(f"{name} has no role of this template: SAM would make one with managed policies")
        elif role in owners:
            problems.append(f"{name} shares {role} with {owners[role]}")
        else:
            owners[role] = name
    return problems


@rule
def each_function_logs_to_a_group_of_its_own_with_retention(template):
    problems, owners = [], {}
    groups = of_type(template, "AWS::Logs::LogGroup")
    for name, function in functions(template).items():
        group = target(function.get("LoggingConfig", {}).get("LogGroup"))
        if group not in groups:
            problems.append(f"{name} has no log group of this template: Lambda would make one that is kept for ever")
            continue
        if group in owners:
            problems.append(f"{name} shares {group} with {owners[group]}")
        owners[group] = name
        if "RetentionInDays" not in groups[group]:
            problems.append(f"{group} has no retention: its logs are kept for ever")
        if text(groups[group].get("LogGroupName")) != f"/aws/lambda/${{AWS::StackName}}-{short_name(function)}":
            problems.append(f"{group} is not named after {name}, so nobody will look for its logs there")
        for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
            if not allows(template, function, action, group):
                problems.append(f"{name} lacks {action} on {group}: its logs would be lost without an error")
    return problems


@rule
def no_function_outlasts_the_api_in_front_of_it(template):
    problems = []
    limits = [(target(integration.get("IntegrationUri")), HTTP_API_TIMEOUT)
              for integration in of_type(template, "AWS::ApiGatewayV2::Integration").values()]
    limits += [(name, AUTHORIZER_TIMEOUT) for name in functions(template)
               for authorizer in of_type(template, "AWS::ApiGatewayV2::Authorizer").values()
               if f"${{{name}.Arn}}" in text(authorizer.get("AuthorizerUri"))]
    for name, limit in limits:
        timeout = functions(template).get(name, {}).get("Timeout")
        if timeout is None or timeout >= limit:
            problems.append(f"{name} may run for {timeout} s, but API Gateway gives up on it after {limit} s")
    return problems


@rule
def the_portal_knows_what_the_api_knows(template):
    """The API runs inside the portal. Without a variable it would not start, and with another value it would contradict the other API."""
    by_name = {short_name(function): function["Environment"]["Variables"] for function in functions(template).values() if "Environment" in function}
    return [f"portal has another {name} than api" for name, value in by_name["api"].items() if by_name["portal"].get(name) != value]


@rule
def who_knows_our_address_knows_the_public_one(template):
    """A function that refuses API Gateway's address must also refuse the public one, or customers could make the system call itself."""
    named, problems = {"Fn::If": ["HasPublicUrl", {"Ref": "PublicUrl"}, {"Fn::If": ["HasDomain", {"Fn::Sub": "https://${DomainName}"}, ""]}]}, []
    for name, function in functions(template).items():
        variables = function.get("Environment", {}).get("Variables", {})
        hosts = text(variables.get("OWN_HOSTS"))
        if hosts and variables.get("PUBLIC_URL") != named:
            problems.append(f"{name} knows OWN_HOSTS and no PUBLIC_URL that follows the parameters")
        if hosts and not ("${HttpApi}.execute-api." in hosts and hosts.endswith(",${DomainName}")):
            problems.append(f"{name} does not know all hosts of the API: {hosts}")
    return problems


@rule
def each_function_has_a_memory_of_its_own_and_by_default_the_one_that_the_figures_are_for(template):
    problems = []
    for name, function in functions(template).items():
        parameter = f"{name.removesuffix('Function')}Memory"
        if target(function.get("MemorySize")) != parameter or template["Parameters"].get(parameter, {}).get("Default") != 256:
            problems.append(f"{name} has not the memory {parameter}, which is 256 MB by default")
    return problems


# What an operator may add, each with what it is. Without it, a deployment has none of these.
OPTIONAL = {"AWS::ApiGatewayV2::DomainName", "AWS::ApiGatewayV2::ApiMapping", "AWS::Route53::RecordSet", "AWS::Budgets::Budget"}


@rule
def what_is_optional_is_off_by_default(template):
    problems = [f"{name} is there by default" for name, resource in template["Resources"].items()
                if resource["Type"] in OPTIONAL and is_there_by_default(template, resource.get("Condition"))]
    return problems + (["functions are in a VPC by default"] if is_there_by_default(template, "RunsInVpc") else [])


def each_function_has_a_sample_event(template, folder):
    """Not in RULES, because it also reads a folder."""
    problems = []
    for name, function in functions(template).items():
        samples = sorted(pathlib.Path(folder).glob(f"{short_name(function)}-*.json"))
        if not samples:
            problems.append(f"{name} has no sample: write events/{short_name(function)}-<case>.json")
        for sample in samples:
            try:
                json.loads(sample.read_text(encoding="utf-8"))
            except ValueError as error:
                problems.append(f"events/{sample.name} is not JSON: {error}")
    return problems


# The longest names, in characters, that resources named after the stack may have.
LONGEST = {("AWS::Serverless::Function", "FunctionName"): 64, ("AWS::SQS::Queue", "QueueName"): 80, ("AWS::SNS::Topic", "TopicName"): 256,
           ("AWS::CloudWatch::Alarm", "AlarmName"): 255, ("AWS::Logs::LogGroup", "LogGroupName"): 512, ("AWS::KMS::Alias", "AliasName"): 256,
           ("AWS::ApiGatewayV2::Api", "Name"): 128}
SCHEDULE_NAME = 64


def longest_stack_name(template):
    """The length of the longest stack name with which every name that contains it is short enough."""
    names = [(each.get(name), limit) for (kind, name), limit in LONGEST.items() for each in of_type(template, kind).values()]
    names += [(schedule.get("Name"), SCHEDULE_NAME) for _, _, schedule in schedules(template)]
    given = [("${AWS::StackName}" if target(name) == "AWS::StackName" else text(name), limit) for name, limit in names]
    return min(limit - len(name.replace("${AWS::StackName}", "")) for name, limit in given if "${AWS::StackName}" in name)


@rule
def names_leave_room_for_the_stacks_name(template):
    """A template cannot check the length of the stack's name, so too long a name is refused only when a resource is created."""
    longest = longest_stack_name(template)
    return [] if longest >= 53 else [f"the stack's name may have {longest} characters only; docs/deploying.md says 53"]


# What cannot have tags, and costs nothing by itself: docs/deploying.md says so.
UNTAGGED = {"AWS::ApiGatewayV2::ApiMapping", "AWS::ApiGatewayV2::Authorizer", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route",
            "AWS::KMS::Alias", "AWS::Lambda::Permission", "AWS::Logs::MetricFilter", "AWS::Route53::RecordSet", "AWS::SNS::Subscription",
            "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"}


def takes_the_stacks_tags(kind):
    """Whether CloudFormation passes the stack's tags on to resources of this type, by its own schema of the type."""
    kind = "AWS::Lambda::Function" if kind == "AWS::Serverless::Function" else kind
    return PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema.get("tagging", {}).get("taggable", True)


@rule
def what_costs_money_has_the_stacks_tags(template):
    kinds = {resource["Type"]: name for name, resource in template["Resources"].items()}
    return [f"{name} gets no tags of the stack" for kind, name in kinds.items() if kind not in UNTAGGED and not takes_the_stacks_tags(kind)]


# ---- Rules: permissions --------------------------------------------------------------------------------------------------------

@rule
def no_managed_policy_is_used(template):
    problems = [f"{name} has managed policies: they allow more than this stack's resources"
                for name, role in roles(template).items() if role.get("ManagedPolicyArns")]
    return problems + [f"{name} has SAM policies: write exact statements in its role instead"
                       for name, function in functions(template).items() if function.get("Policies")]


QUEUES = ("EventsQueue", "EventsDeadLetterQueue", "DeliveriesQueue", "DeliveriesDeadLetterQueue")
# IAM knows no resources for these two.
XRAY_ACTIONS = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
# The only stars in policies of the template: whose policy, the statement, and the value. Roles have them only if a parameter says so.
STARS = {
    # A queue refuses everybody, and whatever they do, without TLS.
    *((f"{queue}Policy", "TlsOnly", value) for queue in QUEUES for value in ("*", "sqs:*")),
    # A key's policy leaves everything to IAM. In it, the star means this key and cannot be written otherwise.
    *(("SecretsKey", "RolesOfThisAccountDecide", value) for value in ("*", "kms:*")),
    *((f"{function}Role", "RecordTraces", "*") for function in ("Fanout", "Deliver", "Api", "Portal", "Authorizer", "Redrive")),
    # Lambda connects functions to a VPC by actions that cannot be limited to resources; the functions' own code is denied all of them.
    *((f"{function}Role", sid, value) for function in ("Deliver", "Api", "Portal")
      for sid, value in (("ConnectToVpc", "*"), ("LambdaAlone", "ec2:*"), ("LambdaAlone", "*"))),
}


def policies(template):
    """(logical id, statement) of every policy: of roles, queues, topics and keys."""
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        inline = [policy.get("Fn::If", [None, policy])[1] for policy in properties.get("Policies", []) if isinstance(policy, dict)]
        documents = [policy["PolicyDocument"] for policy in inline]
        documents += [properties[each] for each in ("PolicyDocument", "KeyPolicy", "AssumeRolePolicyDocument") if each in properties]
        for document in documents:
            for statement in listed(document["Statement"]):
                yield from ((name, each) for each in (statement.get("Fn::If", [None, statement])[1:]) if "Effect" in each)


@rule
def there_is_no_star_but_those_with_a_reason(template):
    """A log group's ARN ends in `:*`, but `!GetAtt` hides that; every star that is written out is reported."""
    problems, found = [], set()
    for name, statement in policies(template):
        sid = statement.get("Sid", "a statement")
        if {"NotAction", "NotResource", "NotPrincipal"} & set(statement):
            problems.append(f"{name}: {sid} says what is left out instead of what is allowed")
        principals = [each for value in listed(statement.get("Principal", [])) for each in (value.values() if isinstance(value, dict) else [value])]
        for part in ("Action", "Resource", "Principal"):
            values = [each for value in principals for each in listed(value)] if part == "Principal" else listed(statement.get(part, []))
            for star in [text(value) for value in values if "*" in text(value)]:
                found.add((name, sid, star))
                if (name, sid, star) not in STARS:
                    problems.append(f"{name}: {sid} has a star as {part}: {star}")
    return problems + [f"{name}: {sid} has no {star} any more, which STARS lists" for name, sid, star in sorted(STARS - found)]


@rule
def traces_are_recorded_of_all_functions_or_of_none(template):
    """None by default, because X-Ray bills each trace. With the parameter, each function has the permission: without it, Lambda refuses."""
    problems = []
    if template["Globals"]["Function"].get("Tracing") != {"Fn::If": ["XRayIsOn", "Active", "PassThrough"]}:
        problems.append("Globals do not turn X-Ray on and off for all functions")
    is_on = {"Fn::Equals": [{"Ref": "XRayTracing"}, "true"]}
    if template["Conditions"].get("XRayIsOn") != is_on or template["Parameters"]["XRayTracing"].get("Default") != "false":
        problems.append("X-Ray is not off by default, or XRayTracing does not turn it on")
    wanted = {"Sid": "RecordTraces", "Effect": "Allow", "Action": XRAY_ACTIONS, "Resource": "*"}
    conditional = {"Fn::If": ["XRayIsOn", wanted, {"Ref": "AWS::NoValue"}]}
    for name, function in functions(template).items():
        if "Tracing" in function:
            problems.append(f"{name} has a tracing mode of its own")
        policies = roles(template).get(target(function.get("Role")), {}).get("Policies", [])
        if not any(conditional in listed(policy.get("PolicyDocument", {}).get("Statement", [])) for policy in policies):
            problems.append(f"{name} may not record traces while X-Ray is on, or may while it is off")
    return problems


@rule
def events_are_stored_compact_only_if_the_operator_says_so(template):
    """Version 0.2.0 cannot read compact events, and a rollback to it must lose nothing."""
    problems = []
    if template["Parameters"].get("CompactEvents", {}).get("Default") != "false":
        problems.append("CompactEvents is not false by default")
    if target(functions(template)["FanoutFunction"]["Environment"]["Variables"].get("COMPACT_EVENTS")) != "CompactEvents":
        problems.append("FanoutFunction does not follow CompactEvents")
    return problems


@rule
def each_function_may_use_the_queue_that_feeds_it(template):
    return [f"{name} lacks {action} on {queue}: its mapping would receive nothing"
            for name, function, _, queue in mappings(template)
            for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
            if not allows(template, function, action, queue)]


def allowed_on(template, service):
    """Role -> every (action, resource) of one service that it allows."""
    return {name: {(action, target(resource) or text(resource)) for statement in statements(role) if statement["Effect"] == "Allow"
                   for action in listed(statement["Action"]) if action.startswith(f"{service}:") for resource in listed(statement["Resource"])}
            for name, role in roles(template).items()}


@rule
def functions_receive_from_the_queue_that_feeds_them_and_from_no_other(template):
    """The local AWS does not ask for what a mapping needs, so the test `least_privilege` cannot show that none of it is there in vain."""
    needed = {(target(function.get("Role")), action, queue) for _, function, _, queue in mappings(template)
              for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility")}
    return [f"{role} may {action} on {on}, which does not feed its function" for role, allowed in allowed_on(template, "sqs").items()
            for action, on in sorted(allowed) if action != "sqs:SendMessage" and (role, action, on) not in needed]


@rule
def functions_write_to_their_own_logs_and_do_nothing_else_there(template):
    """The local AWS does not ask for these either."""
    groups = {target(function.get("Role")): target(function.get("LoggingConfig", {}).get("LogGroup")) for function in functions(template).values()}
    return [f"{role} may {action} on {on}, which its function does not need to log" for role, allowed in allowed_on(template, "logs").items()
            for action, on in sorted(allowed) if action not in ("logs:CreateLogStream", "logs:PutLogEvents") or on != groups.get(role)]


@rule
def each_function_may_change_the_visibility_of_what_it_receives(template):
    """Short retries, and records that failed through our fault, need it. SAM's own policy allows receiving and deleting, but not this."""
    return [f"{name} lacks sqs:ChangeMessageVisibility on {queue}: short retries would wait for the full visibility timeout"
            for name, function, _, queue in mappings(template)
            if not allows(template, function, "sqs:ChangeMessageVisibility", queue)]


# The functions that make signing secrets and sign tests, or that sign deliveries.
DECRYPTING = ("api", "portal", "deliver")


@rule
def only_those_who_sign_may_decrypt(template):
    """Whoever may decrypt can read every customer's signing secret."""
    problems = []
    readers = {target(function.get("Role")): short_name(function) for function in functions(template).values()}
    for name, role in roles(template).items():
        decrypts = any(action in ("kms:Decrypt", "kms:*", "*") for statement in statements(role)
                       for action in listed(statement.get("Action", [])))
        if decrypts and readers.get(name) not in DECRYPTING:
            problems.append(f"{name} may decrypt secrets, but belongs to {readers.get(name, 'no function')}")
    for function in functions(template).values():
        if short_name(function) in DECRYPTING:
            if not any(allows(template, function, "kms:Decrypt", key) for key in of_type(template, "AWS::KMS::Key")):
                problems.append(f"{short_name(function)} may not decrypt with a key of this template")
    return problems


@rule
def deliveries_are_sent_by_those_who_owe_or_repeat_them_alone(template):
    """fanout sends what an event owes, redrive what is due, api and portal what somebody requests. deliver leaves its messages in the queue."""
    queue = next((queue for _, function, _, queue in mappings(template) if short_name(function) == "deliver"), None)
    problems = []
    for name, function in functions(template).items():
        sends = allows(template, function, "sqs:SendMessage", queue)
        if sends != (short_name(function) in ("fanout", "redrive", "api", "portal")):
            problems.append(f"{name} {'may' if sends else 'may not'} send to {queue}")
    return problems


def allowed_pairs(template, function):
    """Every (action, resource) that a function's role allows, except for its own logs."""
    role = roles(template).get(target(function.get("Role")), {})
    return {(action, target(resource) or text(resource)) for statement in statements(role) if statement["Effect"] == "Allow"
            for action in listed(statement["Action"]) for resource in listed(statement["Resource"]) if not action.startswith("logs:")}


# What the API may do and the page may not: the first is needed to create keys and links, the second to publish events.
OPERATORS_AND_PRODUCERS = {("dynamodb:ConditionCheckItem", "Table"), ("sqs:SendMessage", "EventsQueue")}


@rule
def the_portal_may_do_what_the_api_does_for_customers(template):
    """The API runs inside the portal. A permission that it does not need would only help someone who breaks into the public page."""
    by_name = {short_name(function): allowed_pairs(template, function) for function in functions(template).values()}
    page, api = by_name["portal"], by_name["api"] - OPERATORS_AND_PRODUCERS
    return [f"portal may {action} on {resource}, which it does not need" for action, resource in sorted(page - api)] \
        + [f"portal lacks {action} on {resource}: a page would fail" for action, resource in sorted(api - page)]


# What Lambda needs to connect a function to a VPC, after the guide of AWS. None of them can be limited to a resource.
CONNECTING = {"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface",
              "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"}


@rule
def who_calls_destinations_can_run_in_a_vpc_and_nobody_else(template):
    """Tests of destinations are made by api and portal, and have to come from the same addresses as deliveries. The permissions are there only
    with a VPC, and for Lambda alone: code of the function may not use them."""
    problems = []
    for name, function in functions(template).items():
        role = roles(template).get(target(function.get("Role")), {})
        calls = "ALLOWED_CIDRS" in function.get("Environment", {}).get("Variables", {})
        vpc = {"Fn::If": ["RunsInVpc", {"SubnetIds": {"Ref": "VpcSubnets"}, "SecurityGroupIds": {"Ref": "VpcSecurityGroups"}}, {"Ref": "AWS::NoValue"}]}
        if function.get("VpcConfig") != (vpc if calls else None):
            problems.append(f"{name} {'cannot run in a VPC' if calls else 'is in a VPC, but calls no destination'}")
        conditional = list(vpc_statements(role))
        itself = f"function:{text(function.get('FunctionName'))}"
        allowed = {action for condition, each in conditional if (condition, each["Effect"]) == ("RunsInVpc", "Allow") for action in each["Action"]}
        denied = [condition for condition, each in conditional if (each["Effect"], each["Action"], each["Resource"]) == ("Deny", "ec2:*", "*")
                  and text(each["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"]).endswith(itself)]
        if len(conditional) != (2 if calls else 0) or allowed != (CONNECTING if calls else set()) or denied != (["RunsInVpc"] if calls else []):
            problems.append(f"{name} may do something else in a VPC than Lambda needs, or its code may: {sorted(allowed ^ CONNECTING)}")
    return problems


# ---- Rules: queue mappings -----------------------------------------------------------------------------------------------------

@rule
def visibility_is_six_timeouts(template):
    """Lambda's own rule: with less, messages become visible again while an invocation that holds them is still being retried."""
    problems = []
    for name, function, _, queue in mappings(template):
        visibility, timeout = queues(template).get(queue, {}).get("VisibilityTimeout", 30), function.get("Timeout", 3)
        if visibility < 6 * timeout:
            problems.append(f"{queue} hides messages for {visibility} s, but {name} may run for {timeout} s: make it {6 * timeout}")
    return problems


@rule
def batches_are_small_and_never_waited_for(template):
    problems = []
    for name, _, mapping, _ in mappings(template):
        if mapping.get("BatchSize", 10) > 10:
            problems.append(f"{name} has batches of {mapping['BatchSize']}: more than 10 need a window")
        if mapping.get("MaximumBatchingWindowInSeconds", 0) != 0:
            problems.append(f"{name} waits for batches to fill: with little traffic, events would be late")
    return problems


@rule
def partial_batch_responses_are_on(template):
    return [f"{name} lacks ReportBatchItemFailures: what it reports as failed would be deleted"
            for name, _, mapping, _ in mappings(template)
            if "ReportBatchItemFailures" not in mapping.get("FunctionResponseTypes", [])]


@rule
def concurrency_is_bounded(template):
    problems = []
    for name, _, mapping, _ in mappings(template):
        least = number(template, mapping.get("ScalingConfig", {}).get("MaximumConcurrency"))
        if least is None or least < 2:
            problems.append(f"{name} has no MaximumConcurrency that is always 2 or more (found {least}): AWS refuses less")
    return problems


# ---- Rules: schedules ----------------------------------------------------------------------------------------------------------

@rule
def a_schedule_may_run_its_function_and_nothing_else(template):
    """Without a role of the template, SAM would make one that no rule checks."""
    problems = []
    for name, _, schedule in schedules(template):
        role = roles(template).get(target(schedule.get("RoleArn")), {})
        allowed = [(action, target(resource)) for statement in statements(role)
                   for action in listed(statement["Action"]) for resource in listed(statement["Resource"])]
        if allowed != [("lambda:InvokeFunction", name)]:
            problems.append(f"the schedule of {name} has no role that allows only running it: {allowed}")
    return problems


@rule
def runs_by_the_clock_do_not_overlap_or_repeat(template):
    """Two runs at once do no harm, but are useless: the run of the next minute is the retry."""
    problems = []
    for name, function, schedule in schedules(template):
        if schedule.get("ScheduleExpression") != "rate(1 minute)" or function.get("Timeout", 3) > 60:
            problems.append(f"{name} may run for {function.get('Timeout', 3)} s, but its next run starts after a minute")
        for settings in (function.get("EventInvokeConfig", {}), schedule.get("RetryPolicy", {})):
            if settings.get("MaximumRetryAttempts") != 0:
                problems.append(f"{name} is run again after a failure, in addition to its next run")
    return problems


@rule
def each_scheduled_function_has_an_alarm(template):
    """Nobody waits for its answer, so nothing else would show that it fails."""
    watched = {target(dimension["Value"]) for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
               for dimension in alarm.get("Dimensions", [])
               if (alarm.get("Namespace"), alarm.get("MetricName"), alarm.get("Threshold")) == ("AWS/Lambda", "Errors", 0)
               and alarm.get("ComparisonOperator") == "GreaterThanThreshold" and alarm.get("TreatMissingData") == "notBreaching"}
    return [f"{name} has no alarm on its errors" for name, *_ in schedules(template) if name not in watched]


# ---- Rules: queues -------------------------------------------------------------------------------------------------------------

@rule
def queues_that_feed_a_function_have_a_dead_letter_queue(template):
    problems = []
    for _, _, _, queue in mappings(template):
        properties = queues(template).get(queue, {})
        redrive = properties.get("RedrivePolicy", {})
        dead_letters = target(redrive.get("deadLetterTargetArn"))
        if dead_letters not in queues(template):
            problems.append(f"{queue} has no dead-letter queue of this template: a message that always fails would be lost")
            continue
        if int(redrive.get("maxReceiveCount", 0)) < 20:
            problems.append(f"{queue} gives up after {redrive.get('maxReceiveCount')} receives: throttling alone can use those up")
        kept = queues(template)[dead_letters].get("MessageRetentionPeriod", 0)
        if kept < FOURTEEN_DAYS:
            problems.append(f"{dead_letters} keeps messages for {kept} s: their age counts from when they were first sent")
        allowed = queues(template)[dead_letters].get("RedriveAllowPolicy", {})
        sources = [text(source) for source in allowed.get("sourceQueueArns", [])]
        alone = len(sources) == 1 and sources[0].endswith(f"${{AWS::AccountId}}:{text(properties.get('QueueName'))}")
        if allowed.get("redrivePermission") != "byQueue" or not alone:
            problems.append(f"{dead_letters} does not take messages from {queue} alone")
    return problems


@rule
def queues_refuse_connections_without_tls(template):
    """The policies let nobody do anything but send events, so that IAM alone decides who may use the queues."""
    refusing, problems = set(), []
    for name, policy in of_type(template, "AWS::SQS::QueuePolicy").items():
        if not is_there_by_default(template, template["Resources"][name].get("Condition")):
            continue
        for statement in policy["PolicyDocument"]["Statement"]:
            statement = statement.get("Fn::If", [None, statement])[1]
            if statement["Effect"] == "Allow":
                if (statement["Action"], statement["Principal"]) != ("sqs:SendMessage", {"AWS": {"Ref": "ProducerAccounts"}}):
                    problems.append(f"{name} lets {statement['Principal']} do {statement['Action']}")
            elif (statement["Principal"], statement["Action"]) == ("*", "sqs:*") and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}:
                refusing |= {target(queue) for queue in policy["Queues"]} & {target(statement["Resource"])}
    return problems + [f"{name} takes requests without TLS" for name in sorted(set(queues(template)) - refusing)]


@rule
def queues_are_encrypted(template):
    return [f"{name} is not encrypted at rest" for name, queue in queues(template).items()
            if queue.get("SqsManagedSseEnabled") is not True and "KmsMasterKeyId" not in queue]


def dead_letter_queues(template):
    return {target(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn")) for queue in queues(template).values()} - {None}


@rule
def dead_letter_queues_hold_what_sqs_moved_alone(template):
    """A message that somebody sent to the dead-letter queue makes SQS refuse the redrive of the whole queue."""
    problems = []
    for queue in sorted(dead_letter_queues(template)):
        problems += [f"{name} may send to {queue}, whose redrive would fail" for name, function in functions(template).items()
                     if allows(template, function, "sqs:SendMessage", queue)]
        problems += [f"{name} is told the address of {queue} by {variable}" for name, function in functions(template).items()
                     for variable, value in function.get("Environment", {}).get("Variables", {}).items() if target(value) == queue]
    return problems


# The number of new messages. Messages that were there before do not count, even if somebody is reading them.
ARRIVALS = "DIFF(FILL(visible, 0) + FILL(hidden, 0))"
WHERE_MESSAGES_ARE = {"visible": "ApproximateNumberOfMessagesVisible", "hidden": "ApproximateNumberOfMessagesNotVisible"}


def queue_of_arrivals(alarm):
    """The dead-letter queue whose new messages an alarm watches."""
    metrics = {metric["Id"]: metric for metric in alarm.get("Metrics", [])}
    looked_at = {metric.get("Expression") for metric in metrics.values() if metric.get("ReturnData", True)}
    found = {identity: metrics.get(identity, {}).get("MetricStat", {}).get("Metric", {}) for identity in WHERE_MESSAGES_ARE}
    watched = {target(dimension["Value"]) for metric in found.values() for dimension in metric.get("Dimensions", [])}
    right = looked_at == {ARRIVALS} and {identity: metric.get("MetricName") for identity, metric in found.items()} == WHERE_MESSAGES_ARE
    first = (alarm.get("Threshold"), alarm.get("ComparisonOperator"), alarm.get("TreatMissingData")) == (0, "GreaterThanThreshold", "notBreaching")
    return watched.pop() if right and first and len(watched) == 1 and alarm.get("DatapointsToAlarm") == 1 else None


@rule
def each_dead_letter_queue_has_an_alarm_on_what_comes(template):
    watched = {queue_of_arrivals(alarm) for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items()
               if is_there_by_default(template, template["Resources"][name].get("Condition"))}
    return [f"{name} has no alarm on each new message" for name in sorted(dead_letter_queues(template) - watched)]


def is_there_by_default(template, condition):
    """Whether a resource with this condition, if any, is created with the default parameters."""
    if condition is None:
        return True
    rule_of = template["Conditions"][condition]
    inverted = "Fn::Not" in rule_of
    compared, value = (rule_of["Fn::Not"][0] if inverted else rule_of)["Fn::Equals"]
    parameter = target(compared["Fn::Select"][1] if "Fn::Select" in compared else compared)
    return (template["Parameters"].get(parameter, {}).get("Default") == value) != inverted


# Metrics of what is in a queue. Messages stay in a dead-letter queue until somebody acts; an alarm on one of these metrics would stay on
# as long, and hide what comes next. In the queues that functions work on, they fall by themselves.
LEVELS = ("ApproximateNumberOfMessages", "ApproximateAgeOfOldestMessage")


@rule
def each_alarm_can_fire_again(template):
    return [f"{name} looks at {alarm['MetricName']}, which stays above its threshold until somebody acts"
            for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items() if str(alarm.get("MetricName")).startswith(LEVELS)
            and {target(each["Value"]) for each in alarm["Dimensions"]} & dead_letter_queues(template)]


@rule
def rejected_events_raise_an_alarm(template):
    """fanout acknowledges rejected events, so nothing else would report them."""
    counted = {(target(each["LogGroupName"]), each["FilterPattern"]) for each in of_type(template, "AWS::Logs::MetricFilter").values()}
    return [f"no metric counts what {name} rejects" for name, function in functions(template).items() if short_name(function) == "fanout"
            and (target(function["LoggingConfig"]["LogGroup"]), '{ $.counted = "rejected" }') not in counted]


@rule
def no_log_level_hides_what_alarms_count(template):
    """Lines with a field `counted` that an alarm watches are at WARN or ERROR, and Lambda drops lines below LogLevel."""
    return [f"LogLevel may be {level}" for level in template["Parameters"]["LogLevel"]["AllowedValues"] if level in ("ERROR", "FATAL")]


# ---- Rules: alerts -------------------------------------------------------------------------------------------------------------

def topics(template):
    return of_type(template, "AWS::SNS::Topic")


def topics_that_run_functions(template):
    """The topics that functions are subscribed to, each with its functions."""
    found = {}
    for name, function in functions(template).items():
        for event in function.get("Events", {}).values():
            if event["Type"] == "SNS":
                found.setdefault(target(event["Properties"]["Topic"]), []).append(name)
    return found


@rule
def every_alarm_tells_people(template):
    """An alarm without a target only changes its colour in the console."""
    return [f"{name} tells nobody" for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items()
            if alarm.get("ActionsEnabled", True) is not True
            or not {target(action) for action in alarm.get("AlarmActions", [])} & set(topics(template))]


def topics_of_alarms(template):
    return {target(action) for alarm in of_type(template, "AWS::CloudWatch::Alarm").values() for action in alarm.get("AlarmActions", [])}


def admissions(template, topic):
    """Statements of topics' policies about this topic."""
    return [statement for policy in of_type(template, "AWS::SNS::TopicPolicy").values() if topic in {target(each) for each in policy["Topics"]}
            for statement in listed(policy["PolicyDocument"]["Statement"]) if topic in {target(each) for each in listed(statement["Resource"])}]


@rule
def alarms_reach_the_topic(template):
    """If CloudWatch may not publish an alarm, or not encrypt it, the alarm is lost without an error."""
    problems = []
    for name in sorted(topics_of_alarms(template)):
        admitted = False
        for statement in admissions(template, name):
            ours = statement.get("Condition") == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
            if statement.get("Principal") != {"Service": "cloudwatch.amazonaws.com"} or not ours:
                problems.append(f"{statement.get('Sid', 'a statement')} admits others than the alarms of this AWS account")
            elif (statement["Effect"], statement["Action"]) == ("Allow", "sns:Publish"):
                admitted = True
        if not admitted:
            problems.append(f"CloudWatch may not publish to {name}")
        key = topics(template)[name].get("KmsMasterKeyId")
        if key is not None and target(key) not in of_type(template, "AWS::KMS::Key"):
            problems.append(f"{name} is encrypted with a key that CloudWatch may not use")
    return problems


@rule
def others_may_not_publish_to_a_topic(template):
    """Without a policy of its own, a topic lets everybody in the AWS account publish."""
    problems = []
    for name in sorted(set(topics(template)) - topics_of_alarms(template)):
        principals = [statement["Principal"] for statement in admissions(template, name)]
        if principals != [{"AWS": {"Fn::GetAtt": ["RedriveRole", "Arn"]}}]:
            problems.append(f"others than redrive may publish to {name}")
    return problems


def publishes(template, function, topic):
    """Whether the topic's policy lets the function publish. Within one AWS account that is enough, so no role repeats it."""
    return any((statement["Effect"], statement["Action"]) == ("Allow", "sns:Publish")
               and statement["Principal"] == {"AWS": {"Fn::GetAtt": [target(function["Role"]), "Arn"]}} for statement in admissions(template, topic))


@rule
def reports_of_receivers_have_a_topic_of_their_own(template):
    """Whoever is woken by alarms must not be woken by a customer's receiver."""
    told = {target(function.get("Environment", {}).get("Variables", {}).get("ALERTS_TOPIC_ARN")) for function in functions(template).values()} - {None}
    return [f"{name} gets alarms and reports of receivers" for name in sorted(told & topics_of_alarms(template))]


@rule
def work_is_handed_out_by_the_function_that_does_it(template):
    """Anyone else who may publish could run the function. If the function may not publish, it does all the work alone."""
    problems = []
    for topic, names in topics_that_run_functions(template).items():
        admitted = [listed(statement.get("Principal", {}).get("AWS") if isinstance(statement.get("Principal"), dict) else statement.get("Principal"))
                    for policy in of_type(template, "AWS::SNS::TopicPolicy").values() if topic in {target(each) for each in policy["Topics"]}
                    for statement in listed(policy["PolicyDocument"]["Statement"])]
        for name in names:
            function = functions(template)[name]
            role = target(function["Role"])
            if [[target(each) if isinstance(each, dict) else each for each in principals] for principals in admitted] != [[role]]:
                problems.append(f"{topic} admits others than {role}, or everybody")
            if not publishes(template, function, topic):
                problems.append(f"{name} lacks sns:Publish on {topic}")
            if function.get("EventInvokeConfig", {}).get("MaximumRetryAttempts") != 0:
                problems.append(f"{name} is run again with work that the next minute hands out anyway")
    return problems


@rule
def nothing_is_allowed_twice(template):
    """What a topic's policy allows a role, the role does not need: taking one of the two away would change nothing."""
    return [f"{name} may sns:Publish on {topic} by the topic's policy as well" for name, allowed in allowed_on(template, "sns").items()
            for _, topic in sorted(allowed) for statement in admissions(template, topic)
            if statement["Principal"] == {"AWS": {"Fn::GetAtt": [name, "Arn"]}}]


@rule
def metric_filters_feed_an_alarm_or_the_dashboard(template):
    """A metric that nobody looks at costs money and reports nothing; an alarm on a metric that nothing feeds never fires. No alarm is on
    a metric by its dimensions, so such a metric is for the dashboard."""
    shown = "".join(str(each["DashboardBody"]) for each in of_type(template, "AWS::CloudWatch::Dashboard").values())
    parts = {each["MetricName"] for metric in of_type(template, "AWS::Logs::MetricFilter").values() for each in metric["MetricTransformations"] if "Dimensions" in each}

    def name_of(properties):
        return (text(properties.get("MetricNamespace", properties.get("Namespace"))), properties.get("MetricName"))
    fed = {name_of(each) for metric in of_type(template, "AWS::Logs::MetricFilter").values() for each in metric["MetricTransformations"]}
    own = {name_of(alarm): name for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items()
           if "Namespace" in alarm and not str(alarm["Namespace"]).startswith("AWS/")}
    problems = [f"{name} is on a metric that no filter feeds" for metric, name in own.items() if metric not in fed]
    return problems + [f"nothing looks at {metric[1]}" for metric in sorted(fed - set(own), key=str) if metric[1] not in parts or metric[1] not in shown]


@rule
def redrive_may_tell_people_and_other_systems(template):
    problems = []
    for name, function in functions(template).items():
        variables = function.get("Environment", {}).get("Variables", {})
        if "ALERTS_TOPIC_ARN" not in variables:
            continue
        topic, queue = target(variables.get("ALERTS_TOPIC_ARN")), target(variables.get("EVENTS_QUEUE_URL"))
        if topic not in topics(template) or not publishes(template, function, topic):
            problems.append(f"{name} lacks sns:Publish on what ALERTS_TOPIC_ARN names")
        if queue not in queues(template) or not allows(template, function, "sqs:SendMessage", queue):
            problems.append(f"{name} lacks sqs:SendMessage on what EVENTS_QUEUE_URL names")
    return problems


# ---- Rules: data ---------------------------------------------------------------------------------------------------------------

@rule
def tables_expire_recover_and_resist_deletion(template):
    problems = []
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        if table.get("TimeToLiveSpecification") != {"AttributeName": "expires_at", "Enabled": True}:
            problems.append(f"{name} does not expire items by expires_at: it would grow for ever")
        if table.get("PointInTimeRecoverySpecification", {}).get("PointInTimeRecoveryEnabled") is not True:
            problems.append(f"{name} has no point-in-time recovery")
        protection = table.get("DeletionProtectionEnabled")
        condition, *outcome = protection.get("Fn::If", [None]) if isinstance(protection, dict) else [None]
        follows = template.get("Conditions", {}).get(condition) == {"Fn::Equals": [{"Ref": "DeletionProtection"}, "true"]}
        if not follows or outcome != [True, False] or template["Parameters"]["DeletionProtection"].get("Default") != "true":
            problems.append(f"{name} is not protected from deletion unless the parameter DeletionProtection says otherwise")
    return problems


def named_tables(value):
    """(expression, whether another table can take its place) of all that names the stack's own table."""
    if isinstance(value, list):
        for each in value:
            yield from named_tables(each)
    elif isinstance(value, dict):
        condition, *outcomes = listed(value.get("Fn::If"))
        if condition == "TableIsRestored":
            restored, own = outcomes
            arn = "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${RestoredTable}"
            expected = {"Ref": "RestoredTable"} if own == {"Ref": "Table"} else {"Fn::Sub": arn + text(own).removeprefix("${Table.Arn}")}
            yield own, restored == expected
        elif target(value) == "Table" or "${Table}" in str(value.get("Fn::Sub")) or "${Table." in str(value.get("Fn::Sub")):
            yield value, False
        else:
            for each in value.values():
                yield from named_tables(each)


@rule
def a_restored_table_takes_the_place_of_the_own_one_everywhere(template):
    """Otherwise some functions would go on with the table that was given up, or may not use the other one."""
    problems = []
    for part in ("Globals", "Resources", "Outputs"):
        for name, definition in template[part].items():
            problems += [f"{name} names the table by {own}, whether or not another one is in use" for own, follows in named_tables(definition) if not follows]
    parameter = template["Parameters"].get("RestoredTable", {})
    follows = template["Conditions"].get("TableIsRestored") == {"Fn::Not": [{"Fn::Equals": [{"Ref": "RestoredTable"}, ""]}]}
    return problems if parameter.get("Default") == "" and follows else [*problems, "the own table is not in use by default"]


# Resources that stay when the stack is deleted. A first deployment that fails may delete them, except a protected table: it would
# refuse that, and leave the stack in ROLLBACK_FAILED.
HOLDS_DATA = {"AWS::SQS::Queue": "RetainExceptOnCreate", "AWS::KMS::Key": "RetainExceptOnCreate", "AWS::DynamoDB::Table": "Retain"}


@rule
def what_holds_data_outlives_the_stack(template):
    problems = []
    for name, resource in template["Resources"].items():
        wanted = HOLDS_DATA.get(resource["Type"])
        if wanted and resource.get("DeletionPolicy") != wanted:
            problems.append(f"{name} has the DeletionPolicy {resource.get('DeletionPolicy', 'Delete')}: make it {wanted}")
        if wanted and resource.get("UpdateReplacePolicy") != "Retain":
            problems.append(f"{name} would be lost in a replacement")
    return problems


def the_documented_deployment_protects_the_stack(readme):
    """Not in RULES, because a template cannot switch termination protection on."""
    deployment = readme.partition("## Deploying to AWS")[2].partition("```console")[2].partition("```")[0]
    protects = "aws cloudformation update-termination-protection --enable-termination-protection --stack-name"
    return [] if "sam deploy" in deployment.partition(protects)[0] and protects in deployment else ["the README's commands leave the stack unprotected"]


def the_stack_policy_protects_what_holds_data(template, policy):
    """Not in RULES, because a policy is no part of a template."""
    denied = {resource for each in policy["Statement"] if each["Effect"] == "Deny" and set(each["Action"]) == {"Update:Replace", "Update:Delete"}
              for resource in listed(each["Resource"])}
    wanted = {f"LogicalResourceId/{name}" for name, resource in template["Resources"].items() if resource["Type"] in HOLDS_DATA}
    problems = [f"the stack policy does not protect {name}" for name in sorted(wanted - denied)]
    problems += [f"the stack policy protects {name}, which holds no data" for name in sorted(denied - wanted)]
    rest = {"Effect": "Allow", "Principal": "*", "Action": "Update:*", "Resource": "*"}
    return problems if rest in policy["Statement"] else [*problems, "the stack policy denies every other update, too"]


@rule
def indexes_are_narrow_and_read_by_those_who_need_them_alone(template):
    """Each index bills a write again, by the size of what it projects. All attributes of an event may be hundreds of kilobytes."""
    problems = []
    for name, table in of_type(template, "AWS::DynamoDB::Table").items():
        for index in table.get("GlobalSecondaryIndexes", []):
            arn, attributes = f"${{{name}.Arn}}/index/{index['IndexName']}", index["Projection"].get("NonKeyAttributes", [])
            if index["Projection"]["ProjectionType"] == "ALL" or {"body", "owed", "attempts"} & set(attributes):
                problems.append(f"{index['IndexName']} projects more than a list shows")
            if {key["AttributeName"] for key in index["KeySchema"]} & {"pk", "sk", "expires_at", *attributes}:
                problems.append(f"{index['IndexName']} has keys that rows have for another reason: it would not be sparse")
            for function in functions(template).values():
                role = roles(template).get(target(function.get("Role")), {})
                reads = any(arn in [text(each) for each in listed(statement["Resource"])] for statement in statements(role))
                readers = {"events-by-account": ("api", "portal", "redrive"), "waiting": ("redrive",)}[index["IndexName"]]
                if reads != (short_name(function) in readers):
                    problems.append(f"{short_name(function)} {'may' if reads else 'may not'} read {index['IndexName']}")
    return problems


@rule
def rows_that_cannot_be_read_are_counted_in_every_log(template):
    counted = {
        target(each["LogGroupName"])
        for each in of_type(template, "AWS::Logs::MetricFilter").values()
        if '$.counted = "unreadable_row"' in each["FilterPattern"]
    }
    logs = ((function, target(function["LoggingConfig"]["LogGroup"])) for function in functions(template).values())
    return [f"nobody is told of a row that {short_name(function)} cannot read" for function, log in logs if log not in counted]


@rule
def calls_of_kms_that_fail_are_counted_where_they_are_made(template):
    """KMS has no metric for them, and whoever opened the data key before notices nothing."""
    counted = {target(each["LogGroupName"]) for each in of_type(template, "AWS::Logs::MetricFilter").values() if '$.counted = "key_failed"' in each["FilterPattern"]}
    users = (function for name, function in functions(template).items() for key in of_type(template, "AWS::KMS::Key") if allows(template, function, "kms:Decrypt", key))
    return [f"nobody is told that KMS refuses {short_name(user)}" for user in users if target(user["LoggingConfig"]["LogGroup"]) not in counted]


@rule
def an_authorizer_that_fails_raises_an_alarm(template):
    watched = {target(dimension["Value"]) for alarm in of_type(template, "AWS::CloudWatch::Alarm").values() if alarm.get("MetricName") == "Errors"
               for dimension in alarm["Dimensions"]}
    asked = [name for name in functions(template) for authorizer in of_type(template, "AWS::ApiGatewayV2::Authorizer").values()
             if f"${{{name}.Arn}}" in text(authorizer["AuthorizerUri"])]
    return [f"no alarm is on Errors of {name}, without which nobody gets in" for name in asked if name not in watched]


@rule
def who_needs_several_rows_at_once_alone_reads_in_batches(template):
    """Ledger and roll-ups are computed from thousands of rows, a destination is read with its health, and a batch of events is looked up
    with one call. The authorizer reads only a few rows."""
    problems = []
    for function in functions(template).values():
        role = roles(template).get(target(function.get("Role")), {})
        reads = any("dynamodb:BatchGetItem" in listed(statement["Action"]) for statement in statements(role))
        if reads != (short_name(function) in ("api", "portal", "redrive", "deliver", "fanout")):
            problems.append(f"{short_name(function)} {'may' if reads else 'may not'} read rows in batches")
    return problems


@rule
def who_writes_first_rows_may_insert_and_no_statement_does_more(template):
    """Seals and first rows of deliveries are inserted together. Nothing else is done by statements."""
    problems = []
    for function in functions(template).values():
        role = roles(template).get(target(function.get("Role")), {})
        allowed = {action for statement in statements(role) for action in listed(statement["Action"])}
        by_statement = sorted(action for action in allowed if action.startswith("dynamodb:PartiQL"))
        if by_statement != (["dynamodb:PartiQLInsert"] if "dynamodb:PutItem" in allowed else []):
            problems.append(f"{short_name(function)} may do by statements: {by_statement}")
    return problems


@rule
def secrets_keys_outlive_their_table(template):
    """Without the key all signing secrets in the table are lost, so the key may be deleted only after the table."""
    problems = []
    for name, key in of_type(template, "AWS::KMS::Key").items():
        if key.get("EnableKeyRotation") is not True:
            problems.append(f"{name} is not rotated")
        for table in of_type(template, "AWS::DynamoDB::Table"):
            if name not in listed(template["Resources"][table].get("DependsOn", [])):
                problems.append(f"{name} may be deleted while {table} refuses to be: let the table depend on it")
    return problems


# ---- Rules: HTTP API -----------------------------------------------------------------------------------------------------------

# Routes with their own limits: they must not block other requests, nor be blocked by them.
THROTTLED_ALONE = ["POST /v1/events", "POST /v1/destinations/{id}/test", "POST /v1/sessions", "POST /open", "$default"]
NOT_TO_STARVE = {"authorizer", "api", "portal", "redrive"}
# The only routes without an authorizer, and the functions that they lead to: the OpenAPI document, which is the same for everybody;
# the two that take a link, which can be used only once; and the page, which checks its cookie itself.
OPEN_ROUTES = {"GET /v1/openapi.json": "api", "POST /v1/sessions": "api", "POST /open": "portal", "$default": "portal"}


def served_by(template, route):
    """The logical id of the function that a route leads to."""
    integration = text(route.get("Target")).removeprefix("integrations/${").removesuffix("}")
    return target(of_type(template, "AWS::ApiGatewayV2::Integration").get(integration, {}).get("IntegrationUri"))


@rule
def routes_are_closed(template):
    problems = []
    authorizers = of_type(template, "AWS::ApiGatewayV2::Authorizer")
    for name, route in of_type(template, "AWS::ApiGatewayV2::Route").items():
        path, kind = route["RouteKey"].rsplit(" ", 1)[-1], route.get("AuthorizationType", "NONE")
        server = short_name(functions(template).get(served_by(template, route), {}))
        if kind == "NONE" and OPEN_ROUTES.get(route["RouteKey"]) == server:
            continue
        if path.startswith("/admin/"):
            if kind != "AWS_IAM":
                problems.append(f"{name} lets {kind} in where only AWS credentials should be")
        elif path.startswith("/v1/"):
            if kind != "CUSTOM" or target(route.get("AuthorizerId")) not in authorizers:
                problems.append(f"{name} does not ask the authorizer ({kind})")
        else:
            problems.append(f"{name} serves {path}, for which no rule says who may call it")
    return problems


@rule
def requests_are_logged_without_what_is_secret(template):
    """Paths, query strings, headers and cookies may hold links to the page and keys, so a line has only what is listed here."""
    problems = []
    for name, stage in of_type(template, "AWS::ApiGatewayV2::Stage").items():
        settings = stage.get("AccessLogSettings", {})
        group = of_type(template, "AWS::Logs::LogGroup").get(target(settings.get("DestinationArn")))
        if group is None or "RetentionInDays" not in group:
            problems.append(f"{name} has no access log in a group with retention")
        try:
            fields = json.loads(settings.get("Format", ""))
        except ValueError:
            problems.append(f"the access log of {name} is not JSON")
            continue
        problems += [f"the access log of {name} has {variable}" for variable in fields.values() if variable not in LOGGED]
    return problems


@rule
def routes_that_must_not_fill_each_other_have_throttles_of_their_own(template):
    """The limits are parameters. The stage comes after its routes, because API Gateway refuses settings for a route that does not exist."""
    problems = []
    routes = {route["RouteKey"]: name for name, route in of_type(template, "AWS::ApiGatewayV2::Route").items()}
    for name, stage in of_type(template, "AWS::ApiGatewayV2::Stage").items():
        settings = stage.get("RouteSettings", {})
        for key in THROTTLED_ALONE:
            if key not in settings:
                problems.append(f"{name} has no throttle of its own for {key}")
        for key, limits in [("all routes", stage.get("DefaultRouteSettings", {})), *settings.items()]:
            for limit in ("ThrottlingRateLimit", "ThrottlingBurstLimit"):
                if target(limits.get(limit)) not in template["Parameters"]:
                    problems.append(f"{name} has no parameter for the {limit} of {key}")
        late = set(listed(template["Resources"][name].get("DependsOn", [])))
        problems += [f"{name} may come before {key}" for key in settings if routes.get(key) not in late]
    return problems


@rule
def what_must_not_starve_can_have_instances_of_its_own(template):
    """A parameter reserves them, and its default is none: a new AWS account has too few instances, and the deployment would fail."""
    problems = []
    for name, function in functions(template).items():
        if short_name(function) not in NOT_TO_STARVE:
            continue
        condition, reserved, otherwise = function.get("ReservedConcurrentExecutions", {}).get("Fn::If", [None, None, None])
        parameter = template["Parameters"].get(target(reserved), {})
        wanted = {"Fn::Not": [{"Fn::Equals": [{"Ref": target(reserved)}, 0]}]}
        if parameter.get("Default") != 0 or target(otherwise) != "AWS::NoValue" or template["Conditions"].get(condition) != wanted:
            problems.append(f"{name} cannot have instances of its own, or has some by default")
    return problems


@rule
def the_authorizer_answers_per_key(template):
    """With another identity source, one customer's cached answer would be given to another."""
    problems = []
    for name, authorizer in of_type(template, "AWS::ApiGatewayV2::Authorizer").items():
        if "$request.header.Authorization" not in authorizer.get("IdentitySource", []):
            problems.append(f"{name} is not cached by the Authorization header")
        if authorizer.get("AuthorizerPayloadFormatVersion") != "2.0" or authorizer.get("EnableSimpleResponses") is not True:
            problems.append(f"{name} does not use simple responses of format 2.0, which the function gives")
    return problems


@rule
def api_gateway_may_invoke_what_it_calls(template):
    """A missing permission shows only as a 500 at run time."""
    allowed = {(target(permission.get("FunctionName")), text(permission.get("SourceArn")).split(":${AWS::AccountId}:")[-1])
               for permission in of_type(template, "AWS::Lambda::Permission").values()
               if permission.get("Action") == "lambda:InvokeFunction" and permission.get("Principal") == "apigateway.amazonaws.com"}
    wanted = set()
    for route in of_type(template, "AWS::ApiGatewayV2::Route").values():
        # Stage, method and path; $default stands for the latter two.
        place = "/*/$default" if route["RouteKey"] == "$default" else f"/*/*{route['RouteKey'].rsplit(' ', 1)[-1]}"
        wanted.add((served_by(template, route), f"${{{target(route['ApiId'])}}}{place}"))
    for name, authorizer in of_type(template, "AWS::ApiGatewayV2::Authorizer").items():
        wanted |= {(function, f"${{{target(authorizer['ApiId'])}}}/authorizers/${{{name}}}") for function in functions(template)
                   if f"${{{function}.Arn}}" in text(authorizer.get("AuthorizerUri"))}
    return [f"API Gateway may not invoke {function} for {source}" for function, source in sorted(wanted - allowed, key=str)] \
        + [f"a permission on {function} for {source} is not needed" for function, source in sorted(allowed - wanted, key=str)]


# ---- Tests ---------------------------------------------------------------------------------------------------------------------

TEMPLATE = yaml_parse((ROOT / "template.yaml").read_text(encoding="utf-8"))


def read_template():
    """A new copy of the template that a test may break."""
    return copy.deepcopy(TEMPLATE)


class TheTemplate(unittest.TestCase):
    def test_the_template_follows_every_rule(self):
        for each in RULES:
            with self.subTest(rule=each.__name__):
                self.assertEqual(each(read_template()), [])

    def test_every_function_has_a_sample_event(self):
        self.assertEqual(each_function_has_a_sample_event(read_template(), ROOT / "events"), [])

    def test_the_template_has_what_the_rules_look_at(self):
        """A rule that finds nothing to check would pass silently."""
        template = read_template()
        self.assertLessEqual({"fanout", "deliver", "api", "portal", "authorizer", "redrive"}, {short_name(each) for each in functions(template).values()})
        self.assertLessEqual({"EventsQueue", "DeliveriesQueue"}, {queue for *_, queue in mappings(template)})
        self.assertEqual(["RedriveFunction"], [name for name, *_ in schedules(template)])
        self.assertIn("ALERTS_TOPIC_ARN", functions(template)["RedriveFunction"]["Environment"]["Variables"])
        for kind in ("SNS::Topic", "SNS::TopicPolicy", "CloudWatch::Alarm", "DynamoDB::Table", "KMS::Key", "ApiGatewayV2::Route", "ApiGatewayV2::Authorizer", "ApiGatewayV2::Integration"):
            self.assertTrue(of_type(template, f"AWS::{kind}"), kind)

    def test_every_rule_has_a_test_that_breaks_it(self):
        tests = inspect.getsource(ABrokenTemplate)
        self.assertEqual([each.__name__ for each in RULES if f"({each.__name__}, " not in tests], [])


class ABrokenTemplate(unittest.TestCase):
    """Each test breaks a copy of the real template in one way, and expects the rule to report exactly that."""

    def setUp(self):
        self.template = read_template()
        self.resources = self.template["Resources"]

    def properties(self, name):
        return self.resources[name]["Properties"]

    def mapping(self, function):
        return self.properties(function)["Events"]["Queue"]["Properties"]

    def statement(self, role, sid):
        return next(each for each in statements(self.properties(role)) if each["Sid"] == sid)

    def assert_reports(self, check, words):
        self.assertEqual(check(read_template()), [], "the rule must be silent about the template as it is")
        problems = check(self.template)
        self.assertTrue(any(words in problem for problem in problems), f"{words!r} not reported, but: {problems}")

    # functions

    def test_a_shared_role_is_reported(self):
        self.properties("FanoutFunction")["Role"] = copy.deepcopy(self.properties("DeliverFunction")["Role"])
        self.assert_reports(each_function_has_a_role_of_its_own, "DeliverFunction shares DeliverRole with FanoutFunction")

    def test_a_function_without_a_role_is_reported(self):
        del self.properties("ApiFunction")["Role"]
        self.assert_reports(each_function_has_a_role_of_its_own, "ApiFunction has no role")

    def test_a_function_without_a_log_group_is_reported(self):
        del self.properties("ApiFunction")["LoggingConfig"]
        self.assert_reports(each_function_logs_to_a_group_of_its_own_with_retention, "ApiFunction has no log group")

    def test_a_shared_log_group_is_reported(self):
        self.properties("ApiFunction")["LoggingConfig"]["LogGroup"] = {"Ref": "DeliverLogGroup"}
        self.assert_reports(each_function_logs_to_a_group_of_its_own_with_retention, "ApiFunction shares DeliverLogGroup")

    def test_logs_that_are_kept_for_ever_are_reported(self):
        del self.properties("FanoutLogGroup")["RetentionInDays"]
        self.assert_reports(each_function_logs_to_a_group_of_its_own_with_retention, "FanoutLogGroup has no retention")

    def test_a_log_group_under_another_name_is_reported(self):
        self.properties("FanoutLogGroup")["LogGroupName"] = "/aws/lambda/other"
        self.assert_reports(each_function_logs_to_a_group_of_its_own_with_retention, "not named after FanoutFunction")

    def test_a_function_that_may_not_write_its_logs_is_reported(self):
        self.statement("AuthorizerRole", "WriteLogs")["Resource"] = {"Fn::GetAtt": ["ApiLogGroup", "Arn"]}
        self.assert_reports(each_function_logs_to_a_group_of_its_own_with_retention, "AuthorizerFunction lacks logs:PutLogEvents")

    def test_an_api_function_that_runs_as_long_as_the_gateway_waits_is_reported(self):
        self.properties("ApiFunction")["Timeout"] = 30
        self.assert_reports(no_function_outlasts_the_api_in_front_of_it, "ApiFunction may run for 30 s")

    def test_an_authorizer_that_runs_as_long_as_the_gateway_waits_is_reported(self):
        self.properties("AuthorizerFunction")["Timeout"] = 10
        self.assert_reports(no_function_outlasts_the_api_in_front_of_it, "AuthorizerFunction may run for 10 s")

    def test_a_page_that_runs_as_long_as_the_gateway_waits_is_reported(self):
        self.properties("PortalFunction")["Timeout"] = 30
        self.assert_reports(no_function_outlasts_the_api_in_front_of_it, "PortalFunction may run for 30 s")

    def test_a_portal_with_another_limit_than_the_api_is_reported(self):
        self.properties("PortalFunction")["Environment"]["Variables"]["MAX_DESTINATIONS"] = 10
        self.assert_reports(the_portal_knows_what_the_api_knows, "portal has another MAX_DESTINATIONS than api")

    def test_a_function_without_a_sample_event_is_reported(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("fanout-one", "deliver-one", "api-one", "portal-one", "authorizer-one", "redrive-one"):
                (pathlib.Path(folder) / f"{name}.json").write_text("{}", encoding="utf-8")
            self.assertEqual(each_function_has_a_sample_event(self.template, folder), [])
            (pathlib.Path(folder) / "api-one.json").unlink()
            self.assertIn("ApiFunction has no sample", each_function_has_a_sample_event(self.template, folder)[0])

    def test_a_sample_event_that_is_not_json_is_reported(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "fanout-one.json").write_text("{", encoding="utf-8")
            self.assertIn("events/fanout-one.json is not JSON", " ".join(each_function_has_a_sample_event(self.template, folder)))

    def test_a_function_that_knows_one_address_only_is_reported(self):
        del self.properties("DeliverFunction")["Environment"]["Variables"]["PUBLIC_URL"]
        self.assert_reports(who_knows_our_address_knows_the_public_one, "DeliverFunction knows OWN_HOSTS and no PUBLIC_URL")

    def test_a_function_that_may_call_the_custom_domain_is_reported(self):
        self.properties("ApiFunction")["Environment"]["Variables"]["OWN_HOSTS"] = {"Fn::Sub": "${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}"}
        self.assert_reports(who_knows_our_address_knows_the_public_one, "ApiFunction does not know all hosts")

    def test_a_function_with_a_memory_of_another_is_reported(self):
        self.properties("FanoutFunction")["MemorySize"] = {"Ref": "DeliverMemory"}
        self.assert_reports(each_function_has_a_memory_of_its_own_and_by_default_the_one_that_the_figures_are_for, "FanoutFunction has not the memory FanoutMemory")

    def test_an_option_that_is_on_by_default_is_reported(self):
        del self.resources["Domain"]["Condition"]
        self.template["Parameters"]["MonthlyBudget"]["Default"] = 10
        self.template["Parameters"]["VpcSubnets"]["Default"] = "subnet-1"
        for words in ("Domain is there by default", "Budget is there by default", "functions are in a VPC by default"):
            self.assert_reports(what_is_optional_is_off_by_default, words)

    def test_a_name_that_leaves_little_room_is_reported(self):
        self.properties("AuthorizerFunction")["FunctionName"] = {"Fn::Sub": "${AWS::StackName}-authorizer-of-the-api"}
        self.assert_reports(names_leave_room_for_the_stacks_name, "may have 42 characters only")

    def test_a_schedule_that_leaves_little_room_is_reported(self):
        self.properties("RedriveFunction")["Events"]["EachMinute"]["Properties"]["Name"] = {"Fn::Sub": "${AWS::StackName}-redrive-each-minute"}
        self.assert_reports(names_leave_room_for_the_stacks_name, "may have 44 characters only")

    def test_a_resource_that_takes_no_tags_is_reported(self):
        self.resources["Schedule"] = {"Type": "AWS::Scheduler::Schedule"}
        self.assert_reports(what_costs_money_has_the_stacks_tags, "Schedule gets no tags")

    # permissions

    def test_a_managed_policy_is_reported(self):
        self.properties("ApiRole")["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/AmazonSQSFullAccess"]
        self.assert_reports(no_managed_policy_is_used, "ApiRole has managed policies")

    def test_a_sam_policy_is_reported(self):
        self.properties("ApiFunction")["Policies"] = ["AWSLambdaBasicExecutionRole"]
        self.assert_reports(no_managed_policy_is_used, "ApiFunction has SAM policies")

    def test_a_permission_on_every_resource_is_reported(self):
        self.statement("DeliverRole", "OpenSigningSecrets")["Resource"] = "*"
        self.assert_reports(there_is_no_star_but_those_with_a_reason, "OpenSigningSecrets has a star as Resource")

    def test_a_star_within_a_list_of_resources_is_reported(self):
        self.statement("FanoutRole", "ReceiveEvents")["Resource"] = [{"Fn::Sub": "arn:aws:sqs:*:${AWS::AccountId}:*"}]
        self.assert_reports(there_is_no_star_but_those_with_a_reason, "ReceiveEvents has a star as Resource")

    def test_a_permission_for_every_action_is_reported(self):
        self.statement("ApiRole", "ReadAndWriteTheTable")["Action"] = "dynamodb:*"
        self.assert_reports(there_is_no_star_but_those_with_a_reason, "ReadAndWriteTheTable has a star as Action")

    def test_a_permission_for_all_but_some_is_reported(self):
        self.statement("ApiRole", "ReadAndWriteTheTable")["NotResource"] = "x"
        self.assert_reports(there_is_no_star_but_those_with_a_reason, "says what is left out")

    def test_a_topic_for_the_whole_world_is_reported(self):
        self.properties("WorkTopicPolicy")["PolicyDocument"]["Statement"][0]["Principal"] = {"AWS": "*"}
        self.assert_reports(there_is_no_star_but_those_with_a_reason, "RedriveAlone has a star as Principal")

    def test_a_queue_for_the_whole_world_is_reported(self):
        self.properties("EventsQueuePolicy")["PolicyDocument"]["Statement"][1]["Fn::If"][1]["Action"] = "sqs:*"
        self.assert_reports(there_is_no_star_but_those_with_a_reason, "ProducersOfOtherAccounts has a star as Action")

    def test_a_listed_star_that_is_gone_is_reported(self):
        self.properties("SecretsKey")["KeyPolicy"]["Statement"][0]["Action"] = "kms:Decrypt"
        self.assert_reports(there_is_no_star_but_those_with_a_reason, "has no kms:* any more")

    def test_a_star_for_more_than_traces_is_reported(self):
        self.statement("ApiRole", "RecordTraces")["Action"].append("xray:GetTraceSummaries")
        self.assert_reports(traces_are_recorded_of_all_functions_or_of_none, "ApiFunction may not record traces while X-Ray is on, or may")

    def test_a_function_that_may_not_record_traces_is_reported(self):
        self.statement("RedriveRole", "RecordTraces")["Action"].pop()
        self.assert_reports(traces_are_recorded_of_all_functions_or_of_none, "RedriveFunction may not record traces while X-Ray is on")

    def test_a_function_that_may_always_record_traces_is_reported(self):
        statement = self.properties("FanoutRole")["Policies"][0]["PolicyDocument"]["Statement"]
        statement[-1] = statement[-1]["Fn::If"][1]
        self.assert_reports(traces_are_recorded_of_all_functions_or_of_none, "FanoutFunction may not record traces while X-Ray is on, or may")

    def test_a_function_that_is_always_traced_is_reported(self):
        self.properties("DeliverFunction")["Tracing"] = "Active"
        self.assert_reports(traces_are_recorded_of_all_functions_or_of_none, "DeliverFunction has a tracing mode of its own")

    def test_tracing_that_is_on_by_default_is_reported(self):
        self.template["Parameters"]["XRayTracing"]["Default"] = "true"
        self.assert_reports(traces_are_recorded_of_all_functions_or_of_none, "X-Ray is not off by default")

    def test_tracing_of_no_function_is_reported(self):
        del self.template["Globals"]["Function"]["Tracing"]
        self.assert_reports(traces_are_recorded_of_all_functions_or_of_none, "Globals do not turn X-Ray on")

    def test_events_that_are_compact_by_default_are_reported(self):
        self.template["Parameters"]["CompactEvents"]["Default"] = "true"
        self.assert_reports(events_are_stored_compact_only_if_the_operator_says_so, "CompactEvents is not false by default")

    def test_events_that_are_compact_whatever_the_operator_says_are_reported(self):
        self.properties("FanoutFunction")["Environment"]["Variables"]["COMPACT_EVENTS"] = "true"
        self.assert_reports(events_are_stored_compact_only_if_the_operator_says_so, "FanoutFunction does not follow CompactEvents")

    def test_a_function_that_may_not_delete_what_it_handled_is_reported(self):
        self.statement("FanoutRole", "ReceiveEvents")["Action"].remove("sqs:DeleteMessage")
        self.assert_reports(each_function_may_use_the_queue_that_feeds_it, "FanoutFunction lacks sqs:DeleteMessage on EventsQueue")

    def test_a_function_that_may_not_hide_what_it_received_is_reported(self):
        for role, sid, function in (("DeliverRole", "ReceiveDeliveries", "DeliverFunction"), ("FanoutRole", "ReceiveEvents", "FanoutFunction")):
            self.statement(role, sid)["Action"].remove("sqs:ChangeMessageVisibility")
            self.assert_reports(each_function_may_change_the_visibility_of_what_it_receives, f"{function} lacks sqs:ChangeMessageVisibility")

    def test_a_function_that_may_receive_from_another_queue_is_reported(self):
        self.statement("ApiRole", "PublishEvents")["Action"] = ["sqs:SendMessage", "sqs:ReceiveMessage"]
        self.assert_reports(functions_receive_from_the_queue_that_feeds_them_and_from_no_other, "ApiRole may sqs:ReceiveMessage on EventsQueue")

    def test_a_function_that_may_empty_its_queue_is_reported(self):
        self.statement("FanoutRole", "ReceiveEvents")["Action"].append("sqs:PurgeQueue")
        self.assert_reports(functions_receive_from_the_queue_that_feeds_them_and_from_no_other, "FanoutRole may sqs:PurgeQueue on EventsQueue")

    def test_a_function_that_may_write_the_logs_of_another_is_reported(self):
        self.statement("AuthorizerRole", "WriteLogs")["Resource"] = [{"Fn::GetAtt": [group, "Arn"]} for group in ("AuthorizerLogGroup", "ApiLogGroup")]
        self.assert_reports(functions_write_to_their_own_logs_and_do_nothing_else_there, "AuthorizerRole may logs:CreateLogStream on ApiLogGroup")

    def test_a_function_that_may_read_logs_is_reported(self):
        self.statement("PortalRole", "WriteLogs")["Action"].append("logs:FilterLogEvents")
        self.assert_reports(functions_write_to_their_own_logs_and_do_nothing_else_there, "PortalRole may logs:FilterLogEvents on PortalLogGroup")

    def test_an_authorizer_that_may_decrypt_is_reported(self):
        self.statement("AuthorizerRole", "LookUpApiKeys")["Action"] = ["dynamodb:GetItem", "kms:Decrypt"]
        self.assert_reports(only_those_who_sign_may_decrypt, "AuthorizerRole may decrypt")

    def test_a_deliver_that_may_not_decrypt_is_reported(self):
        self.statement("DeliverRole", "OpenSigningSecrets")["Action"] = "kms:DescribeKey"
        self.assert_reports(only_those_who_sign_may_decrypt, "deliver may not decrypt")

    def test_an_api_that_may_not_send_deliveries_is_reported(self):
        self.statement("ApiRole", "SendDeliveriesAgain")["Resource"] = {"Fn::GetAtt": ["EventsQueue", "Arn"]}
        self.assert_reports(deliveries_are_sent_by_those_who_owe_or_repeat_them_alone, "ApiFunction may not send to DeliveriesQueue")

    def test_an_authorizer_that_may_send_deliveries_is_reported(self):
        self.statement("AuthorizerRole", "LookUpApiKeys").update(
            {"Action": "sqs:SendMessage", "Resource": {"Fn::GetAtt": ["DeliveriesQueue", "Arn"]}})
        self.assert_reports(deliveries_are_sent_by_those_who_owe_or_repeat_them_alone, "AuthorizerFunction may send to DeliveriesQueue")

    def test_a_portal_that_may_publish_events_is_reported(self):
        self.statement("PortalRole", "SendDeliveriesAgain")["Resource"] = [{"Fn::GetAtt": [queue, "Arn"]} for queue in ("DeliveriesQueue", "EventsQueue")]
        self.assert_reports(the_portal_may_do_what_the_api_does_for_customers, "portal may sqs:SendMessage on EventsQueue")

    def test_a_portal_that_may_not_delete_is_reported(self):
        self.statement("PortalRole", "ReadAndWriteTheTable")["Action"].remove("dynamodb:DeleteItem")
        self.assert_reports(the_portal_may_do_what_the_api_does_for_customers, "portal lacks dynamodb:DeleteItem on Table")

    def test_a_function_that_cannot_run_in_a_vpc_is_reported(self):
        del self.properties("PortalFunction")["VpcConfig"]
        self.assert_reports(who_calls_destinations_can_run_in_a_vpc_and_nobody_else, "PortalFunction cannot run in a VPC")

    def test_a_function_that_is_in_a_vpc_for_nothing_is_reported(self):
        self.properties("FanoutFunction")["VpcConfig"] = self.properties("DeliverFunction")["VpcConfig"]
        self.assert_reports(who_calls_destinations_can_run_in_a_vpc_and_nobody_else, "FanoutFunction is in a VPC")

    def test_a_function_that_may_make_interfaces_itself_is_reported(self):
        policy = self.properties("DeliverRole")["Policies"][1]["Fn::If"][1]
        policy["PolicyDocument"]["Statement"].pop()
        self.assert_reports(who_calls_destinations_can_run_in_a_vpc_and_nobody_else, "DeliverFunction may do something else in a VPC")

    # queue mappings

    def test_a_queue_whose_visibility_is_too_short_is_reported(self):
        self.properties("DeliveriesQueue")["VisibilityTimeout"] = 359
        self.assert_reports(visibility_is_six_timeouts, "DeliveriesQueue hides messages for 359 s")

    def test_a_function_whose_timeout_outgrew_its_queue_is_reported(self):
        self.properties("FanoutFunction")["Timeout"] = 61
        self.assert_reports(visibility_is_six_timeouts, "make it 366")

    def test_a_queue_without_a_visibility_is_reported(self):
        del self.properties("EventsQueue")["VisibilityTimeout"]
        self.assert_reports(visibility_is_six_timeouts, "EventsQueue hides messages for 30 s")

    def test_a_batch_of_more_than_ten_is_reported(self):
        self.mapping("FanoutFunction")["BatchSize"] = 11
        self.assert_reports(batches_are_small_and_never_waited_for, "FanoutFunction has batches of 11")

    def test_a_batching_window_is_reported(self):
        self.mapping("DeliverFunction")["MaximumBatchingWindowInSeconds"] = 1
        self.assert_reports(batches_are_small_and_never_waited_for, "DeliverFunction waits")

    def test_a_mapping_without_partial_batch_responses_is_reported(self):
        del self.mapping("DeliverFunction")["FunctionResponseTypes"]
        self.assert_reports(partial_batch_responses_are_on, "DeliverFunction lacks ReportBatchItemFailures")

    def test_a_mapping_without_a_maximum_concurrency_is_reported(self):
        del self.mapping("FanoutFunction")["ScalingConfig"]
        self.assert_reports(concurrency_is_bounded, "FanoutFunction has no MaximumConcurrency")

    def test_a_maximum_concurrency_of_one_is_reported(self):
        self.mapping("FanoutFunction")["ScalingConfig"] = {"MaximumConcurrency": 1}
        self.assert_reports(concurrency_is_bounded, "found 1")

    def test_a_concurrency_parameter_that_admits_one_is_reported(self):
        self.template["Parameters"]["DeliverConcurrency"]["MinValue"] = 1
        self.assert_reports(concurrency_is_bounded, "DeliverFunction has no MaximumConcurrency")

    def test_a_concurrency_parameter_without_a_minimum_is_reported(self):
        del self.template["Parameters"]["DeliverConcurrency"]["MinValue"]
        self.assert_reports(concurrency_is_bounded, "DeliverFunction has no MaximumConcurrency")

    # schedules

    def schedule(self):
        return self.properties("RedriveFunction")["Events"]["EachMinute"]["Properties"]

    def test_a_schedule_without_a_role_of_the_template_is_reported(self):
        del self.schedule()["RoleArn"]
        self.assert_reports(a_schedule_may_run_its_function_and_nothing_else, "schedule of RedriveFunction has no role")

    def test_a_schedule_that_may_run_another_function_is_reported(self):
        self.statement("RedriveScheduleRole", "RunRedrive")["Resource"] = {"Fn::GetAtt": ["DeliverFunction", "Arn"]}
        self.assert_reports(a_schedule_may_run_its_function_and_nothing_else, "DeliverFunction")

    def test_a_scheduled_function_that_outlasts_its_minute_is_reported(self):
        self.properties("RedriveFunction")["Timeout"] = 61
        self.assert_reports(runs_by_the_clock_do_not_overlap_or_repeat, "RedriveFunction may run for 61 s")

    def test_a_scheduled_function_that_lambda_runs_again_is_reported(self):
        del self.properties("RedriveFunction")["EventInvokeConfig"]
        self.assert_reports(runs_by_the_clock_do_not_overlap_or_repeat, "RedriveFunction is run again")

    def test_a_schedule_that_runs_again_is_reported(self):
        self.schedule()["RetryPolicy"]["MaximumRetryAttempts"] = 3
        self.assert_reports(runs_by_the_clock_do_not_overlap_or_repeat, "RedriveFunction is run again")

    def test_a_scheduled_function_without_an_alarm_is_reported(self):
        del self.resources["RedriveErrorsAlarm"]
        self.assert_reports(each_scheduled_function_has_an_alarm, "RedriveFunction has no alarm")

    # queues

    def test_a_queue_without_a_dead_letter_queue_is_reported(self):
        del self.properties("EventsQueue")["RedrivePolicy"]
        self.assert_reports(queues_that_feed_a_function_have_a_dead_letter_queue, "EventsQueue has no dead-letter queue")

    def test_a_queue_that_gives_up_too_early_is_reported(self):
        self.properties("EventsQueue")["RedrivePolicy"]["maxReceiveCount"] = 19
        self.assert_reports(queues_that_feed_a_function_have_a_dead_letter_queue, "gives up after 19 receives")

    def test_a_dead_letter_queue_that_forgets_too_early_is_reported(self):
        self.properties("DeliveriesDeadLetterQueue")["MessageRetentionPeriod"] = 345600
        self.assert_reports(queues_that_feed_a_function_have_a_dead_letter_queue, "keeps messages for 345600 s")

    def test_a_dead_letter_queue_that_refuses_its_queue_is_reported(self):
        self.properties("EventsQueue")["QueueName"] = {"Fn::Sub": "${AWS::StackName}-renamed"}
        self.assert_reports(queues_that_feed_a_function_have_a_dead_letter_queue, "does not take messages from EventsQueue alone")

    def test_a_queue_that_is_not_encrypted_is_reported(self):
        self.properties("EventsDeadLetterQueue")["SqsManagedSseEnabled"] = False
        self.assert_reports(queues_are_encrypted, "EventsDeadLetterQueue is not encrypted")

    def test_a_queue_that_takes_requests_without_tls_is_reported(self):
        del self.properties("DeliveriesQueuePolicy")["PolicyDocument"]["Statement"][0]["Condition"]["Bool"]["aws:SecureTransport"]
        self.assert_reports(queues_refuse_connections_without_tls, "DeliveriesQueue takes requests without TLS")

    def test_a_queue_that_others_may_read_is_reported(self):
        allowed = self.properties("EventsQueuePolicy")["PolicyDocument"]["Statement"][1]["Fn::If"][1]
        allowed["Action"] = "sqs:*"
        self.assert_reports(queues_refuse_connections_without_tls, "EventsQueuePolicy lets")

    def test_a_dead_letter_queue_without_an_alarm_is_reported(self):
        del self.resources["DeliveriesDeadLetterAlarm"]
        self.assert_reports(each_dead_letter_queue_has_an_alarm_on_what_comes, "DeliveriesDeadLetterQueue has no alarm")

    def test_an_alarm_that_needs_several_messages_is_reported(self):
        self.properties("EventsDeadLetterAlarm")["Threshold"] = 5
        self.assert_reports(each_dead_letter_queue_has_an_alarm_on_what_comes, "EventsDeadLetterQueue has no alarm")

    def test_alarms_that_have_to_be_asked_for_are_reported(self):
        self.template["Parameters"]["DeadLetterAlarms"]["Default"] = "false"
        self.assert_reports(each_dead_letter_queue_has_an_alarm_on_what_comes, "DeliveriesDeadLetterQueue has no alarm")

    def test_an_alarm_on_what_lies_in_a_dead_letter_queue_is_reported(self):
        self.properties("EventsDeadLetterAlarm")["Metrics"][0]["Expression"] = "FILL(visible, 0) + FILL(hidden, 0)"
        self.assert_reports(each_dead_letter_queue_has_an_alarm_on_what_comes, "EventsDeadLetterQueue has no alarm")

    def test_an_alarm_that_does_not_see_what_somebody_reads_is_reported(self):
        self.properties("DeliveriesDeadLetterAlarm")["Metrics"][2]["MetricStat"]["Metric"]["MetricName"] = "NumberOfMessagesSent"
        self.assert_reports(each_dead_letter_queue_has_an_alarm_on_what_comes, "DeliveriesDeadLetterQueue has no alarm")

    def test_an_alarm_on_the_depth_of_a_dead_letter_queue_is_reported(self):
        alarm = self.properties("RedriveErrorsAlarm")
        alarm["Namespace"], alarm["MetricName"] = "AWS/SQS", "ApproximateNumberOfMessagesVisible"
        alarm["Dimensions"] = [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["EventsDeadLetterQueue", "QueueName"]}}]
        self.assert_reports(each_alarm_can_fire_again, "RedriveErrorsAlarm looks at ApproximateNumberOfMessagesVisible")

    def test_a_function_that_may_send_to_a_dead_letter_queue_is_reported(self):
        self.statement("ApiRole", "PublishEvents")["Resource"] = {"Fn::GetAtt": ["EventsDeadLetterQueue", "Arn"]}
        self.assert_reports(dead_letter_queues_hold_what_sqs_moved_alone, "ApiFunction may send to EventsDeadLetterQueue")

    def test_a_function_that_knows_a_dead_letter_queue_is_reported(self):
        self.properties("RedriveFunction")["Environment"]["Variables"]["LEFT_QUEUE_URL"] = {"Ref": "DeliveriesDeadLetterQueue"}
        self.assert_reports(dead_letter_queues_hold_what_sqs_moved_alone, "RedriveFunction is told the address of DeliveriesDeadLetterQueue")

    def test_rejected_events_without_a_metric_are_reported(self):
        self.properties("RejectedEventsMetric")["FilterPattern"] = '{ $.counted = "duplicate" }'
        self.assert_reports(rejected_events_raise_an_alarm, "no metric counts what FanoutFunction rejects")

    def test_a_log_level_that_hides_warnings_is_reported(self):
        self.template["Parameters"]["LogLevel"]["AllowedValues"].append("ERROR")
        self.assert_reports(no_log_level_hides_what_alarms_count, "LogLevel may be ERROR")

    # alerts

    def test_an_alarm_that_tells_nobody_is_reported(self):
        del self.properties("RedriveErrorsAlarm")["AlarmActions"]
        self.assert_reports(every_alarm_tells_people, "RedriveErrorsAlarm tells nobody")

    def test_an_alarm_that_is_turned_off_is_reported(self):
        self.properties("EventsDeadLetterAlarm")["ActionsEnabled"] = False
        self.assert_reports(every_alarm_tells_people, "EventsDeadLetterAlarm tells nobody")

    def test_a_topic_that_everybody_may_publish_to_is_reported(self):
        del self.resources["ReceiverAlertsTopicPolicy"]
        self.assert_reports(others_may_not_publish_to_a_topic, "others than redrive may publish to ReceiverAlertsTopic")

    def test_receivers_that_wake_people_are_reported(self):
        self.properties("RedriveFunction")["Environment"]["Variables"]["ALERTS_TOPIC_ARN"] = {"Ref": "AlertsTopic"}
        self.assert_reports(reports_of_receivers_have_a_topic_of_their_own, "AlertsTopic gets alarms and reports of receivers")

    def test_a_topic_that_cloudwatch_may_not_publish_to_is_reported(self):
        del self.resources["AlertsTopicPolicy"]
        self.assert_reports(alarms_reach_the_topic, "CloudWatch may not publish to AlertsTopic")

    def test_a_topic_under_a_key_that_cloudwatch_may_not_use_is_reported(self):
        self.properties("AlertsTopic")["KmsMasterKeyId"] = "alias/aws/sns"
        self.assert_reports(alarms_reach_the_topic, "AlertsTopic is encrypted with a key")

    def test_a_topic_for_everybody_is_reported(self):
        del self.properties("AlertsTopicPolicy")["PolicyDocument"]["Statement"][0]["Condition"]
        self.assert_reports(alarms_reach_the_topic, "AlarmsOfThisAccount admits others")

    def test_a_redrive_that_may_not_alert_is_reported(self):
        self.properties("ReceiverAlertsTopicPolicy")["PolicyDocument"]["Statement"][0]["Action"] = "sns:GetTopicAttributes"
        self.assert_reports(redrive_may_tell_people_and_other_systems, "RedriveFunction lacks sns:Publish")

    def test_a_redrive_that_may_not_send_events_is_reported(self):
        self.statement("RedriveRole", "SendDeliveriesAndOperationalEvents")["Resource"].pop()
        self.assert_reports(redrive_may_tell_people_and_other_systems, "RedriveFunction lacks sqs:SendMessage")

    def test_a_work_topic_for_everybody_is_reported(self):
        del self.resources["WorkTopicPolicy"]
        self.assert_reports(work_is_handed_out_by_the_function_that_does_it, "WorkTopic admits others than RedriveRole")

    def test_a_work_topic_for_another_role_is_reported(self):
        self.properties("WorkTopicPolicy")["PolicyDocument"]["Statement"][0]["Principal"] = {"AWS": "*"}
        self.assert_reports(work_is_handed_out_by_the_function_that_does_it, "WorkTopic admits others than RedriveRole")

    def test_a_redrive_that_may_not_hand_out_work_is_reported(self):
        self.properties("WorkTopicPolicy")["PolicyDocument"]["Statement"][0]["Effect"] = "Deny"
        self.assert_reports(work_is_handed_out_by_the_function_that_does_it, "RedriveFunction lacks sns:Publish on WorkTopic")

    def test_a_permission_that_is_given_twice_is_reported(self):
        self.statement("RedriveRole", "WriteLogs").update(Action="sns:Publish", Resource={"Ref": "WorkTopic"})
        self.assert_reports(nothing_is_allowed_twice, "RedriveRole may sns:Publish on WorkTopic by the topic's policy as well")

    def test_an_alarm_on_a_metric_that_nothing_feeds_is_reported(self):
        del self.resources["RedriveLagMetric"]
        self.assert_reports(metric_filters_feed_an_alarm_or_the_dashboard, "RedriveLagAlarm is on a metric that no filter feeds")

    def test_a_metric_that_no_alarm_is_on_is_reported(self):
        del self.resources["UnreadableRowsAlarm"]
        self.assert_reports(metric_filters_feed_an_alarm_or_the_dashboard, "nothing looks at UnreadableRows")

    def test_a_metric_by_part_that_nothing_shows_is_reported(self):
        body = self.properties("Dashboard")["DashboardBody"]
        body["Fn::Sub"][0] = body["Fn::Sub"][0].replace("LaneLeft", "LaneLag")
        self.assert_reports(metric_filters_feed_an_alarm_or_the_dashboard, "nothing looks at LaneLeft")

    # data

    def test_a_table_that_never_expires_items_is_reported(self):
        del self.properties("Table")["TimeToLiveSpecification"]
        self.assert_reports(tables_expire_recover_and_resist_deletion, "does not expire items")

    def test_a_table_without_recovery_is_reported(self):
        self.properties("Table")["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] = False
        self.assert_reports(tables_expire_recover_and_resist_deletion, "no point-in-time recovery")

    def test_a_table_that_ignores_the_protection_parameter_is_reported(self):
        self.properties("Table")["DeletionProtectionEnabled"] = False
        self.assert_reports(tables_expire_recover_and_resist_deletion, "is not protected from deletion")

    def test_a_protection_that_is_off_by_default_is_reported(self):
        self.template["Parameters"]["DeletionProtection"]["Default"] = "false"
        self.assert_reports(tables_expire_recover_and_resist_deletion, "is not protected from deletion")

    def test_a_protection_that_is_turned_around_is_reported(self):
        self.properties("Table")["DeletionProtectionEnabled"]["Fn::If"][1:] = [False, True]
        self.assert_reports(tables_expire_recover_and_resist_deletion, "is not protected from deletion")

    def test_a_function_that_keeps_to_the_own_table_is_reported(self):
        self.template["Globals"]["Function"]["Environment"]["Variables"]["TABLE_NAME"] = {"Ref": "Table"}
        self.assert_reports(a_restored_table_takes_the_place_of_the_own_one_everywhere, "Function names the table by {'Ref': 'Table'}")

    def test_a_role_for_another_table_than_the_one_in_use_is_reported(self):
        resource = self.statement("RedriveRole", "FindEventsAndWhatWaits")["Resource"]
        resource[1]["Fn::If"][1] = resource[0]["Fn::If"][1]
        self.assert_reports(a_restored_table_takes_the_place_of_the_own_one_everywhere, "RedriveRole names the table by")

    def test_a_restored_table_by_default_is_reported(self):
        self.template["Parameters"]["RestoredTable"]["Default"] = "other"
        self.assert_reports(a_restored_table_takes_the_place_of_the_own_one_everywhere, "not in use by default")

    def test_a_table_that_a_replacement_would_drop_is_reported(self):
        del self.resources["Table"]["UpdateReplacePolicy"]
        self.assert_reports(what_holds_data_outlives_the_stack, "Table would be lost in a replacement")

    def test_a_table_that_would_block_the_first_rollback_is_reported(self):
        self.resources["Table"]["DeletionPolicy"] = "RetainExceptOnCreate"
        self.assert_reports(what_holds_data_outlives_the_stack, "Table has the DeletionPolicy RetainExceptOnCreate")

    def test_queues_and_keys_that_go_with_the_stack_are_reported(self):
        for name in ("DeliveriesQueue", "EventsDeadLetterQueue", "SecretsKey"):
            del self.resources[name]["DeletionPolicy"]
            self.assert_reports(what_holds_data_outlives_the_stack, f"{name} has the DeletionPolicy Delete")

    def test_a_queue_that_a_replacement_would_drop_is_reported(self):
        self.resources["EventsQueue"]["UpdateReplacePolicy"] = "Delete"
        self.assert_reports(what_holds_data_outlives_the_stack, "EventsQueue would be lost in a replacement")

    def test_a_deployment_that_leaves_the_stack_unprotected_is_reported(self):
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        self.assertEqual(the_documented_deployment_protects_the_stack(readme), [])
        self.assertTrue(the_documented_deployment_protects_the_stack(readme.replace("--enable-termination", "--no-enable-termination")))

    def test_an_unreadable_row_of_which_nobody_is_told_is_reported(self):
        del self.resources["UnreadableRowsOfDeliver"]
        self.assert_reports(rows_that_cannot_be_read_are_counted_in_every_log, "nobody is told of a row that deliver cannot read")

    def test_an_index_of_everything_is_reported(self):
        self.properties("Table")["GlobalSecondaryIndexes"][0]["Projection"] = {"ProjectionType": "ALL"}
        self.assert_reports(indexes_are_narrow_and_read_by_those_who_need_them_alone, "events-by-account projects more")

    def test_an_index_with_bodies_is_reported(self):
        self.properties("Table")["GlobalSecondaryIndexes"][0]["Projection"]["NonKeyAttributes"].append("body")
        self.assert_reports(indexes_are_narrow_and_read_by_those_who_need_them_alone, "events-by-account projects more")

    def test_an_index_by_an_attribute_of_every_row_is_reported(self):
        self.properties("Table")["GlobalSecondaryIndexes"][0]["KeySchema"][0]["AttributeName"] = "pk"
        self.assert_reports(indexes_are_narrow_and_read_by_those_who_need_them_alone, "would not be sparse")

    def test_an_api_that_may_not_read_the_index_is_reported(self):
        self.statement("ApiRole", "ListEvents")["Resource"] = {"Fn::GetAtt": ["Table", "Arn"]}
        self.assert_reports(indexes_are_narrow_and_read_by_those_who_need_them_alone, "api may not read events-by-account")

    def test_another_function_that_may_read_the_index_is_reported(self):
        self.statement("DeliverRole", "ReadDestinationsAndRecordOutcomes")["Resource"] = {"Fn::Sub": "${Table.Arn}/index/events-by-account"}
        self.assert_reports(indexes_are_narrow_and_read_by_those_who_need_them_alone, "deliver may read events-by-account")

    def test_an_api_that_may_not_read_rows_in_batches_is_reported(self):
        self.statement("ApiRole", "ReadAndWriteTheTable")["Action"].remove("dynamodb:BatchGetItem")
        self.assert_reports(who_needs_several_rows_at_once_alone_reads_in_batches, "api may not read rows in batches")

    def test_another_function_that_may_read_rows_in_batches_is_reported(self):
        self.statement("AuthorizerRole", "LookUpApiKeys")["Action"].append("dynamodb:BatchGetItem")
        self.assert_reports(who_needs_several_rows_at_once_alone_reads_in_batches, "authorizer may read rows in batches")

    def test_a_function_that_may_not_insert_rows_together_is_reported(self):
        self.statement("FanoutRole", "MatchAndSealEvents")["Action"].remove("dynamodb:PartiQLInsert")
        self.assert_reports(who_writes_first_rows_may_insert_and_no_statement_does_more, "fanout may do by statements: []")

    def test_a_statement_that_does_more_than_insert_is_reported(self):
        self.statement("DeliverRole", "ReadDestinationsAndRecordOutcomes")["Action"].append("dynamodb:PartiQLDelete")
        self.assert_reports(who_writes_first_rows_may_insert_and_no_statement_does_more, "deliver may do by statements: ['dynamodb:PartiQLDelete'")

    def test_a_stack_policy_that_forgets_a_queue_or_denies_too_much_is_reported(self):
        policy = json.loads((ROOT / "stack-policy.json").read_text())
        self.assertEqual(the_stack_policy_protects_what_holds_data(self.template, policy), [])
        allowed, denied = policy["Statement"]
        denied["Resource"].remove("LogicalResourceId/EventsQueue")
        self.assertEqual(the_stack_policy_protects_what_holds_data(self.template, policy), ["the stack policy does not protect LogicalResourceId/EventsQueue"])
        del allowed["Resource"]
        self.assertIn("the stack policy denies every other update, too", the_stack_policy_protects_what_holds_data(self.template, policy))

    def test_a_key_that_is_not_rotated_is_reported(self):
        del self.properties("SecretsKey")["EnableKeyRotation"]
        self.assert_reports(secrets_keys_outlive_their_table, "SecretsKey is not rotated")

    def test_a_key_that_may_go_before_the_table_is_reported(self):
        del self.resources["Table"]["DependsOn"]
        self.assert_reports(secrets_keys_outlive_their_table, "SecretsKey may be deleted while Table refuses")

    # HTTP API

    def test_an_open_customer_route_is_reported(self):
        self.properties("CustomerRoute")["AuthorizationType"] = "NONE"
        self.assert_reports(routes_are_closed, "CustomerRoute does not ask the authorizer")

    def test_another_open_route_is_reported(self):
        self.properties("DocumentRoute")["RouteKey"] = "ANY /v1/openapi.json"
        self.assert_reports(routes_are_closed, "DocumentRoute does not ask the authorizer")

    def test_a_customer_route_without_an_authorizer_is_reported(self):
        del self.properties("CustomerRoute")["AuthorizerId"]
        self.assert_reports(routes_are_closed, "CustomerRoute does not ask the authorizer")

    def test_another_method_of_the_open_route_is_reported(self):
        self.properties("OpenSessionRoute")["RouteKey"] = "ANY /v1/sessions"
        self.assert_reports(routes_are_closed, "OpenSessionRoute does not ask the authorizer")

    def test_an_admin_route_for_customers_is_reported(self):
        self.properties("AdminRoute")["AuthorizationType"] = "CUSTOM"
        self.assert_reports(routes_are_closed, "AdminRoute lets CUSTOM in")

    def test_a_route_that_no_rule_covers_is_reported(self):
        self.properties("PageRoute")["RouteKey"] = "ANY /{proxy+}"
        self.assert_reports(routes_are_closed, "PageRoute serves /{proxy+}")

    def test_a_function_that_kms_may_refuse_in_silence_is_reported(self):
        del self.resources["KeyFailuresOfPortal"]
        self.assert_reports(calls_of_kms_that_fail_are_counted_where_they_are_made, "KMS refuses portal")

    def test_an_authorizer_without_an_alarm_is_reported(self):
        del self.resources["AuthorizerErrorsAlarm"]
        self.assert_reports(an_authorizer_that_fails_raises_an_alarm, "Errors of AuthorizerFunction")

    def test_an_api_without_an_access_log_is_reported(self):
        del self.properties("AccessLogGroup")["RetentionInDays"]
        self.assert_reports(requests_are_logged_without_what_is_secret, "HttpStage has no access log in a group with retention")

    def test_an_access_log_that_is_not_json_is_reported(self):
        self.properties("HttpStage")["AccessLogSettings"]["Format"] = "$context.requestId $context.status"
        self.assert_reports(requests_are_logged_without_what_is_secret, "is not JSON")

    def test_an_access_log_with_a_path_is_reported(self):
        self.properties("HttpStage")["AccessLogSettings"]["Format"] = '{"path": "$context.path"}'
        self.assert_reports(requests_are_logged_without_what_is_secret, "has $context.path")

    def test_a_page_route_with_an_authorizer_is_reported(self):
        self.properties("PageRoute")["AuthorizationType"] = "AWS_IAM"
        self.assert_reports(routes_are_closed, "PageRoute serves $default")

    def test_an_open_route_to_another_function_is_reported(self):
        self.properties("PageRoute")["Target"] = {"Fn::Sub": "integrations/${HttpIntegration}"}
        self.assert_reports(routes_are_closed, "PageRoute serves $default")

    def test_a_route_without_a_throttle_of_its_own_is_reported(self):
        del self.properties("HttpStage")["RouteSettings"]["POST /open"]
        self.assert_reports(routes_that_must_not_fill_each_other_have_throttles_of_their_own, "no throttle of its own for POST /open")

    def test_a_throttle_without_a_parameter_is_reported(self):
        self.properties("HttpStage")["RouteSettings"]["$default"]["ThrottlingBurstLimit"] = 100
        self.assert_reports(routes_that_must_not_fill_each_other_have_throttles_of_their_own, "no parameter for the ThrottlingBurstLimit of $default")

    def test_a_stage_that_may_come_before_its_routes_is_reported(self):
        self.resources["HttpStage"]["DependsOn"].remove("TestRoute")
        self.assert_reports(routes_that_must_not_fill_each_other_have_throttles_of_their_own, "HttpStage may come before POST /v1/destinations/{id}/test")

    def test_a_function_that_can_be_starved_is_reported(self):
        del self.properties("PortalFunction")["ReservedConcurrentExecutions"]
        self.assert_reports(what_must_not_starve_can_have_instances_of_its_own, "PortalFunction cannot have instances of its own")

    def test_a_reservation_that_a_new_account_cannot_make_is_reported(self):
        self.template["Parameters"]["ApiReserved"]["Default"] = 10
        self.assert_reports(what_must_not_starve_can_have_instances_of_its_own, "ApiFunction cannot have instances of its own, or has some by default")

    def test_an_authorizer_cached_by_something_else_is_reported(self):
        self.properties("HttpAuthorizer")["IdentitySource"] = ["$context.routeKey"]
        self.assert_reports(the_authorizer_answers_per_key, "not cached by the Authorization header")

    def test_an_authorizer_with_policies_for_answers_is_reported(self):
        self.properties("HttpAuthorizer")["EnableSimpleResponses"] = False
        self.assert_reports(the_authorizer_answers_per_key, "does not use simple responses")

    def test_a_route_that_may_not_invoke_its_function_is_reported(self):
        del self.resources["AdminRoutePermission"]
        self.assert_reports(api_gateway_may_invoke_what_it_calls, "may not invoke ApiFunction for ${HttpApi}/*/*/admin/v1/{proxy+}")

    def test_an_authorizer_that_may_not_be_invoked_is_reported(self):
        self.properties("AuthorizerPermission")["FunctionName"] = {"Ref": "ApiFunction"}
        self.assert_reports(api_gateway_may_invoke_what_it_calls, "may not invoke AuthorizerFunction")

    def test_a_page_that_may_not_be_invoked_is_reported(self):
        self.properties("PageRoutePermission")["SourceArn"]["Fn::Sub"] += "/*"
        self.assert_reports(api_gateway_may_invoke_what_it_calls, "may not invoke PortalFunction for ${HttpApi}/*/$default")

    def test_a_permission_that_is_too_wide_is_reported(self):
        self.properties("AdminRoutePermission")["SourceArn"] = {"Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:*"}
        self.assert_reports(api_gateway_may_invoke_what_it_calls, "is not needed")


if __name__ == "__main__":
    unittest.main()
