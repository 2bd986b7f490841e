"""The Jupyter server half: one monitor that asks the cloud, routes that pages use, events that tell them."""
