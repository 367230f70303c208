"""An e-mail when the function is called more often than its owner thinks right: it warns, and stops nobody.

A CloudWatch alarm counts the calls, an SNS topic of the deployment's name sends the mail. Its receiver has to confirm
that he wants it; AWS sends nothing before.
"""

from __future__ import annotations

from typing import Any

from lambdacap.aws.clients import TAG, found
from lambdacap.events import Warned
from lambdacap.resources.resource import Change, Properties, Resource, Site, State, check_owner
from lambdacap.settings import Settings

PERIOD = 3600
"""Seconds over which calls are counted."""
_CONFIRMED = "arn:"
"""What a subscription has for an ARN begins so; others are PendingConfirmation or Deleted."""
_PENDING = "PendingConfirmation"


class Alarm(Resource):
    """The topic, the subscription to it and the alarm. A topic's other subscriptions are their makers' own."""

    kind = "alarm"
    title = "alarm and its topic"
    step = "deploy"

    def needed(self, settings: Settings) -> bool:
        return settings.alarm_email is not None

    def find(self, site: Site) -> State | None:
        topic, alarm = _topic(site), _alarm(site)
        if topic is None and alarm is None:
            return None
        if topic is not None:
            check_owner(site, f"the topic {site.name}", topic)
        if alarm is not None:
            tags = site.aws.cloudwatch.list_tags_for_resource(ResourceARN=_arn(site))["Tags"]
            check_owner(site, f"the alarm {site.name}", {tag["Key"]: tag["Value"] for tag in tags})
        told = receivers(site) if topic is not None else []
        return State(
            {"name": site.name, "arn": _arn(site), "topic": _topic_arn(site)},
            {
                "topic": None if topic is None else "there",
                "e-mail": ", ".join(sorted(address for address, _ in told)) or None,
                "calls an hour": _calls(alarm) if alarm else None,
                "alarm": None if alarm is None else "set" if _is_set(alarm, _rule(site)) else "changed",
            },
        )

    def wanted(self, site: Site) -> Properties:
        settings = site.settings
        calls = settings.alarm_calls
        return {"topic": "there", "e-mail": settings.alarm_email, "calls an hour": calls, "alarm": "set"}

    def create(self, site: Site) -> State:
        site.aws.sns.create_topic(Name=site.name, Tags=_pairs(site))
        return self._complete(site)

    def update(self, site: Site, state: State, change: Change) -> State:  # noqa: ARG002 - names are all
        # A topic that is there would be refused with the tags that a company adds.
        return self.create(site) if "topic" in change.differences else self._complete(site)

    def remove(self, site: Site, state: State) -> None:
        if state.properties["alarm"]:
            found(lambda: site.aws.cloudwatch.delete_alarms(AlarmNames=[site.name]), "ResourceNotFound")
        # Quiet when it is gone already. Its subscriptions go with it.
        site.aws.sns.delete_topic(TopicArn=_topic_arn(site))

    def _complete(self, site: Site) -> State:
        email, told = site.settings.alarm_email or "", receivers(site)
        ours = next((subscription for address, subscription in told if address == email), None)
        for _, subscription in told:
            if subscription != ours:  # another's, or a second one of a call whose answer was lost
                site.aws.sns.unsubscribe(SubscriptionArn=subscription)
        if ours is None:
            site.aws.sns.subscribe(TopicArn=_topic_arn(site), Protocol="email", Endpoint=email)
            site.report(
                Warned(
                    f"{email} is told of nothing: the local cloud sends no mail"
                    if site.settings.local
                    else f"AWS wrote to {email}: no alarm is sent before the link in that mail is followed"
                )
            )
        site.aws.cloudwatch.put_metric_alarm(
            AlarmName=site.name, AlarmDescription="made by lambdacap", Tags=_pairs(site), **_rule(site)
        )
        identity = {"name": site.name, "arn": _arn(site), "topic": _topic_arn(site)}
        return State(identity, self.wanted(site))


def _topic_arn(site: Site) -> str:
    return site.aws.arn("sns", site.name)


def _arn(site: Site) -> str:
    return site.aws.arn("cloudwatch", f"alarm:{site.name}")


def _pairs(site: Site) -> Any:  # noqa: ANN401 - each service's stubs have a type of their own
    return [{"Key": TAG, "Value": site.name}]


def _topic(site: Site) -> dict[str, str] | None:
    """The topic's tags, or None when there is none."""
    answer = found(
        lambda: site.aws.sns.list_tags_for_resource(ResourceArn=_topic_arn(site)),
        "ResourceNotFound",
        "ResourceNotFoundException",
        "NotFound",
    )
    return None if answer is None else {tag["Key"]: tag["Value"] for tag in answer["Tags"]}


def _alarm(site: Site) -> Any:  # noqa: ANN401 - CloudWatch's own shape
    alarms = site.aws.cloudwatch.describe_alarms(AlarmNames=[site.name], AlarmTypes=["MetricAlarm"])["MetricAlarms"]
    return alarms[0] if alarms else None


def receivers(site: Site) -> list[tuple[str, str]]:
    """E-mail addresses with their subscriptions.

    One that has not confirmed counts if it is the wanted one: no other can be unsubscribed, and it lapses by itself.
    """
    pages = site.aws.sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=_topic_arn(site))
    mails = [one for page in pages for one in page["Subscriptions"] if one["Protocol"] == "email"]
    return [
        (one["Endpoint"], one["SubscriptionArn"])
        for one in mails
        if one["SubscriptionArn"].startswith(_CONFIRMED)
        or (one["SubscriptionArn"] == _PENDING and one["Endpoint"] == site.settings.alarm_email)
    ]


def _rule(site: Site) -> Any:  # noqa: ANN401 - CloudWatch's own shape
    """When the alarm goes off, and whom it tells."""
    return {
        "Namespace": "AWS/Lambda",
        "MetricName": "Invocations",
        "Dimensions": [{"Name": "FunctionName", "Value": site.name}],
        "Statistic": "Sum",
        "Period": PERIOD,
        "EvaluationPeriods": 1,
        "Threshold": site.settings.alarm_calls,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",  # nobody called
        "ActionsEnabled": True,
        "AlarmActions": [_topic_arn(site)],
    }


def _calls(alarm: Any) -> object:  # noqa: ANN401 - CloudWatch's own shape
    """The number, as it was set; CloudWatch counts in fractions."""
    calls = alarm.get("Threshold")
    return int(calls) if calls is not None and calls == int(calls) else calls


def _is_set(alarm: Any, rule: Any) -> bool:  # noqa: ANN401 - CloudWatch's own shape
    """Whether all but the number, which is a property of its own, is as it should be."""
    return all(alarm.get(key) == value for key, value in rule.items() if key != "Threshold")
