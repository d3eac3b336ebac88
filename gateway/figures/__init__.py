"""Figures about many people at once, by region, told so that nobody can be made out in them."""
