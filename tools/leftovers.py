"""Writes what CloudFormation needs to take over what a deleted stack has left: a template with only the table, the key and the queues, as
template.yaml defines them, and the list that says which ones they are. Both are in target/leftovers. docs/restoring.md has the commands
that use them.

Run: `.venv/sam/bin/python tools/leftovers.py <table> <ARN of the key> <URL of the events queue>`, with a Python that has aws-sam-cli
installed. It calls nothing.
"""

import json
import pathlib
import re
import sys

try:
    from samcli.yamlhelper import yaml_parse
except ImportError as missing:
    raise SystemExit(f"leftovers.py needs the Python of an aws-sam-cli installation (make bootstrap): {missing}")

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOLD_DATA = {"AWS::DynamoDB::Table": "TableName", "AWS::KMS::Key": "KeyId", "AWS::SQS::Queue": "QueueUrl"}


def names(value, function):
    """Everything that is named by an intrinsic function such as `Ref`."""
    return re.findall(rf'"{function}": (?:\[)?"(\w+)"', json.dumps(value))


def only_what_holds_data(template):
    resources = {name: each for name, each in template["Resources"].items() if each["Type"] in HOLD_DATA}
    conditions = {name: template["Conditions"][name] for name in names(resources, "Fn::If")}
    parameters = {name: template["Parameters"][name] for name in names([resources, conditions], "Ref") if name in template["Parameters"]}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Parameters": parameters, "Conditions": conditions, "Resources": resources}


def identified(resources, table, key, events_queue):
    """Each resource with what tells it from all others."""
    prefix = events_queue.removesuffix("-events")
    for name, resource in resources.items():
        value = {
            "AWS::DynamoDB::Table": lambda _: table,
            "AWS::KMS::Key": lambda _: key.rpartition("/")[2],
            "AWS::SQS::Queue": lambda properties: properties["QueueName"]["Fn::Sub"].replace("${AWS::StackName}", prefix),
        }[resource["Type"]](resource["Properties"])
        yield {"ResourceType": resource["Type"], "LogicalResourceId": name, "ResourceIdentifier": {HOLD_DATA[resource["Type"]]: value}}


def main(table, key, events_queue):
    template = only_what_holds_data(yaml_parse((ROOT / "template.yaml").read_text()))
    target = ROOT / "target/leftovers"
    target.mkdir(parents=True, exist_ok=True)
    (target / "template.json").write_text(json.dumps(template, indent=2))
    (target / "resources.json").write_text(json.dumps(list(identified(template["Resources"], table, key, events_queue)), indent=2))
    print(f"{len(template['Resources'])} resources: target/leftovers/template.json, target/leftovers/resources.json")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
