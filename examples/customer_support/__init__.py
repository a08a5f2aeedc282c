"""Customer support: an agent whose runs survive, between customers and a service that is not ours.

`service/` is the far end: HTTP and SMTP, a process of its own, which knows nothing of Interlock. Everything else is
what its customer writes:

    client.py, records.py   the service's API and its mail server, with errors that say what may have happened
    tools.py                what the desk can do, documents among it
    policy/                 who may do what, in Cedar, with a table of cases
    desk.py                 the agent: instructions, tools, and a model that is written down
    script.py               what the model says, turn by turn, and what must come of each call
    evals.yaml              what the agent must do, case by case
    session.py              the day, and what came of it

`python -m examples.customer_support` plays it.
"""
