"""What a timeline shows, in sentences: rules that name a problem, its evidence and its repair."""
