"""Every system call that writes or sends, killed and failed once: `python -m proof.syscalls` (faults K3, K9, K10).

A run of twenty calls is done under strace, which ends the process by SIGKILL at the n-th call of a kind, or lets
that one call fail with EIO or ENOSPC. Then another process recovers, the client asks for all twenty again by name,
and `judge` holds the ledger and what the client was told against the far end's own file.
"""
