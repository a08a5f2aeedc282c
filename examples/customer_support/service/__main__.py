"""The service as a process: `python -m examples.customer_support.service --db FILE --port 0`."""

from __future__ import annotations

import sys

from examples.customer_support.service.books import BOOKS
from examples.customer_support.service.mail import receive_mail
from examples.customer_support.service.routes import PUBLIC
from examples.service.process import serve

if __name__ == "__main__":
    sys.exit(serve("examples.customer_support.service", BOOKS, PUBLIC, receive_mail))
