"""Who is told of too many calls and of too high costs: made, changed, mended, given up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdacap.aws.clients import TAG, connect
from lambdacap.deployment.record import Deployment
from lambdacap.events import Event, Warned, silent
from lambdacap.resources import Resource, Site
from lambdacap.resources.watch.alarm import Alarm, receivers
from lambdacap.resources.watch.budget import Budget, budget_name
from lambdacap.settings import Settings
from tests.aws.test_clients import IDENTITY
from tests.calls import recorded
from tests.servers import Answer, serving
from tests.sites import removed

ALARM, BUDGET = Alarm(), Budget()
ANNA, BOB = "anna@example.com", "bob@example.com"


@pytest.fixture
def site(site: Site) -> Iterator[Site]:
    site = wanting(site, alarm_email=ANNA, budget=50)
    yield site
    removed(site)


def wanting(site: Site, **settings: Any) -> Site:  # noqa: ANN401 - as many types as settings
    return replace(site, settings=replace(site.settings, **settings))


def ensure(resource: Resource, site: Site) -> dict[str, tuple[object, object]]:
    """See to the resource; what differed. Afterwards nothing does."""
    _, change = resource.ensure(site, resource.find(site))
    assert resource.change(site, resource.find(site)).action == "keep"
    return dict(change.differences)


def subscribed(site: Site) -> set[str]:
    topic = site.aws.arn("sns", site.name)
    return {one["Endpoint"] for one in site.aws.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]}


def alarm(site: Site) -> Any:  # noqa: ANN401 - CloudWatch's own shape
    (one,) = site.aws.cloudwatch.describe_alarms(AlarmNames=[site.name])["MetricAlarms"]
    return one


class TestTheAlarm:
    def test_tells_of_the_functions_calls(self, site: Site) -> None:
        told: list[Event] = []
        ensure(ALARM, replace(site, report=told.append))
        assert subscribed(site) == {ANNA}
        assert [event.text for event in told if isinstance(event, Warned)] == [
            f"{ANNA} is told of nothing: the local cloud sends no mail"
        ]
        made = alarm(site)
        assert (made["Namespace"], made["MetricName"], made["Statistic"]) == ("AWS/Lambda", "Invocations", "Sum")
        assert made["Dimensions"] == [{"Name": "FunctionName", "Value": site.name}]
        assert (made["Period"], made["Threshold"]) == (3600, 1000)
        assert made["AlarmActions"] == [site.aws.arn("sns", site.name)]

    def test_of_another_number(self, site: Site) -> None:
        ensure(ALARM, site)
        assert ensure(ALARM, wanting(site, alarm_calls=7)) == {"calls an hour": (1000, 7)}
        assert alarm(site)["Threshold"] == 7

    def test_somebody_else(self, site: Site) -> None:
        ensure(ALARM, site)
        topic = site.aws.arn("sns", site.name)
        site.aws.sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15550100")  # the owner's own affair
        assert ensure(ALARM, wanting(site, alarm_email=BOB)) == {"e-mail": (ANNA, BOB)}
        assert subscribed(site) == {BOB, "+15550100"}

    def test_is_mended(self, site: Site) -> None:
        ensure(ALARM, site)
        site.aws.cloudwatch.delete_alarms(AlarmNames=[site.name])
        assert set(ensure(ALARM, site)) == {"alarm", "calls an hour"}
        rule: Any = {**{key: alarm(site)[key] for key in ("Namespace", "MetricName", "Dimensions", "Statistic")}}
        site.aws.cloudwatch.put_metric_alarm(
            **rule,
            AlarmName=site.name,
            Period=60,
            EvaluationPeriods=1,
            Threshold=1000,
            ComparisonOperator="GreaterThanThreshold",
        )
        assert ensure(ALARM, site) == {"alarm": ("changed", "set")}
        site.aws.sns.delete_topic(TopicArn=site.aws.arn("sns", site.name))
        assert set(ensure(ALARM, site)) == {"topic", "e-mail"}
        assert subscribed(site) == {ANNA}

    def test_that_was_cut_short_is_completed_or_removed(self, site: Site) -> None:
        """As a run leaves it that ends after the first call, and after the second."""
        for half in (False, True):
            for finish in (self.complete, self.give_up):
                topic = site.aws.sns.create_topic(Name=site.name, Tags=[{"Key": TAG, "Value": site.name}])["TopicArn"]
                if half:
                    site.aws.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint=ANNA)
                finish(site)

    def complete(self, site: Site) -> None:
        ensure(ALARM, site)
        assert subscribed(site) == {ANNA}
        assert alarm(site)["Threshold"] == 1000
        self.give_up(site)

    def give_up(self, site: Site) -> None:
        state = ALARM.find(site)
        assert state is not None
        ALARM.remove(site, state)
        assert ALARM.find(site) is None
        ALARM.remove(site, state)


SUBSCRIPTION = "<member><Protocol>email</Protocol><Endpoint>{}</Endpoint><SubscriptionArn>{}</SubscriptionArn></member>"


@pytest.mark.parametrize(
    ("email", "arn", "receiver"),
    [
        (ANNA, "arn:aws:sns:us-east-1:1:x:y", ANNA),
        (ANNA, "PendingConfirmation", ANNA),
        (ANNA, "Deleted", None),
        (BOB, "arn:aws:sns:us-east-1:1:x:y", BOB),
        (BOB, "PendingConfirmation", None),  # which nobody can unsubscribe
    ],
)
def test_who_has_yet_to_confirm(email: str, arn: str, receiver: str | None) -> None:
    """On AWS: the local cloud confirms e-mails by itself."""
    listed = SUBSCRIPTION.format(email, arn)
    result = f"<ListSubscriptionsByTopicResult><Subscriptions>{listed}</Subscriptions></ListSubscriptionsByTopicResult>"
    with serving(IDENTITY, Answer(body=f"<R>{result}</R>".encode())) as server:
        told = receivers(site_at(server.url, alarm_email=ANNA))
    assert told == ([(receiver, arn)] if receiver else [])


def site_at(url: str, **settings: Any) -> Site:  # noqa: ANN401 - as many types as settings
    aws = connect(region=None, profile=None, endpoint=url)
    return Site(aws, Settings(**settings), Deployment("lambdacap", "local", "1", "us-east-1"), silent)


class TestTheBudget:
    def test_writes_to_the_same_address(self, site: Site) -> None:
        ensure(BUDGET, site)
        where: Any = {"AccountId": site.aws.account, "BudgetName": budget_name(site)}
        made = site.aws.budgets.describe_budget(**where)["Budget"]
        assert made["BudgetLimit"] == {"Amount": "50", "Unit": "USD"}
        assert made["CostFilters"] == {"Service": ["AWS Lambda", "Amazon API Gateway", "AmazonCloudWatch"]}
        (told,) = site.aws.budgets.describe_notifications_for_budget(**where)["Notifications"]
        assert (told["NotificationType"], told["Threshold"]) == ("ACTUAL", 100)

    def test_changes(self, site: Site) -> None:
        ensure(BUDGET, site)
        assert ensure(BUDGET, wanting(site, budget=60)) == {"dollars a month": (50.0, 60.0)}
        assert ensure(BUDGET, wanting(site, alarm_email=BOB)) == {
            "dollars a month": (60.0, 50.0),
            "e-mail": (ANNA, BOB),
        }

    def test_that_was_made_though_the_answer_was_lost(self, site: Site) -> None:
        ensure(BUDGET, site)
        with recorded() as calls:
            BUDGET.ensure(site, None)
        assert calls.writing == ["CreateBudget"]
        assert BUDGET.change(site, BUDGET.find(site)).action == "keep"

    def test_is_none_for_who_may_not_see_any(self) -> None:
        denied = json.dumps({"__type": "AccessDeniedException", "Message": "not authorized"}).encode()
        with serving(IDENTITY, Answer(400, denied)) as server:
            site = site_at(server.url)
            assert BUDGET.find(site) is None
            with pytest.raises(ClientError, match="not authorized"):
                BUDGET.find(wanting(site, alarm_email=ANNA, budget=5))
