"""Membership lists of PKH, BPNT, BST and others: pulled, never asked per person."""
