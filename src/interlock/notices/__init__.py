"""Telling people that they are waited for. Above the ledger, beside no gate; below the settings.

The doors: `notifier.Notifier`, which reads what waits and sends it, and `notice.Notice`, what is told. The outbox is
the ledger itself: nothing is written when something begins to wait. A notice links and never decides: nothing here
listens, and what a receiver answers means received, later or never, whatever else it says.
"""
