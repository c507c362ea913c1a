"""Checks the reason for which the functions have no aliases (docs/decisions/0095): SAM publishes a version of a function only when the
template changes, so a parameter that is changed alone would reach no alias.

Run: `python tools/aliases_test.py`, with a Python that has aws-sam-cli installed. If the test fails after an update of the SAM CLI, SAM has
been mended: read the decision again, and delete this file with it.
"""

import logging
import unittest

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from template_test import functions, read_template

FUNCTION = "ApiFunction"


def version(parameters, change=lambda function: None):
    """The logical id of the version that SAM would publish. CloudFormation publishes one only when this changes."""
    template = read_template()
    template["Globals"]["Function"] |= {"CodeUri": "s3://bucket/code", "AutoPublishAlias": "live", "AutoPublishAliasAllProperties": True}
    for resource in template["Resources"].values():
        resource.pop("Metadata", None)
    change(functions(template)[FUNCTION])
    logging.disable(logging.CRITICAL)
    translated = Translator({}, Parser(), [], boto3.Session(region_name="us-east-1")).translate(template, parameters)
    return [name for name, resource in translated["Resources"].items()
            if resource["Type"] == "AWS::Lambda::Version" and resource["Properties"]["FunctionName"] == {"Ref": FUNCTION}]


class TheReasonAgainstAliases(unittest.TestCase):
    def test_a_changed_parameter_publishes_no_version(self):
        self.assertEqual(version({"MaxDestinations": "10"}), version({"MaxDestinations": "20"}))

    def test_what_no_version_holds_publishes_one_all_the_same(self):
        """Lambda refuses to publish a version that equals the last one, so this deployment would fail."""
        self.assertNotEqual(version({}), version({}, lambda function: function.update(Tags={"a": "b"})))

    def test_a_changed_template_publishes_a_version(self):
        """Or the tests above would show nothing."""
        self.assertNotEqual(version({}), version({}, lambda function: function.update(Timeout=28)))


if __name__ == "__main__":
    unittest.main()
