"""A function without a model: says how many bytes it got, and fails in the ways the query asks for."""

from __future__ import annotations

import base64
import json
import os
import time
from typing import Any


def handler(event: dict[str, Any], context: Any) -> dict[str, object]:  # noqa: ANN401 - Lambda's object
    if event in ({"warm": True}, {}):
        return {"warm": True, "model": "stub"}
    query = event.get("queryStringParameters") or {}
    if "print" in query:
        print(query["print"])
    if "sleep" in query:
        time.sleep(float(query["sleep"]))
    if "exit" in query:
        os._exit(int(query["exit"]))
    if "raise" in query:
        raise ValueError(query["raise"])
    body = base64.b64decode(event["body"] or "") if event.get("isBase64Encoded") else b""
    answer = {
        "caption": f"{len(body)} bytes",
        "method": event.get("httpMethod"),
        "path": event.get("path"),
        "pid": os.getpid(),
        "environ": dict(os.environ),
        "memory": context.memory_limit_in_mb,
        "remaining_ms": context.get_remaining_time_in_millis(),
    }
    if "attention" in query:
        answer |= {"words": ["left", "right"], "attention": [[[1.0, 0.0]], [[0.0, 1.0]]]}
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": json.dumps(answer)}
