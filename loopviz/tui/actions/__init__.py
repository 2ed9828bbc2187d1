"""What the keys do, in groups: each module adds the actions of one group to the application."""
