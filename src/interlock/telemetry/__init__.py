"""What the ledger's events come to: figures, alerts, and what other programs collect. Just above the application.

The doors: `measures.Measures`, figures over time for people; `prometheus.exposition`, the same for Prometheus;
`alerts.Alerts`, what is out of the ordinary now. All of it is read from events in the order of their commits and kept
in memory: nothing here is on the path of a call, and what is lost with a process is read again by the next.
"""
