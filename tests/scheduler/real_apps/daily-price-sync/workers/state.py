import json
import os

FILE = "state.json"


def load():
    if not os.path.exists(FILE):
        return {}
    with open(FILE) as file:
        return json.load(file)


def save(known):
    with open(FILE, "w") as file:
        json.dump(known, file)
