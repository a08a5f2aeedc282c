"""Whether a call is allowed: rules in Cedar over a closed record of facts. Floor 3; its door is `authorize`.

Pure: nothing is read but the policy folder, at load. What fails to evaluate forbids.
"""
