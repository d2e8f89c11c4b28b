"""`python -m bench`: the speed of jobindex, its limits and its alternatives."""
