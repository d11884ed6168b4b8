"""Convolutional networks as pure functions, and the commands that train and use them.

`python -m models.train` trains one, `python -m models.predict` asks it about an image.
"""
