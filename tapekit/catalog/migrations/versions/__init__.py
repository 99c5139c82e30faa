"""One file for each change of the tables, in order; none is ever changed once it was released."""
