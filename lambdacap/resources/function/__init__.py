"""The Lambda function: itself, its versions, its reserved executions."""
