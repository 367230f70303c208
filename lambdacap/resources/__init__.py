"""What a deployment consists of, in the order in which it is made; taken down in reverse."""

from __future__ import annotations

from lambdacap.resources.api import Api
from lambdacap.resources.function import Function
from lambdacap.resources.image import Image
from lambdacap.resources.log_group import LogGroup
from lambdacap.resources.repository import Repository
from lambdacap.resources.resource import Change, Resource, Site, State
from lambdacap.resources.role import Role

RESOURCES: tuple[Resource, ...] = (Repository(), Image(), Role(), LogGroup(), Function(), Api())

__all__ = ["RESOURCES", "Change", "Resource", "Site", "State"]
