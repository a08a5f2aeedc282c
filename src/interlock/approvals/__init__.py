"""People's answers to held calls (spec: approvals). Floor 5; its door is `approve`.

`request` makes the question, `decide` takes an answer from an authenticated person, `approve` lets an
answered call pass. An answer from a model, a tool or a client is never an approval.
"""
