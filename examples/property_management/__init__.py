"""Property management: an agent whose tool calls pass through Interlock to a service that is not ours.

`service/` is the far end: a process of its own, which knows nothing of Interlock. Everything else is what
its customer writes:

    client.py, records.py   the service's API, with errors that say what may have happened
    tools.py                its operations as tools
    policy/                 who may do what, in Cedar, with a table of cases
    deployment.py           settings, people and their keys, in a folder that the command line opens as well
    script.py               what the agent proposes, turn by turn, and what must come of each call
    people.py               what people do meanwhile: approve, settle, stop and resume
    session.py              the agent's loop, and what came of it
    runtime.py, crash.py    the process that carries out what is approved; how it is killed, and what it does then
    table.py                all of it on a page

`python -m examples.property_management` plays it.
"""
