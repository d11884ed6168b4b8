"""What a run has learned, in pictures: `python -m models.look RUN`."""
