"""What the gateway is measured against: servers that somebody could have written instead."""

# Who issues the naive gateway's tokens, and for whom.
ISSUER = "https://naive.example"
