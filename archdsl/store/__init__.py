"""Studies, trials, measurements and claims in one database; knows neither documents nor torch."""
