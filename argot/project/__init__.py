"""A pipeline in a repository of a team's own, beside an installed Argot: made, and upgraded."""
