"""What the ledger's events come to: figures, alerts, and what other programs collect. Just above the application.

The doors: `measures.Measures`, figures over time for people; `prometheus.exposition`, the same for Prometheus;
`alerts.Alerts`, what is out of the ordinary now; `spans.Spans`, events in and finished spans out, and
`exporting.exporting`, which delivers them to a collector of OpenTelemetry. All of it is read from events in the order
of their commits and kept in memory: nothing here is on the path of a call, writes to the ledger or decides anything,
and what is lost with a process is read again by the next. What was asked and answered is told to no other program
unless the operator switched that on, and nothing leaves for an address that the settings do not name.
"""
