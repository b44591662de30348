"""How fast policy decides, at which cost, in which memory; beside it cedarpy and Cerbos."""
