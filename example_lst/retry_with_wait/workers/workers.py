from pyrunner import Worker


class FetchExchangeRates(Worker):
    """Stand in for a service that refuses its first two calls: MAX_ATTEMPTS 3 outlasts it."""

    def run(self):
        # What a failed attempt writes to the context is still there for the next one.
        attempt = self.context.get("fetch_attempts", 0) + 1
        self.context["fetch_attempts"] = attempt
        if attempt < 3:
            raise ConnectionError(f"The rate service refused call {attempt}")
        self.context["exchange_rates"] = {"EUR": 1.0, "GBP": 0.8432, "USD": 1.1085}
        self.logger.success(f"Fetched exchange rates with call {attempt}")


class ReportAttempts(Worker):
    def run(self):
        attempts = self.context["fetch_attempts"]
        rates = self.context["exchange_rates"]
        self.logger.info(f"Fetching {len(rates)} exchange rates took {attempts} attempts")
