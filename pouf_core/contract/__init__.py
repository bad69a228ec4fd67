"""What an adaptation is asked for and what it answers: the one form everywhere. Imports no torch."""
