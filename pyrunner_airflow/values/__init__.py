"""What a context value is as JSON: one table of kinds, one codec. Standard library and Python 3.8."""

from .codec import ORDERS, TAG, VALUE, Codec, ContextValueError, Encoded, is_encoded
from .kinds import fits
from .models import Allowed

__all__ = ["ORDERS", "TAG", "VALUE", "Allowed", "Codec", "ContextValueError", "Encoded", "fits", "is_encoded"]
