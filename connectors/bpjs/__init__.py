"""BPJS Kesehatan: JKN membership through VClaim, and the monthly lists of PBI-JK."""
