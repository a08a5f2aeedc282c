"""What a run may use. Floor 5; its door is `limit`. It never waits.

It reads guards and the run's facts; the reservation itself is part of the intent's transaction, so a guard
may still say no there.
"""
