"""What a user can set: `declared` says which settings there are, `loading` where their values come from."""

from lambdacap.settings.declared import ARCHITECTURES, AUTH, DECLARATIONS, KINDS, Settings, flag, may_be_none
from lambdacap.settings.loading import from_file, load, strangers, variable
from lambdacap.settings.places import default_cache, default_home, default_image

__all__ = [
    "ARCHITECTURES",
    "AUTH",
    "DECLARATIONS",
    "KINDS",
    "Settings",
    "default_cache",
    "default_home",
    "default_image",
    "flag",
    "from_file",
    "load",
    "may_be_none",
    "strangers",
    "variable",
]
