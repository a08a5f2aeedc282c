"""Ready-made tools, one leaf for each family: name the leaf among the settings' `tools`, or give its family to a plane.

They are ordinary tools: policy decides about each call of them, and the ledger keeps it.
"""
