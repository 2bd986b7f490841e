"""The ipywidgets form for description and auto-stop.

`form.InstanceForm` is the widget; `draft` holds the edited values, `view` renders them and `widgets` builds the
controls. Imports `commands`, `session` and the packages below them.
"""
