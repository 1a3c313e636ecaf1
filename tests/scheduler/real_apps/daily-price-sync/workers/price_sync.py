import changes
import currency
import parser
import report
import source
import state
import symbols
from pyrunner import Worker


class FetchPrices(Worker):
    def run(self):
        known = state.load()
        run = known.get("runs", 0) + 1
        print(f"run {run}, {len(symbols.ALL)} symbols")
        prices = parser.parse(source.lines(symbols.ALL, run))
        state.save(
            {
                "runs": run,
                "before": known.get("prices", {}),
                "prices": {symbol: currency.in_euro(price) for symbol, price in prices.items()},
            }
        )


class ComparePrices(Worker):
    def run(self):
        known = state.load()
        known["changes"] = changes.between(known["before"], known["prices"])
        print(f"{len(known['changes'])} changes")
        state.save(known)


class WriteReport(Worker):
    def run(self):
        for line in report.lines(state.load()):
            print(line)
