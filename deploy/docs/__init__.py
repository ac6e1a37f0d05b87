"""What the site in docs/ shows of the code: reference pages that are drawn from it, and the picture of a run."""
