"""Property management: an agent whose tool calls pass through Interlock to a service that is not ours.

`service/` is the far end: a process of its own, which knows nothing of Interlock. Everything else is what
its customer writes:

    client.py, records.py   the service's API, with errors that say what may have happened
    tools.py                its operations as tools
    policy/                 who may do what, in Cedar, with a table of cases
    deployment.py           its settings and its agent
    script.py               what the agent proposes, turn by turn, and what must come of each call
    people.py               what people do meanwhile: approve, settle, stop and resume
    session.py              the agent's loop, and what came of it
    crash.py                the runtime is killed in the middle of four effects, and settles what it left open
    standing.py             what people need not be asked, and what runs away
    caretaker.py            the same work as an agent, for evals.yaml
    onboarding.py           taking a tenant in, a saga
    moving_in.py            two of them: one fails and is undone across a kill, one completes

What it shares with the other examples stands beside it: `examples/service` (what far ends are made of), `client.py`,
`far_end.py`, `deployment.py`, `scene.py`, `account.py` and `page.py`.

`python -m examples.property_management` plays it.
"""
