"""What a context value is as JSON: one table of kinds, one codec. Standard library and Python 3.8."""

from .codec import Codec, ContextValueError, Encoded
from .models import Allowed

__all__ = ["Allowed", "Codec", "ContextValueError", "Encoded"]
