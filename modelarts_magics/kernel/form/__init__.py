"""The ipywidgets form for description and auto-stop.

`form.InstanceForm` is the widget, `draft` the edited values, `view` shows them and `widgets` builds the controls.
Imports `commands`, `session` and the layers below, and of `kernel` the countdown, the session and the scheduling.
"""
