"""What each kind of event means. One file for each."""
