"""Tools: defined, compiled, found, pinned, and the gate `validate`.

Floor 3: pure. Its door is `validate.validate`. It never knows of policy or screening.
"""
