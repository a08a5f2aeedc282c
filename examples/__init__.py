"""Worked agents: each is a story that runs offline and exits non-zero when an expectation does not hold.

property_management/, customer_support/   the stories, each with the far end that it is played against
service/                                  what far ends are made of: HTTP, one SQLite file, witnesses and faults
client.py                                 the way to one, with errors that say what may have happened
far_end.py, deployment.py, runtime.py     a service, a deployment and a worker as somebody has them
scene.py, account.py                      what happens, beside what should; and what is said when it is over
demonstration.py, page.py                 how a story is played, and what a person reads of it
"""
