"""The ipywidgets form for description and auto-stop.

`form.InstanceForm` is the widget; `draft` holds the edited values, `view` renders them, `widgets` builds the controls.
"""
