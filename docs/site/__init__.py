"""What is made from the program for the documentation."""
