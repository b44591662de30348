"""The main job: starts the whole suite on this machine and plays a helpdesk day."""
