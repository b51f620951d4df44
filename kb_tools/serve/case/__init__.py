"""Try a case: a form made from the case shapes, a file read into it, and what the case on the page comes to."""
