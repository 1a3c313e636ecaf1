from collections import namedtuple

Arguments = namedtuple("Arguments", "number code")
