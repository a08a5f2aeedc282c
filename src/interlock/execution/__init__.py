"""Running an approved call. Floor 5; its door is `execute`.

Attempts, their time and their one layer of retries live here and nowhere else; it never decides whether
a call may run.
"""
