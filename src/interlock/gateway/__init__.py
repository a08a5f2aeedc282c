"""The door for clients of the Model Context Protocol: what they ask for becomes calls on the one path.

Floor of doors. `door.py` knows the plane and no protocol, `protocol.py` the SDK and no transport; `http.py` and
`stdio.py` are the transports. Nothing here decides anything, and nothing here runs a tool but by `call_tool`.
"""
