"""How this package compares with hand-written DAGs and with PyRunner: `make bench`."""
