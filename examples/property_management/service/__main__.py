"""The service as a process: `python -m examples.property_management.service --db FILE --port 0`."""

from __future__ import annotations

import sys

from examples.property_management.service.books import BOOKS
from examples.property_management.service.routes import PUBLIC
from examples.service.process import serve

if __name__ == "__main__":
    sys.exit(serve("examples.property_management.service", BOOKS, PUBLIC))
