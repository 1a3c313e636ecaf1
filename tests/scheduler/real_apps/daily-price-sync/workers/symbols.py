ALL = ["ACME", "Börse", "XYZ"]
