"""The far end: what a shop's support desk works with, over HTTP and SMTP, with its own process and its own file.

Nothing of Interlock in it. Start it with `python -m examples.customer_support.service --db FILE --port 0`. Read
from `routes.py` (what can be asked) to `knowledge.py`, `orders.py` and `tickets.py` (what then happens), `mail.py`
(where the customers' mail arrives) and `books.py` (its tables, and what stands in them on the first day).
"""
