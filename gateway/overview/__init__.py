"""What staff see first: what waits for them, and how the gateway is doing.

It reads. It MUST NOT change anything but its own totals, which follow from the log and can be made anew.
"""
