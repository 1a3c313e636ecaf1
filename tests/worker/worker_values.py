"""Classes whose objects are put into the context; Python 3.8, since other interpreters import them."""

from dataclasses import dataclass
from enum import Enum


class Color(Enum):
    RED = "red"


@dataclass
class Order:
    number: int
    item: object = None


@dataclass
class NotAllowed:
    number: int


NotAllowed.__module__ = "elsewhere"
